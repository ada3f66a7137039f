"""What `parity compare` must know of a model, whatever it is written in: its layers, its weights, and how it runs."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numpynet import Array
from parity.comparison.layout import Flattened

STATE = ("running mean", "running variance")  # the roles of what is no parameter: it has no gradient
# The kinds of layers that another layer may apply in the end.
ACTIVATIONS = frozenset(
    (
        "relu",
        "relu6",
        "leaky relu",
        "gelu",
        "elu",
        "selu",
        "silu",
        "mish",
        "sigmoid",
        "tanh",
        "softplus",
        "hardswish",
        "hardsigmoid",
        "softmax",
        "log softmax",
    )
)


FUNCTION = "()"  # is in the name of a layer that stands for a call of a function, and in no other
PREPARING = ("rescaling", "normalization")  # the kinds of layers that prepare inputs
NOT_PREPARED = "none"  # the setting of preprocessing where inputs are taken as they are


NOTHING: Mapping[str, Array] = {}


def _alone(arrays: Sequence[Array]) -> Array:
    (array,) = arrays
    return array


def _in_one(array: Array) -> Sequence[Array]:
    return (array,)


@dataclass(frozen=True)
class Held:
    """One array of a layer, in torch's layout, and the tensors that hold it.

    names: what the framework calls the tensors
    to_one: makes the array of the tensors' values
    from_one: makes the tensors' values of the array
    of_gradients: makes the array's gradient of the tensors' gradients; without it, as `to_one`
    """

    names: tuple[str, ...]
    tensors: tuple[Any, ...]
    to_one: Callable[[Sequence[Array]], Array] = _alone
    from_one: Callable[[Array], Sequence[Array]] = _in_one
    of_gradients: Callable[[Sequence[Array]], Array] | None = None

    @property
    def name(self) -> str:
        return " + ".join(self.names)


@dataclass(frozen=True)
class Setting:
    """One of a layer's hyper-parameters, in torch's terms, with what it is called and how it is changed where it is.

    value: in torch's terms, so that two layers' are comparable
    written: makes the line of code that gives the layer a value, in the framework's own terms
    change: gives the layer a value, in torch's terms
    """

    value: Any
    written: Callable[[Any], str]
    change: Callable[[Any], None] | None = None


@dataclass(frozen=True)
class Layer:
    """One layer of a model.

    name: in the model
    title: the name of its class
    kind: what it is called in both frameworks: "linear", "convolution", ...; the class's own name where nobody knows it
    held: its arrays, by role: "weight", "bias", "running mean", ...
    settings: its hyper-parameters, by name
    activation: the kind of the activation that it applies in the end; empty where it applies none
    """

    name: str
    title: str
    kind: str
    held: Mapping[str, Held] = field(default_factory=dict)
    settings: Mapping[str, Setting] = field(default_factory=dict)
    activation: str = ""

    @property
    def is_function(self) -> bool:
        """Tells whether it stands for a function, which is called outside of any layer."""
        return FUNCTION in self.name

    @property
    def drops(self) -> bool:
        """Tells whether it drops at random."""
        rate = self.settings.get("rate")
        return rate is not None and bool(rate.value)


@dataclass
class Call:
    """One call of a layer in a forward pass.

    site: the layer's name, with the number of the call where there are several
    arguments: what it was called with, with empty tensors in place of its own, for `Model.apply`
    inputs: the arrays among these, in order
    outputs: the arrays that came out
    gradients: those that came back to the outputs; None for one that nothing came back to
    """

    site: str
    layer: Layer
    arguments: Any
    inputs: list[Array]
    outputs: list[Array]
    gradients: list[Array | None]


@dataclass
class Run:
    """The arrays that a model computed of its inputs; gradients are empty where no cotangents were given.

    entered: the layers in the order in which they were entered, with those that have parts and hold arrays themselves
    parameter_gradients, state: by the layer's name and the array's role
    turned: whether images lie otherwise in the model that this one is compared with
    """

    outputs: list[Array]
    calls: list[Call]
    entered: list[Layer]
    input_gradients: list[Array | None] = field(default_factory=list)
    parameter_gradients: dict[tuple[str, str], Array] = field(default_factory=dict)
    state: dict[tuple[str, str], Array] = field(default_factory=dict)
    turned: bool = False

    @property
    def order(self) -> list[Layer]:
        """The layers, each once, in the order in which they were entered."""
        return list({layer.name: layer for layer in self.entered}.values())

    @functools.cached_property
    def given(self) -> dict[str, Array]:
        """What each layer is given first in its first call, by the layer's name."""
        return {call.layer.name: call.inputs[0] for call in reversed(self.calls) if call.inputs}

    @property
    def unflattened(self) -> Flattened:
        """The shapes that one example has somewhere, before it may be flattened."""
        return Flattened(self._shapes, self.turned)

    @functools.cached_property
    def _shapes(self) -> list[tuple[int, ...]]:
        arrays = [array for call in self.calls for array in call.inputs + call.outputs if array.ndim > 2]
        return list(dict.fromkeys(array.shape[1:] for array in arrays))

    @functools.cached_property
    def _makers(self) -> dict[Bits, list[Call]]:
        """The calls, by the shape and the bits of what comes out first."""
        return _by_first(self.calls, lambda call: call.outputs)

    def making(self, taken: Array) -> list[Call]:
        """The calls whose first output is this array."""
        return self._makers.get(_bits(taken), [])

    @functools.cached_property
    def _takers(self) -> dict[Bits, list[Call]]:
        """The calls, by the shape and the bits of what goes in first."""
        return _by_first(self.calls, lambda call: call.inputs)

    def taking(self, handed: Array) -> list[Call]:
        """The calls whose first input is this array, or what a ReLU in place has left of it."""
        ways = [_bits(handed), *([_bits(np.maximum(handed, 0))] if handed.dtype.kind == "f" else [])]
        found = [call for way in dict.fromkeys(ways) for call in self._takers.get(way, [])]
        return list({id(call): call for call in found}.values())

    @functools.cached_property
    def parts(self) -> set[int]:
        """Which calls, by `id`, may be parts of an activation that is written out, as in `x * torch.sigmoid(x)`.

        They are of functions, and what these return goes into no layer as it is, nor out of the model.
        """
        parts: set[int] = set()
        handed_on = list(self.outputs)
        for call in reversed(self.calls):
            if call.layer.is_function and call.layer.kind in ACTIVATIONS:
                output = call.outputs[0].ravel()
                alike = (values.ravel() for values in handed_on if values.size == output.size)
                if not any(np.array_equal(values, output) for values in alike):
                    parts.add(id(call))
                    continue
            handed_on += call.inputs
        return parts


Bits = tuple[tuple[int, ...], bytes]  # the shape of an array, and a digest of what it holds


def _bits(values: Array) -> Bits:
    return values.shape, hashlib.blake2b(np.ascontiguousarray(values).tobytes(), digest_size=16).digest()


def _by_first(calls: Sequence[Call], arrays_of: Callable[[Call], Sequence[Array]]) -> dict[Bits, list[Call]]:
    """The calls by the first of the arrays that `arrays_of` names; those without any are left out."""
    found: dict[Bits, list[Call]] = {}
    for call in calls:
        for values in arrays_of(call)[:1]:
            found.setdefault(_bits(values), []).append(call)
    return found


@dataclass
class Applied:
    """The arrays that one layer computed by itself; there are no gradients where no cotangents were given.

    state: its running statistics after it, by role
    input_gradients: of each input, None where nothing came back to it
    parameter_gradients: by role
    """

    outputs: list[Array]
    state: dict[str, Array]
    input_gradients: list[Array | None] = field(default_factory=list)
    parameter_gradients: dict[str, Array] = field(default_factory=dict)


class Unfit(ValueError):
    """Raised where a model, a weight or an input does not allow a comparison; the message says what to do."""


class Model(ABC):
    """A model of some framework, as `parity compare` sees it.

    framework: the name of the framework
    layers: every layer that does the work itself, and every one that holds arrays itself, by name
    precedence: of two models, that of the higher is the reference; the first where they are equal
    unmodelled: the operations without a model of rounding that it met in another process
    untrained: why it cannot be run in training mode; empty where it can
    """

    framework: str
    layers: dict[str, Layer]
    precedence = 0
    unmodelled: frozenset[str] = frozenset()
    untrained = ""

    @abstractmethod
    def run(
        self,
        inputs: Sequence[Array],
        training: bool,
        cotangents: Sequence[Array] | None = None,
        kept: Mapping[str, Array] = NOTHING,
    ) -> Run:
        """Run the model; its weights and running statistics are as before afterwards.

        `kept` are masks, by the site of a call of a dropout layer: what is 1 in a mask is kept, and divided by the
        layer's own probability of that. Other dropout layers draw.
        """

    def masked(self, kept: Mapping[str, Array]) -> contextlib.AbstractContextManager[None]:
        """A context in which the model, called as its framework calls it, drops what these masks say."""
        raise NotImplementedError(f"models of {self.framework} are not called so")

    @abstractmethod
    def apply(
        self, call: Call, inputs: Sequence[Array], training: bool, cotangents: Sequence[Array | None] | None = None
    ) -> Applied:
        """Run the layer of `call` alone on other inputs, and back from what comes back to its outputs, if it is given.

        Its running statistics are as before afterwards.
        """

    @abstractmethod
    def read(self, held: Held) -> Array:
        """A copy of an array of the model's."""

    @abstractmethod
    def write(self, held: Held, values: Array) -> None:
        """Give an array of the model's these values."""

    @abstractmethod
    def format_of(self, held: Held) -> str:
        """The name of the number format that an array of the model's is in."""

    def formats(self) -> dict[str, str]:
        """The number formats that it computes in, each with the name of an array in it; none where it holds none."""
        held = [held for layer in self.layers.values() for held in layer.held.values()]
        return {self.format_of(one): one.name for one in reversed(held)}

    def compute_in(self, name: str) -> None:  # noqa: B027
        """Compute in the format of this name from now on, where nothing that the model holds says otherwise."""

    def judged_in(self, name: str) -> None:  # noqa: B027
        """Raise `Unfit` where nothing is known of it in the format of this name, which is judged."""

    def is_frozen(self, held: Held) -> bool:
        """Tells whether an array is left as it is in a training, so that it has no gradient there."""
        return False

    def input_shapes(self) -> list[tuple[int | None, ...] | None]:
        """The shapes of the inputs that it says it takes, None for what it leaves open; empty where it says none."""
        return []

    @abstractmethod
    def wide(self) -> Model:
        """The same model in float64, as it is now, on which rounding errors can be made."""

    def by_formulas(self, framework: str) -> Model | None:
        """The same model by the formulas of another framework that round worse; None where no layer has such a one."""
        return None

    def cotangents(self, outputs: Sequence[Array], training: bool, rng: np.random.Generator) -> list[Array]:
        """Returns what is sent back to these outputs so that gradients can be compared: drawn, or as recorded."""
        return [rng.standard_normal(output.shape) for output in outputs]

    def mask(self, call: Call, shape: Sequence[int], rng: np.random.Generator) -> Array:
        """The mask of a call of a dropout layer: drawn, or as it was recorded."""
        return (rng.random(shape) >= call.layer.settings["rate"].value).astype(np.float32)

    def untold(self) -> list[str]:
        """Sentences on what could not be told of it, though it was asked."""
        return []

    def weights(self) -> dict[str, Array]:
        """Copies of all arrays, by the framework's names."""
        return {held.name: self.read(held) for layer in self.layers.values() for held in layer.held.values()}

    @contextlib.contextmanager
    def left_as_it_was(self, layer: Layer | None = None) -> Iterator[None]:
        """A context after which the running statistics, of one layer or of all, are what they were."""
        kept = [
            (held, self.read(held))
            for one in ([layer] if layer else self.layers.values())
            for role, held in one.held.items()
            if role in STATE
        ]
        try:
            yield
        finally:
            for held, values in kept:
                self.write(held, values)

    def state(self) -> dict[tuple[str, str], Array]:
        """Copies of the running statistics, by the layer's name and their role."""
        return {
            (name, role): values for name, layer in self.layers.items() for role, values in self.state_of(layer).items()
        }

    def state_of(self, layer: Layer) -> dict[str, Array]:
        """Copies of a layer's running statistics, by their role."""
        return {role: self.read(held) for role, held in layer.held.items() if role in STATE}


class Sites:
    """Names the calls of layers, in the order in which they come."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def of_call(self, name: str) -> str:
        self.calls[name] += 1
        return name if self.calls[name] == 1 else f"{name} (call {self.calls[name]})"


def floats(arrays: Sequence[Array]) -> list[int]:
    """The places of the arrays of floating-point numbers, which have gradients and are judged."""
    return [place for place, array in enumerate(arrays) if np.asarray(array).dtype.kind == "f"]
