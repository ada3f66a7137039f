"""The building blocks: parameters, and functions that know their own derivative and may be put one after another."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]
Self = TypeVar("Self", bound="Module")
Output = TypeVar("Output")


class Parameter:
    """A trainable array and the gradient accumulated for it, of the same shape and dtype.

    `trainable=False` freezes it: gradients are still accumulated, and optimizers leave the value alone.
    """

    def __init__(self, value: Array, trainable: bool = True) -> None:
        self.value = value
        self.trainable = trainable
        self._grad: Array | None = None
        self._scratch: Array | None = None
        self._is_zero = True

    @property
    def grad(self) -> Array:
        """The gradient accumulated since `zero_grad`, of the value's shape and dtype; zeros where there was none."""
        if self._grad is None:
            self._grad = np.zeros_like(self.value)
        elif self._is_zero:
            self._grad.fill(0)
        self._is_zero = False
        return self._grad

    @grad.setter
    def grad(self, grad: Array) -> None:
        self._grad = grad
        self._is_zero = False

    @property
    def scratch(self) -> Array:
        """An array of the value's shape and dtype to compute in; making a new one costs more than the arithmetic."""
        if self._scratch is None:
            self._scratch = np.empty_like(self.value)
        return self._scratch

    def zero_grad(self) -> None:
        """Forget the accumulated gradient: the next one replaces it."""
        self._is_zero = True

    def accumulate(self, write: Callable[[Array], object]) -> None:
        """Add the gradient that `write(out)` stores in `out`, an array of the value's shape and dtype.

        The first one after `zero_grad` is written straight into `grad`: no zeros, no addition, no new array.
        """
        if self._is_zero:
            if self._grad is None:
                self._grad = np.empty_like(self.value)
            write(self._grad)
            self._is_zero = False
        else:
            write(self.scratch)
            self.grad += self.scratch

    def map(self, convert: Callable[[Array], Array]) -> None:
        """Replace the value by `convert(value)` and forget the gradient."""
        self.value = convert(self.value)
        self._grad = self._scratch = None
        self._is_zero = True

    def __repr__(self) -> str:
        return f"Parameter(shape={self.value.shape}, dtype={self.value.dtype})"


class Module:
    """Base of every layer.

    A subclass keeps its configuration in attributes named like its constructor's arguments, its parameters in
    `Parameter` attributes, its children in `Module` attributes, and names any further state (running statistics) in
    `buffers`. It defines `forward`, which ends in `remember`, and `backward`, which begins with `recall`. Nothing else
    is needed: parameters, `state_dict`, `astype` and `repr` follow from the attributes. Whatever else a layer keeps
    from forward to backward has a name that begins with an underscore: a `Graph` holds those attributes apart for each
    place.
    """

    buffers: ClassVar[tuple[str, ...]] = ()
    training: bool = True
    _memory: tuple[Any, tuple[Any, ...]] | None = None

    def forward(self, input: Any) -> Any:
        """The output for `input`, which is never modified; raises ValueError for an input that does not fit.

        Either is an array, or a tuple of arrays, nested ones too, where the layer takes or returns several.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no forward")

    def backward(self, grad_output: Any) -> Any:
        """The gradient for the last input, of its shape, given that for the output; parameter gradients accumulate.

        It is None for an input of integers or booleans, which has none. Raises RuntimeError before the first forward,
        ValueError where `grad_output` is no array of the output's shape.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no backward")

    def accumulate(self, grad_output: Any) -> None:
        """Accumulate the parameter gradients alone: `backward` for when nobody needs the input's gradient."""
        self.backward(grad_output)

    def __call__(self, input: Any) -> Any:
        return self.forward(input)

    # What forward leaves for backward

    def remember(self, output: Output, *values: Any) -> Output:
        """Keep `values` for `backward`, and the output's shape to check the gradient against; returns `output`."""
        self._memory = (_shape(output), values)
        return output

    def recall(self, grad_output: Any) -> tuple[Any, ...]:
        """The values that `forward` gave to `remember`.

        Raises RuntimeError before the first forward, ValueError where `grad_output` is no array of the output's shape.
        """
        if self._memory is None:
            raise RuntimeError(f"{self!r}: backward before forward")
        shape, values = self._memory
        if (found := _shape(grad_output)) != shape:
            got = f"{type(grad_output).__name__} of shape {np.shape(grad_output) if found is None else found}"
            raise ValueError(f"{self!r}: the gradient is an array of the output's shape {shape}, got {got}")
        return values

    def floating(self, input: Array) -> Array:
        """`input` as an array; raises ValueError where it is not of a floating dtype."""
        array = np.asanyarray(input)
        if array.dtype.kind != "f":
            raise ValueError(f"{self!r} takes a floating array, got {array.dtype} of shape {array.shape}")
        return array

    # Structure

    def children(self) -> dict[str, Module]:
        """The direct submodules, by name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Module)}

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Yields this module, named `prefix`, and every module below with its dotted name, parents before children."""
        yield prefix, self
        for name, child in self.children().items():
            yield from child.named_modules(join(prefix, name))

    def named_call_sites(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Yields every module without children and its dotted name, in the order of the calls.

        A module that is called at several places comes once for each of them, under the name of the place.
        """
        if not self.children():
            yield prefix, self
        for name, child in self.children().items():
            yield from child.named_call_sites(join(prefix, name))

    def named_parameters(self) -> dict[str, Parameter]:
        """Every parameter of this module and those below, by dotted name; one that is shared appears once."""
        named: dict[str, Parameter] = {}
        for prefix, module in self.named_modules():
            for name, value in vars(module).items():
                if isinstance(value, Parameter) and value not in named.values():
                    named[join(prefix, name)] = value
        return named

    def parameters(self) -> list[Parameter]:
        """The list of every parameter of this module and those below, each once."""
        return list(self.named_parameters().values())

    def named_buffers(self) -> dict[str, Array]:
        """Every array of state that is not trained (running statistics), by dotted name."""
        return {
            join(prefix, name): getattr(module, name)
            for prefix, module in self.named_modules()
            for name in module.buffers
        }

    def zero_grad(self) -> None:
        """Forget the accumulated gradient of every parameter."""
        for parameter in self.parameters():
            parameter.zero_grad()

    def train(self: Self, mode: bool = True) -> Self:
        """Put this module and all below in training mode, with `mode=False` in evaluation mode; returns this module."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def evaluate(self: Self) -> Self:
        """Put this module and all below in evaluation mode; returns this module."""
        return self.train(False)

    # State

    def state_dict(self) -> dict[str, Array]:
        """Copies of all parameters and running statistics, by dotted name."""
        values = {name: parameter.value for name, parameter in self.named_parameters().items()}
        return {name: value.copy() for name, value in (values | self.named_buffers()).items()}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Copy the arrays of `state` into the parameters and running statistics of these names, cast to their dtypes.

        Raises ValueError for an array that is missing, unknown or of another shape; nothing has changed then.
        """
        current = self.state_dict()
        if problems := sorted(current.keys() ^ state.keys()):
            raise ValueError(f"{type(self).__name__}: missing or unknown in the state: {', '.join(problems)}")
        for name, old in current.items():
            if np.shape(state[name]) != old.shape:
                raise ValueError(f"{name} has shape {old.shape}, the state brings {np.shape(state[name])}")
        self.map_state(lambda name, old: np.array(state[name], dtype=old.dtype))

    def map_state(self, convert: Callable[[str, Array], Array]) -> None:
        """Replace every parameter and running statistic by `convert(name, array)`."""
        for name, parameter in self.named_parameters().items():
            parameter.map(lambda value, name=name: convert(name, value))  # type: ignore[misc]
        for prefix, module in self.named_modules():
            for name in module.buffers:
                setattr(module, name, convert(join(prefix, name), getattr(module, name)))

    def astype(self: Self, dtype: DTypeLike) -> Self:
        """A copy whose parameters and running statistics have `dtype`."""
        twin = copy.deepcopy(self)
        twin.map_state(lambda _, value: value.astype(dtype))
        return twin

    # Configuration

    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments that describe this module, by name; `rng` is none of them."""
        names = [name for name in constructor(type(self)) if hasattr(self, name)]
        return {name: getattr(self, name) for name in names if name != "rng"}

    def __repr__(self) -> str:
        return described(self, self.arguments())


def _shape(value: Any) -> Any:
    """The shape of an array; of a tuple, the list of the shapes of its parts; None of anything else."""
    return list(map(_shape, value)) if isinstance(value, tuple) else getattr(value, "shape", None)


def each(function: Callable[[Any], Any], value: Any) -> Any:
    """`function` of `value`; of a tuple, the tuple of what `each` returns for its parts."""
    return tuple(each(function, part) for part in value) if isinstance(value, tuple) else function(value)


def is_integer(value: Any, least: int) -> bool:
    """Tells whether `value` is an integer, of Python or of NumPy, of at least `least`."""
    return isinstance(value, int | np.integer) and bool(value >= least)


def integer(layer: str, name: str, value: int, least: int = 1) -> int:
    """`value` itself; raises ValueError, naming layer and argument, unless it is an integer of at least `least`."""
    if not is_integer(value, least):
        raise ValueError(f"{layer}: {name} is an integer of at least {least}, got {value!r}")
    return int(value)


def join(prefix: str, name: str) -> str:
    """`name` below `prefix`: the two with a dot between, or `name` alone where the prefix is empty."""
    return f"{prefix}.{name}" if prefix else name


def _constructor(configured: type) -> Mapping[str, inspect.Parameter]:
    """The arguments of a class's constructor, by name."""
    return inspect.signature(configured).parameters


constructor: Callable[[type], Mapping[str, inspect.Parameter]] = functools.cache(_constructor)


def described(configured: Any, arguments: Mapping[str, Any], named: bool = False) -> str:
    """The constructor's call that makes `configured`, as its `repr`; of `arguments`, those that are not the defaults.

    Required ones are written by their place or, if `named`, with their name.
    """
    shown = []
    for name, argument in constructor(type(configured)).items():
        if name in arguments and not _same(arguments[name], argument.default):
            by_place = argument.default is inspect.Parameter.empty and not named
            shown.append(repr(arguments[name]) if by_place else f"{name}={arguments[name]!r}")
    return f"{type(configured).__name__}({', '.join(shown)})"


def _same(value: Any, default: Any) -> bool:
    if isinstance(default, type) and issubclass(default, np.generic):
        return np.dtype(value) == np.dtype(default)
    return type(value) is type(default) and bool(value == default)
