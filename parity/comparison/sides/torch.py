"""Models of PyTorch."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from numpynet import Array
from numpynet.module import join
from parity.comparison.model import NOTHING, STATE, Call, Held, Layer, Model, Run, Setting, Sites, Unfit, floats
from parity.frameworks.lazy import torch
from parity.rounding.errors import forward_pass

FRAMEWORK = "torch"
WHOLE = ("MultiheadAttention",)  # layers that have parts which nobody calls


class TorchModel(Model):
    """A torch module, observed while it runs; what is compared is a copy of the user's.

    A `lean` one, which is run again and again, does not keep what its layers are called with.
    """

    framework = FRAMEWORK

    def __init__(self, module: Any, lean: bool = False) -> None:
        self.lean = lean
        try:
            self.module = copy.deepcopy(module)
        except Exception as error:
            raise Unfit(f"the torch model cannot be copied ({error}): a fresh one, not yet trained on, can") from error
        self.modules = dict(_leaves(self.module))
        self.holders = {
            name: module
            for name, module in self.module.named_modules()
            if name not in self.modules and _as_they_are(name, module) and not _inside_whole(self.modules, name)
        }
        self.layers = {name: layer_of(name, module) for name, module in self.modules.items()} | {
            name: Layer(name, type(module).__name__, type(module).__name__, _as_they_are(name, module))
            for name, module in self.holders.items()
        }
        for name, tensor in [*self.module.named_parameters(), *self.module.named_buffers()]:
            if tensor.layout != torch.strided or tensor.is_complex():
                raise Unfit(
                    f"{name} is {'complex' if tensor.is_complex() else 'sparse'}: only dense real tensors are compared"
                )

    def run(
        self,
        inputs: Sequence[Array],
        training: bool,
        cotangents: Sequence[Array] | None = None,
        kept: Mapping[str, Array] = NOTHING,
    ) -> Run:
        tensors = [self._input(values, cotangents is not None) for values in inputs]
        calls: list[Call] = []
        entered: list[Layer] = []
        sites = Sites()
        observers = [
            module.register_forward_hook(self._observer(self.layers[name], sites, calls, kept), with_kwargs=True)
            for name, module in self.modules.items()
        ]
        observers += [
            module.register_forward_pre_hook(functools.partial(_enter, entered, self.layers[name]))
            for name, module in [*self.modules.items(), *self.holders.items()]
        ]
        self.module.train(training)
        try:
            with self.left_as_it_was(), torch.set_grad_enabled(cotangents is not None):
                self.module.zero_grad()
                with forward_pass():
                    outputs = tensors_in(self.module(*tensors))
                run = Run([_array(output) for output in outputs], calls, entered)
                for place, (tensor, values) in enumerate(zip(tensors, inputs, strict=True)):
                    if not np.array_equal(_array(tensor), values):
                        raise Unfit(
                            f"a torch model changes input {place + 1} in place: give it one that leaves it alone"
                        )
                if cotangents is not None:
                    self._backward(run, outputs, tensors, cotangents)
                run.state = self.state()
        finally:
            for observer in observers:
                observer.remove()
        return run

    def _backward(self, run: Run, outputs: list[Any], tensors: list[Any], cotangents: Sequence[Array]) -> None:
        places = [place for place in floats(run.outputs) if outputs[place].requires_grad]
        if places:
            given = [torch.from_numpy(cotangents[place]).to(outputs[place].dtype) for place in places]
            torch.autograd.backward([outputs[place] for place in places], given)
        run.input_gradients = [None if tensor.grad is None else _array(tensor.grad) for tensor in tensors]
        for name, layer in self.layers.items():
            for role, held in layer.held.items():
                if role not in STATE and all(tensor.grad is not None for tensor in held.tensors):
                    gradients = [_array(tensor.grad) for tensor in held.tensors]
                    run.parameter_gradients[name, role] = (held.of_gradients or held.to_one)(gradients)

    def _input(self, values: Array, watched: bool) -> Any:
        tensor = torch.tensor(values)
        if tensor.is_floating_point():
            tensor = tensor.to(self._dtype()).requires_grad_(watched)
        return tensor

    def _dtype(self) -> Any:
        floating = [tensor.dtype for tensor in self.module.parameters() if tensor.is_floating_point()]
        return floating[0] if floating else torch.get_default_dtype()

    def _observer(self, layer: Layer, sites: Sites, calls: list[Call], kept: Mapping[str, Array]) -> Callable[..., Any]:
        def observe(module: Any, args: Any, kwargs: Any, output: Any) -> Any:
            site = sites.of_call(layer.name)
            if site in kept:
                output = args[0] * torch.tensor(kept[site], dtype=args[0].dtype) * (1 / (1 - module.p))
            outputs, given = tensors_in(output), tensors_in((args, kwargs))
            call = Call(
                site,
                layer,
                replaced(
                    (args, kwargs), [torch.empty(0)] * len(given)
                ),  # what it was called with keeps its whole graph
                [] if self.lean else [_array(tensor) for tensor in given],
                [_array(tensor) for tensor in outputs],
                [None] * len(outputs),
            )
            calls.append(call)
            for place, tensor in enumerate(outputs):
                if tensor.requires_grad:
                    # A hook, not retain_grad: what is registered before a change in place sees the gradient before it.
                    tensor.register_hook(_keeper(call, place))
            return output

        return observe

    def apply(self, call: Call, inputs: Sequence[Array], training: bool) -> tuple[list[Array], dict[str, Array]]:
        args, kwargs = replaced(call.arguments, [self._input(values, False) for values in inputs])
        module = self.modules[call.layer.name]
        module.train(training)
        layer = self.layers[call.layer.name]
        with self.left_as_it_was(layer), torch.no_grad(), forward_pass():
            outputs = [_array(tensor) for tensor in tensors_in(module(*args, **kwargs))]
            return outputs, self.state_of(layer)

    def read(self, held: Held) -> Array:
        return held.to_one([_array(tensor) for tensor in held.tensors])

    def write(self, held: Held, values: Array) -> None:
        with torch.no_grad():
            for tensor, part in zip(held.tensors, held.from_one(values), strict=True):
                tensor.copy_(torch.from_numpy(np.ascontiguousarray(part)))

    def input_shapes(self) -> list[tuple[int | None, ...] | None]:
        return []

    def wide(self) -> Model:
        return TorchModel(copy.deepcopy(self.module).double(), lean=True)

    def by_formulas(self) -> Model | None:
        """The same model by Keras' formulas where they round worse; None where no layer has such a one."""
        if not any(layer.kind in FORMULAS for layer in self.layers.values()):
            return None
        other = TorchModel(self.module, lean=True)
        for name, module in other.modules.items():
            if (formula := FORMULAS.get(other.layers[name].kind)) is not None:
                module.forward = functools.partial(formula, module, module.forward)
        return other


def kind() -> type:
    module: type = torch.nn.Module
    return module


SIDE = TorchModel


def tensors_in(tree: Any) -> list[Any]:
    """The tensors in a tuple, list, dictionary or output class, in order."""
    leaves, _ = torch.utils._pytree.tree_flatten(tree)
    found: list[Any] = []
    for leaf in leaves:
        if isinstance(leaf, torch.Tensor):
            found.append(leaf)
        elif hasattr(leaf, "keys"):  # an output class of a package that did not register it
            found += tensors_in(dict(leaf))
    return found


def replaced(tree: Any, tensors: Sequence[Any]) -> Any:
    """The tree with these tensors in the place of its own."""
    leaves, structure = torch.utils._pytree.tree_flatten(tree)
    given = iter(tensors)
    new = [next(given) if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
    return torch.utils._pytree.tree_unflatten(new, structure)


def _array(tensor: Any) -> Array:
    tensor = tensor.detach()
    array: Array = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).cpu().numpy().copy()
    return array


def _enter(entered: list[Layer], layer: Layer, module: Any, args: Any) -> None:
    entered.append(layer)


def _inside_whole(modules: Mapping[str, Any], name: str) -> bool:
    """Whether the module is a part of one whose parts nobody calls."""
    return any(name.startswith(f"{whole}.") for whole in modules)


def _keeper(call: Call, place: int) -> Callable[[Any], None]:
    def keep(gradient: Any) -> None:
        before = call.gradients[place]
        call.gradients[place] = _array(gradient) if before is None else before + _array(gradient)

    return keep


def _leaves(module: Any, name: str = "") -> list[tuple[str, Any]]:
    """Every module that does the work itself, by its dotted name; a model without parts is its own leaf."""
    parts = list(module.named_children())
    if not parts or type(module).__name__ in WHOLE:
        return [(name or type(module).__name__, module)]
    return [leaf for part, child in parts for leaf in _leaves(child, join(name, part))]


def layer_of(name: str, module: Any) -> Layer:
    """What is known of a leaf."""
    title = type(module).__name__
    kind, held, settings = title, _as_they_are(name, module), {}
    for classes, known, holds, sets in KNOWN:
        if title in classes:
            kind, held, settings = known, holds(name, module), _settings(module, sets)
    return Layer(name, title, kind, held, settings)


def _held(name: str, module: Any, **roles: str) -> dict[str, Held]:
    """The arrays of these roles, by their attribute's name; what the layer does not have is left out."""
    found = {role.replace("_", " "): (attribute, getattr(module, attribute, None)) for role, attribute in roles.items()}
    return {
        role: Held((join(name, attribute),), (tensor,))
        for role, (attribute, tensor) in found.items()
        if tensor is not None
    }


def _as_they_are(name: str, module: Any) -> dict[str, Held]:
    """The arrays of a layer that nobody knows, under their own names."""
    found = {**dict(module.named_parameters(recurse=False)), **dict(module.named_buffers(recurse=False))}
    return {own: Held((join(name, own),), (tensor,)) for own, tensor in found.items() if tensor.is_floating_point()}


def _weight_and_bias(name: str, module: Any) -> dict[str, Held]:
    return _held(name, module, weight="weight", bias="bias")


def _normalization(name: str, module: Any) -> dict[str, Held]:
    return _held(
        name, module, weight="weight", bias="bias", running_mean="running_mean", running_variance="running_var"
    )


def _recurrent(name: str, module: Any) -> dict[str, Held]:
    """Of one layer in one direction; the two biases of a gate are one where the formula adds them."""
    if module.num_layers > 1 or module.bidirectional or getattr(module, "proj_size", 0):
        return _as_they_are(name, module)
    held = _held(name, module, weight="weight_ih_l0", recurrent_weight="weight_hh_l0")
    if module.bias and type(module).__name__ != "GRU":
        names = (join(name, "bias_ih_l0"), join(name, "bias_hh_l0"))
        held["bias"] = Held(
            names,
            (module.bias_ih_l0, module.bias_hh_l0),
            lambda both: both[0] + both[1],
            lambda bias: (bias, np.zeros_like(bias)),
            lambda both: both[0],
        )
    elif module.bias:
        names = (join(name, "bias_ih_l0"), join(name, "bias_hh_l0"))
        held["biases"] = Held(
            names, (module.bias_ih_l0, module.bias_hh_l0), np.concatenate, lambda both: np.split(both, 2)
        )
    return held


def _attention(name: str, module: Any) -> dict[str, Held]:
    if module.in_proj_weight is None or module.bias_k is not None:
        return {
            own: held
            for part, child in [("", module), *module.named_children()]
            for own, held in _as_they_are(join(name, part), child).items()
        }
    width = module.embed_dim
    held = {
        "packed weight": Held((join(name, "in_proj_weight"),), (module.in_proj_weight,)),
        "output weight": Held((join(name, "out_proj.weight"),), (module.out_proj.weight,)),
    }
    if module.in_proj_bias is not None:
        held["packed bias"] = Held((join(name, "in_proj_bias"),), (module.in_proj_bias,))
        held["output bias"] = Held((join(name, "out_proj.bias"),), (module.out_proj.bias,))
    assert held["packed weight"].tensors[0].shape[0] == 3 * width
    return held


def _settings(module: Any, names: Mapping[str, str]) -> dict[str, Setting]:
    """The settings of these names, each by the attribute that holds it."""

    axes = next((int(axes) for axes in "123" if type(module).__name__.endswith(f"{axes}d")), 0)

    def of(attribute: str) -> Setting:
        value = getattr(module, attribute)
        return Setting(
            # Of windows, one number stands for as many as there are axes.
            (value,) * axes if attribute in PER_AXIS and isinstance(value, int) else value,
            lambda value: f"{attribute}={value!r}",
            lambda value: setattr(module, attribute, value),
        )

    return {name: of(attribute) for name, attribute in names.items() if hasattr(module, attribute)}


def _exponential(module: Any, own: Any, x: Any) -> Any:
    """ELU by exp(x) - 1, of whose digits those that cancel are lost."""
    return torch.where(x > 0, x, module.alpha * (x.exp() - 1))


def _selu(module: Any, own: Any, x: Any) -> Any:
    return SELU_SCALE * torch.where(x > 0, x, SELU_ALPHA * (x.exp() - 1))


def _folded(x: Any, mean: Any, variance: Any, eps: float, weight: Any, bias: Any) -> Any:
    """A normalisation as one product and one sum, whose terms may be large where their sum is small."""
    scale = (variance + eps).rsqrt()
    scale = scale if weight is None else scale * weight
    shift = -mean * scale
    return x * scale + (shift if bias is None else shift + bias)


def _batch_folded(module: Any, own: Any, x: Any) -> Any:
    if module.training:
        own(x)  # moves the running statistics
    axes = [axis for axis in range(x.dim()) if axis != 1]
    shape = [1, -1, *[1] * (x.dim() - 2)]
    batch = module.training or module.running_mean is None
    mean = x.mean(axes) if batch else module.running_mean
    variance = (x - mean.reshape(shape)).square().mean(axes) if batch else module.running_var
    parts = [None if part is None else part.reshape(shape) for part in (module.weight, module.bias)]
    return _folded(x, mean.reshape(shape), variance.reshape(shape), module.eps, *parts)


def _layer_folded(module: Any, own: Any, x: Any) -> Any:
    axes = list(range(-len(module.normalized_shape), 0))
    mean = x.mean(axes, keepdim=True)
    return _folded(x, mean, (x - mean).square().mean(axes, keepdim=True), module.eps, module.weight, module.bias)


# By kind: Keras' formula, where it is another one and rounds worse, of the module, its own forward pass and the input.
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
FORMULAS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "elu": _exponential,
    "selu": _selu,
    "batch normalization": _batch_folded,
    "layer normalization": _layer_folded,
}


def _nothing(name: str, module: Any) -> dict[str, Held]:
    return {}


Known = tuple[tuple[str, ...], str, Callable[[str, Any], dict[str, Held]], Mapping[str, str]]
PER_AXIS = ("stride", "padding", "dilation", "kernel_size")
POOLING = {"size": "kernel_size", "stride": "stride", "padding": "padding"}
CONVOLUTION = {"stride": "stride", "padding": "padding", "dilation": "dilation", "groups": "groups"}
KNOWN: list[Known] = [
    (("Linear",), "linear", _weight_and_bias, {}),
    (("Conv1d", "Conv2d", "Conv3d"), "convolution", _weight_and_bias, CONVOLUTION),
    (
        ("ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"),
        "transposed convolution",
        _weight_and_bias,
        CONVOLUTION,
    ),
    (
        ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d"),
        "batch normalization",
        _normalization,
        {"eps": "eps", "momentum": "momentum"},
    ),
    (("LayerNorm",), "layer normalization", _weight_and_bias, {"eps": "eps"}),
    (("GroupNorm",), "group normalization", _weight_and_bias, {"eps": "eps", "groups": "num_groups"}),
    (("Embedding",), "embedding", lambda name, module: _held(name, module, weight="weight"), {}),
    (("LSTM",), "lstm", _recurrent, {"rate": "dropout"}),
    (("GRU",), "gru", _recurrent, {"rate": "dropout"}),
    (("RNN",), "rnn", _recurrent, {"rate": "dropout"}),
    (("MultiheadAttention",), "attention", _attention, {"heads": "num_heads", "rate": "dropout"}),
    (("PReLU",), "prelu", lambda name, module: _held(name, module, weight="weight"), {}),
    (("ReLU",), "relu", _nothing, {}),
    (("ReLU6",), "relu6", _nothing, {}),
    (("GELU",), "gelu", _nothing, {"approximate": "approximate"}),
    (("LeakyReLU",), "leaky relu", _nothing, {"slope": "negative_slope"}),
    (("ELU",), "elu", _nothing, {"alpha": "alpha"}),
    (("SELU",), "selu", _nothing, {}),
    (("SiLU",), "silu", _nothing, {}),
    (("Mish",), "mish", _nothing, {}),
    (("Sigmoid",), "sigmoid", _nothing, {}),
    (("Tanh",), "tanh", _nothing, {}),
    (("Softplus",), "softplus", _nothing, {}),
    (("Hardswish",), "hardswish", _nothing, {}),
    (("Hardsigmoid",), "hardsigmoid", _nothing, {}),
    (("Softmax",), "softmax", _nothing, {"axis": "dim"}),
    (("LogSoftmax",), "log softmax", _nothing, {"axis": "dim"}),
    (("Dropout", "Dropout1d", "Dropout2d", "Dropout3d"), "dropout", _nothing, {"rate": "p"}),
    (("MaxPool1d", "MaxPool2d", "MaxPool3d"), "max pooling", _nothing, POOLING),
    (("AvgPool1d", "AvgPool2d", "AvgPool3d"), "average pooling", _nothing, POOLING),
    (("AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d"), "global average pooling", _nothing, {}),
    (("Flatten",), "flatten", _nothing, {}),
    (("Identity",), "identity", _nothing, {}),
]
