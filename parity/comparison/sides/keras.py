"""Models of Keras: on TensorFlow, and made anew on torch where rounding is to be modelled on them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numpynet import Array
from parity.comparison.elsewhere import OnTorch
from parity.comparison.formats import NARROW
from parity.comparison.layers.keras import WHOLE, held_in, layer_of, own_weights, path_of
from parity.comparison.layers.keras_separable import parts_of
from parity.comparison.model import NOTHING, STATE, Applied, Call, Held, Layer, Model, Run, Sites, Unfit, floats
from parity.frameworks.lazy import keras, tf
from parity.rounding.errors import forward_pass

FRAMEWORK = "keras"
APART = ("InputLayer",)  # which computes nothing


@dataclass
class _Observed:
    """What is seen of one run; `outputs` are the tensors of each call, and `kept` the masks of dropout."""

    kept: Mapping[str, Array]
    calls: list[Call] = field(default_factory=list)
    entered: list[Layer] = field(default_factory=list)
    outputs: list[list[Any]] = field(default_factory=list)
    sites: Sites = field(default_factory=Sites)


class KerasModel(Model):
    """A built Keras model, observed while it runs eagerly; its weights are the user's own and are written to.

    backend: Keras' own, by which it runs
    """

    framework = FRAMEWORK
    backend = "tensorflow"

    def __init__(self, model: Any) -> None:
        if keras.config.backend() != self.backend:
            raise Unfit(f"Keras runs on {keras.config.backend()} here: only its TensorFlow backend is compared")
        if not model.built:
            raise Unfit(
                "the keras model is not built: call it once, or model.build(input_shape), so that it has weights"
            )
        self.model = model
        self.of_name: dict[str, Any] = {}
        leaves = [(leaf, parts_of(leaf)) for leaf in _leaves(model)]
        self.split = [(leaf, parts) for leaf, parts in leaves if parts]
        for layer in [one for leaf, parts in leaves for one in parts or [leaf]]:
            name = path_of(layer)
            self.of_name[name if name not in self.of_name else f"{name} ({len(self.of_name)})"] = layer
        self.layers = {name: layer_of(name, layer) for name, layer in self.of_name.items()}
        self.holders: dict[str, Any] = {}
        for layer in model._flatten_layers():
            own = own_weights(layer)
            if own and not any(layer is leaf for leaf, _ in leaves) and not _inside_whole(model, layer):
                name, title = path_of(layer), layer.__class__.__name__
                self.holders[name] = layer
                self.layers[name] = Layer(name, title, title, {variable.name: held_in(variable) for variable in own})

    def run(
        self,
        inputs: Sequence[Array],
        training: bool,
        cotangents: Sequence[Array] | None = None,
        kept: Mapping[str, Array] = NOTHING,
    ) -> Run:
        tensors = [self._input(values) for values in inputs]
        seen = _Observed(kept)
        variables = [variable for layer in self.layers.values() for variable in _variables(layer)]
        with self._observed(seen), self.left_as_it_was(), self._tape() as tape, forward_pass():
            tape.watch([tensor for tensor in [*tensors, *variables] if _is_floating(tensor)])
            outputs = flat(self.model(tensors[0] if len(tensors) == 1 else tensors, training=training))
            run = Run([_array(output) for output in outputs], seen.calls, seen.entered, state=self.state())
        if cotangents is not None:
            places = floats(run.outputs)
            targets = [outputs[place] for place in places]
            given = [keras.ops.convert_to_tensor(cotangents[place], outputs[place].dtype) for place in places]
            self._send_back(run, tape, targets, given, tensors, variables, seen.outputs)
        return run

    def masked(self, kept: Mapping[str, Array]) -> AbstractContextManager[None]:
        return self._observed(_Observed(kept))

    @contextmanager
    def _observed(self, seen: _Observed) -> Iterator[None]:
        """A context in which the calls of layers are kept in `seen`, and drop what its masks say."""
        before = {name: layer.call for name, layer in {**self.of_name, **self.holders}.items()}
        whole = [layer.call for layer, _ in self.split]
        try:
            for layer, parts in self.split:
                layer.call = _one_after_another(parts)
            for name, layer in self.of_name.items():
                observer = self._observer(self.layers[name], layer.call, seen)
                layer.call = _entering(seen.entered, self.layers[name], observer)
            for name, layer in self.holders.items():
                layer.call = _entering(seen.entered, self.layers[name], layer.call)
            yield
        finally:
            for name, layer in {**self.of_name, **self.holders}.items():
                layer.call = before[name]
            for (layer, _), call in zip(self.split, whole, strict=True):
                layer.call = call

    def _send_back(
        self,
        run: Run,
        tape: Any,
        targets: list[Any],
        given: list[Any],
        tensors: list[Any],
        variables: list[Any],
        observed: list[list[Any]],
    ) -> None:
        sources = [*tensors, *variables, *(tensor for outputs in observed for tensor in outputs)]
        floating = [source for source in sources if _is_floating(source)]
        found = dict(zip(map(id, floating), map(_gradient, tape.gradient(targets, floating, given)), strict=True))
        run.input_gradients = [found.get(id(tensor)) for tensor in tensors]
        for call, outputs in zip(run.calls, observed, strict=True):
            call.gradients = [found.get(id(tensor)) for tensor in outputs]
        for name, layer in self.layers.items():
            gradients = _parameter_gradients(layer, found)
            run.parameter_gradients |= {(name, role): gradient for role, gradient in gradients.items()}

    def _tape(self) -> Any:
        """Returns what records a forward pass, and gives the gradients of what it is told to watch."""
        return tf.GradientTape()

    def wide(self) -> Model:
        return OnTorch(self.model, self.layers)

    def _input(self, values: Array) -> Any:
        return keras.ops.convert_to_tensor(values, self._dtype() if values.dtype.kind == "f" else None)

    def _dtype(self) -> str:
        """The format of inputs: its arrays', which layers may have otherwise than the model, or else its own."""
        return next(iter(super().formats()), self.model.compute_dtype)

    def _observer(self, layer: Layer, call: Callable[..., Any], seen: _Observed) -> Callable[..., Any]:
        def observe(*args: Any, **kwargs: Any) -> Any:
            site = seen.sites.of_call(layer.name)
            if site in seen.kept:
                rate = self.of_name[layer.name].rate
                output = args[0] * keras.ops.convert_to_tensor(seen.kept[site], args[0].dtype) * (1 / (1 - rate))
            else:
                # Tensors of their own, also where a layer hands on its input.
                output = keras.tree.map_structure(_copied, call(*args, **kwargs))
            outputs = flat(output)
            given = tensors_in((args, kwargs))
            seen.calls.append(
                Call(
                    site,
                    layer,
                    replaced((args, kwargs), [keras.ops.zeros(0)] * len(given)),
                    [_array(tensor) for tensor in given],
                    [_array(tensor) for tensor in outputs],
                    [None] * len(outputs),
                )
            )
            seen.outputs.append(outputs)
            return output

        return observe

    def apply(
        self, call: Call, inputs: Sequence[Array], training: bool, cotangents: Sequence[Array | None] | None = None
    ) -> Applied:
        tensors = [self._input(values) for values in inputs]
        args, kwargs = replaced(call.arguments, tensors)
        layer = self.layers[call.layer.name]
        sources = list(filter(_is_floating, [*tensors, *_variables(layer)])) if cotangents is not None else []
        with self.left_as_it_was(layer), self._tape() as tape:
            tape.watch(sources)
            with forward_pass():
                outputs = flat(self.of_name[layer.name].call(*args, **kwargs))
            found = Applied([_array(output) for output in outputs], self.state_of(layer))
        if cotangents is not None:
            both = [
                (output, keras.ops.convert_to_tensor(cotangent, output.dtype))
                for output, cotangent in zip(outputs, cotangents, strict=True)
                if cotangent is not None and _is_floating(output)
            ]
            gradients = tape.gradient([output for output, _ in both], sources, [given for _, given in both])
            back = dict(zip(map(id, sources), map(_gradient, gradients), strict=True))
            found.input_gradients = [back.get(id(tensor)) for tensor in tensors]
            found.parameter_gradients = _parameter_gradients(layer, back)
        return found

    def format_of(self, held: Held) -> str:
        return str(held.tensors[0].dtype)

    def formats(self) -> dict[str, str]:
        """The formats of arrays, and those that layers compute in by a policy."""
        computed = {form: name for name, layer in self.of_name.items() if (form := str(layer.compute_dtype)) in NARROW}
        return super().formats() | computed or {self.model.compute_dtype: self.model.name}

    def is_frozen(self, held: Held) -> bool:
        return not all(tensor.trainable for tensor in held.tensors)

    def read(self, held: Held) -> Array:
        return held.to_one([_array(tensor.value) for tensor in held.tensors])

    def write(self, held: Held, values: Array) -> None:
        for tensor, part in zip(held.tensors, held.from_one(values), strict=True):
            tensor.assign(np.ascontiguousarray(part))

    def input_shapes(self) -> list[tuple[int | None, ...] | None]:
        try:
            shapes = self.model.input_shape
        except (AttributeError, ValueError):
            return []
        return [shapes] if isinstance(shapes, tuple) else list(shapes) if isinstance(shapes, list) else []


def kind() -> type:
    model: type = keras.Model
    return model


SIDE = KerasModel


def flat(tree: Any) -> list[Any]:
    """The leaves of a tuple, list or dictionary that are something, in order."""
    return [leaf for leaf in keras.tree.flatten(tree) if leaf is not None]


def tensors_in(tree: Any) -> list[Any]:
    return [leaf for leaf in keras.tree.flatten(tree) if keras.ops.is_tensor(leaf)]


def replaced(tree: Any, tensors: Sequence[Any]) -> Any:
    """The tree with these tensors in the place of its own."""
    given = iter(tensors)
    return keras.tree.map_structure(lambda leaf: next(given) if keras.ops.is_tensor(leaf) else leaf, tree)


def _array(tensor: Any) -> Array:
    array: Array = np.array(keras.ops.convert_to_numpy(tensor))
    return array.astype(np.float32) if array.dtype.name in NARROW else array


def _copied(leaf: Any) -> Any:
    return leaf if leaf is None else keras.ops.copy(leaf)


def _gradient(gradient: Any) -> Array | None:
    # What looks rows up has a gradient of rows alone, which this makes whole.
    return None if gradient is None else _array(keras.ops.convert_to_tensor(gradient))


def _variables(layer: Layer) -> list[Any]:
    """Returns what the layer's parameters are made of."""
    return [tensor.value for role, held in layer.held.items() if role not in STATE for tensor in held.tensors]


def _parameter_gradients(layer: Layer, found: Mapping[int, Array | None]) -> dict[str, Array]:
    """The gradients of a layer's parameters, by role, of those found by the variables' identities."""
    gradients: dict[str, Array] = {}
    for role, held in layer.held.items():
        known = [back for tensor in held.tensors if (back := found.get(id(tensor.value))) is not None]
        if role not in STATE and len(known) == len(held.tensors):
            gradients[role] = (held.of_gradients or held.to_one)(known)
    return gradients


def _is_floating(tensor: Any) -> bool:
    return "float" in str(tensor.dtype)


def _leaves(layer: Any) -> list[Any]:
    """Every layer that does the work itself, each once."""
    parts = [part for part in layer._flatten_layers(include_self=False, recursive=False) if part is not layer]
    if layer.__class__.__name__ in WHOLE or not parts:
        return [] if layer.__class__.__name__ in APART else [layer]
    return list({id(leaf): leaf for part in parts for leaf in _leaves(part)}.values())


def _inside_whole(model: Any, layer: Any) -> bool:
    """Tells whether the layer is a part of one whose parts are none to be compared."""
    wholes = [one for one in model._flatten_layers() if one.__class__.__name__ in WHOLE]
    return any(layer is part for whole in wholes for part in whole._flatten_layers(include_self=False))


def _one_after_another(parts: Sequence[Any]) -> Callable[..., Any]:
    """A call of layers, each of which is given what came out of the one before."""
    return lambda x, *args, **kwargs: functools.reduce(lambda given, part: part.call(given), parts, x)


def _entering(entered: list[Layer], layer: Layer, call: Callable[..., Any]) -> Callable[..., Any]:
    def enter(*args: Any, **kwargs: Any) -> Any:
        entered.append(layer)
        return call(*args, **kwargs)

    return enter
