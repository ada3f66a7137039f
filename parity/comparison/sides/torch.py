"""Models of PyTorch."""

from __future__ import annotations

import copy
import functools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from numpynet import Array
from numpynet.module import join
from parity.comparison.layers.torch import FORMULAS, activation_in, as_they_are, layer_of
from parity.comparison.layers.torch_functions import layer_for, name_of, watching
from parity.comparison.model import NOTHING, STATE, Applied, Call, Held, Layer, Model, Run, Sites, Unfit
from parity.frameworks.lazy import torch
from parity.rounding.errors import forward_pass

FRAMEWORK = "torch"
WHOLE = ("MultiheadAttention",)  # layers that have parts which nobody calls


@dataclass
class _Function:
    """A layer that stands for a function, which is called with these arguments behind its input."""

    module: Any
    arguments: Mapping[str, Any]


@dataclass
class _Observed:
    """What is seen of one run, and what is to be removed when it is over.

    inside: the modules that it is in, by their names, the innermost last
    functions: how often each function was called in each of them
    """

    kept: Mapping[str, Array]
    calls: list[Call] = field(default_factory=list)
    entered: list[Layer] = field(default_factory=list)
    sites: Sites = field(default_factory=Sites)
    hooks: list[Any] = field(default_factory=list)
    inside: list[tuple[str, Any]] = field(default_factory=list)
    functions: Counter[tuple[str, str]] = field(default_factory=Counter)

    def number(self, function: str) -> tuple[str, int]:
        """The module that calls the function now, and how often it has."""
        place = self.inside[-1][0]
        self.functions[place, function] += 1
        return place, self.functions[place, function]


class TorchModel(Model):
    """A torch module, observed while it runs; what is compared is a copy of the user's.

    A `lean` one, which is run again and again, does not keep what its layers are called with. `functions` are the
    layers that stand for functions, as far as they are known before it is run.
    """

    framework = FRAMEWORK
    precedence = 2

    def __init__(
        self, module: Any, lean: bool = False, dtype: Any = None, functions: Mapping[str, _Function] | None = None
    ) -> None:
        self.lean = lean
        try:
            self.module = copy.deepcopy(module)
        except Exception as error:
            raise Unfit(f"the torch model cannot be copied ({error}): a fresh one, not yet trained on, can") from error
        self.dtype = dtype or _dtype(self.module)
        if dtype is not None:
            self.module.to(dtype)
        for part in self.module.modules():
            if isinstance(part, torch.nn.Embedding | torch.nn.EmbeddingBag):
                part.sparse = False  # the gradient is the same, and dense
        self.modules = dict(_leaves(self.module))
        self.leaves = {id(leaf) for leaf in self.modules.values()}
        # What torch.compile makes of a model has no functions that could be watched.
        self.compiled = any(type(part).__name__ == "OptimizedModule" for part in self.module.modules())
        self.holders = {
            name: module
            for name, module in self.module.named_modules()
            if not any(module is leaf for leaf in self.modules.values())
            and as_they_are(name, module)
            and not _inside_whole(self.modules, name)
        }
        self.layers = {
            # Of a model without parts, which has a name here alone, torch calls the arrays by their own.
            name: replace(layer_of("" if module is self.module else name, module), name=name)
            for name, module in self.modules.items()
        } | {
            name: Layer(name, type(module).__name__, type(module).__name__, as_they_are(name, module))
            for name, module in self.holders.items()
        }
        self.functions: dict[str, _Function] = {}
        for name, function in copy.deepcopy(dict(functions or {})).items():
            self._add(name, function)
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
        self.module.train(training)
        with self._observed(kept) as observed, self.left_as_it_was(), torch.set_grad_enabled(cotangents is not None):
            self.module.zero_grad()
            with forward_pass(), self._functions_watched(observed):
                outputs = tensors_in(self.module(*tensors))
            run = Run([_array(output) for output in outputs], observed.calls, observed.entered)
            for place, (tensor, values) in enumerate(zip(tensors, inputs, strict=True)):
                if not np.array_equal(_array(tensor), values):
                    raise Unfit(f"a torch model changes input {place + 1} in place: give it one that leaves it alone")
            if cotangents is not None:
                self._backward(run, outputs, tensors, cotangents)
            run.state = self.state()
        return run

    @contextmanager
    def masked(self, kept: Mapping[str, Array]) -> Iterator[None]:
        with self._observed(kept) as observed, self._functions_watched(observed):
            yield

    @contextmanager
    def _observed(self, kept: Mapping[str, Array]) -> Iterator[_Observed]:
        """A context in which the calls of layers are seen, and drop what these masks say."""
        observed = _Observed(kept)
        try:
            self._observe(observed)
            yield observed
        finally:
            for hook in observed.hooks:
                hook.remove()

    def _observe(self, observed: _Observed) -> None:
        """Have every module tell when it is entered and left, and layers what they compute."""
        for name, module in self.modules.items():
            self._observe_layer(observed, name, module)
        for name, module in self.holders.items():
            enter = functools.partial(_enter, observed.entered, self.layers[name])
            observed.hooks.append(module.register_forward_pre_hook(enter))
        for name, module in [] if self.compiled else self.module.named_modules():
            go_in = functools.partial(_go_in, observed.inside, name)
            go_out = functools.partial(_go_out, observed.inside)
            # Before all that the user's own hooks compute, and after it.
            observed.hooks.append(module.register_forward_pre_hook(go_in, prepend=True))
            observed.hooks.append(module.register_forward_hook(go_out))

    def _observe_layer(self, observed: _Observed, name: str, module: Any) -> None:
        layer = self.layers[name]
        observer = self._observer(layer, observed.sites, observed.calls, observed.kept)
        observed.hooks.append(module.register_forward_hook(observer, with_kwargs=True))
        observed.hooks.append(module.register_forward_pre_hook(functools.partial(_enter, observed.entered, layer)))

    def _functions_watched(self, observed: _Observed) -> AbstractContextManager[Any]:
        """A context in which functions that are called outside of layers are layers."""
        return nullcontext() if self.compiled else watching(functools.partial(self._stand_for, observed))

    def _stand_for(self, observed: _Observed, name: str, arguments: dict[str, Any], input: Any) -> Any:
        """The result of a function that is called outside of layers, by a layer of its own; else None.

        A function of dropout that does not go by the model's mode stays one.
        """
        if any(id(module) in self.leaves for _, module in observed.inside):
            return None
        place, number = observed.number(name)
        if any(isinstance(value, torch.Tensor) for value in arguments.values()):
            return None
        if name == "dropout" and arguments.pop("training", True) != self.module.training:
            return None
        whole = join(place, name_of(name, number))
        if (known := self.functions.get(whole)) is None or known.arguments != arguments:
            known = _Function(layer_for(name, arguments), arguments)
            self._add(whole, known)
            self._observe_layer(observed, whole, known.module)
        return known.module.train(self.module.training)(input)

    def _add(self, name: str, function: _Function) -> None:
        """Take a layer that stands for a function among the model's."""
        self.functions[name], self.modules[name] = function, function.module
        self.layers[name] = replace(layer_of("", function.module), name=name)

    def _backward(self, run: Run, outputs: list[Any], tensors: list[Any], cotangents: Sequence[Array]) -> None:
        _send_back(outputs, cotangents)
        run.input_gradients = [_gradient(tensor) for tensor in tensors]
        for name, layer in self.layers.items():
            run.parameter_gradients |= {(name, role): back for role, back in _parameter_gradients(layer).items()}

    def _input(self, values: Array, watched: bool) -> Any:
        tensor = torch.tensor(values)
        if tensor.is_floating_point():
            tensor = tensor.to(self.dtype).requires_grad_(watched)
        return tensor

    def _observer(self, layer: Layer, sites: Sites, calls: list[Call], kept: Mapping[str, Array]) -> Callable[..., Any]:
        def observe(module: Any, args: Any, kwargs: Any, output: Any) -> Any:
            site = sites.of_call(layer.name)
            if site in kept:
                output = args[0] * torch.tensor(kept[site], dtype=args[0].dtype) * (1 / (1 - module.p))
            given = tensors_in((args, kwargs))
            if any(output is tensor for tensor in given):
                output = output.view_as(output)  # of its own: what comes back to the input elsewhere is another matter
            outputs = tensors_in(output)
            call = Call(
                site,
                layer,
                # What it was called with keeps its whole graph.
                replaced((args, kwargs), [torch.empty(0)] * len(given)),
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

    def apply(
        self, call: Call, inputs: Sequence[Array], training: bool, cotangents: Sequence[Array | None] | None = None
    ) -> Applied:
        back = cotangents is not None
        tensors = [self._input(values, back) for values in inputs]
        # Copies, which the layer may change in place.
        args, kwargs = replaced(call.arguments, [tensor.clone() for tensor in tensors])
        module, layer = self.modules[call.layer.name], self.layers[call.layer.name]
        module.train(training)
        module.zero_grad()
        with self.left_as_it_was(layer), torch.set_grad_enabled(back):
            with forward_pass():
                outputs = tensors_in(module(*args, **kwargs))
            found = Applied([_array(output) for output in outputs], self.state_of(layer))
            if cotangents is not None:
                _send_back(outputs, cotangents)
                found.input_gradients = [_gradient(tensor) for tensor in tensors]
                found.parameter_gradients = _parameter_gradients(layer)
        return found

    def read(self, held: Held) -> Array:
        return held.to_one([_array(tensor) for tensor in held.tensors])

    def write(self, held: Held, values: Array) -> None:
        with torch.no_grad():
            for tensor, part in zip(held.tensors, held.from_one(values), strict=True):
                tensor.copy_(torch.from_numpy(np.ascontiguousarray(part)))

    def format_of(self, held: Held) -> str:
        return str(held.tensors[0].dtype).removeprefix("torch.")

    def compute_in(self, name: str) -> None:
        self.dtype = getattr(torch, name)

    def is_frozen(self, held: Held) -> bool:
        return not all(tensor.requires_grad for tensor in held.tensors)

    def wide(self) -> Model:
        return TorchModel(self.module, lean=True, dtype=torch.float64, functions=self.functions)

    def by_formulas(self, framework: str) -> Model | None:
        if framework == FRAMEWORK or not any(layer.kind in FORMULAS for layer in self.layers.values()):
            return None
        other = TorchModel(self.module, self.lean, self.dtype, self.functions)
        for name, module in other.modules.items():
            own = type(module).__module__.startswith("torch.")  # a subclass may compute it otherwise
            if own and (formula := FORMULAS.get(other.layers[name].kind)) is not None:
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
    return _shared(tensor).copy()


def _shared(tensor: Any) -> Array:
    """The tensor's own memory as an array; one of a narrow format as float32."""
    if tensor.requires_grad:
        tensor = tensor.detach()
    array: Array = (tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor).cpu().numpy()
    return array


def _dtype(module: Any) -> Any:
    """The format that the module computes in: that of the first of its arrays, or float32 where it holds none."""
    held = [*module.parameters(), *module.buffers()]
    return next((tensor.dtype for tensor in held if tensor.is_floating_point()), torch.float32)


def _send_back(outputs: Sequence[Any], cotangents: Sequence[Array | None]) -> None:
    """Send back what is given to outputs that anything depends on."""
    both = [
        (output, torch.from_numpy(np.require(cotangent, requirements="C")).to(output.dtype))
        for output, cotangent in zip(outputs, cotangents, strict=True)
        if cotangent is not None and output.requires_grad
    ]
    if both:
        torch.autograd.backward(*map(list, zip(*both, strict=True)))


def _gradient(tensor: Any) -> Array | None:
    """The gradient of a leaf: its own memory, which the next pass leaves alone, as it begins without gradients."""
    return None if tensor.grad is None else _shared(tensor.grad)


def _parameter_gradients(layer: Layer) -> dict[str, Array]:
    """The gradients of a layer's parameters, by role, as far as something came back to them."""
    return {
        role: (held.of_gradients or held.to_one)([_shared(tensor.grad) for tensor in held.tensors])
        for role, held in layer.held.items()
        if role not in STATE and all(tensor.grad is not None for tensor in held.tensors)
    }


def _enter(entered: list[Layer], layer: Layer, module: Any, args: Any) -> None:
    entered.append(layer)


def _go_in(inside: list[tuple[str, Any]], name: str, module: Any, args: Any) -> None:
    inside.append((name, module))


def _go_out(inside: list[tuple[str, Any]], module: Any, args: Any, output: Any) -> None:
    while inside.pop()[1] is not module:  # what raised, and was caught, was never left
        pass


def _inside_whole(modules: Mapping[str, Any], name: str) -> bool:
    """Tells whether the module is a part of one whose parts nobody calls."""
    return any(name.startswith(f"{whole}.") for whole in modules)


def _keeper(call: Call, place: int) -> Callable[[Any], None]:
    def keep(gradient: Any) -> None:
        before = call.gradients[place]
        call.gradients[place] = _array(gradient) if before is None else before + _array(gradient)

    return keep


def _leaves(module: Any, name: str = "") -> list[tuple[str, Any]]:
    """Every module that does the work itself, by its dotted name; a model without parts is its own leaf."""
    parts = list(module.named_children())
    if not parts or type(module).__name__ in WHOLE or activation_in(module) is not None:
        return [(name or type(module).__name__, module)]
    return [leaf for part, child in parts for leaf in _leaves(child, join(name, part))]
