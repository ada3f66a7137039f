"""One example of the ladder: a module with its weights, what is fed to it, and how it is trained."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from numpynet import SGD, Array, Criterion, Module, Optimizer
from numpynet.module import Parameter, each
from parity.layout import as_in, step_of

Shape = tuple[int, ...]
T = TypeVar("T")
APART = 0.25  # of the learning rate: a power of two, by which Keras' velocities are rescaled exactly


def dtype_of(module: Module) -> np.dtype[Any]:
    """The dtype of the module's arrays; float32 where it has none."""
    return next(iter(module.state_dict().values()), np.empty(0, np.float32)).dtype


@dataclass(frozen=True)
class Step:
    """One step of a case: the input, the cotangent, the learning rate, and whether gradients start anew.

    The cotangent is the gradient for the output, of the output's shape. Input and cotangent are arrays (N, ...) of one
    floating dtype, or tuples of them, nested ones too, where the module takes or returns several; inputs of integers or
    booleans (indices, masks) have no gradient. They are held read-only: a layer that writes into them is found out.

    training: the module's mode in this step; None is the case's
    rehearsal: another input that the module is applied to before; what comes of it is not looked at
    backwards: how many backward passes, each with this cotangent, follow the forward pass; their gradients add up
    """

    input: Any
    cotangent: Any
    lr: float = 0.125
    zero_grad: bool = True
    training: bool | None = None
    rehearsal: Any = None
    backwards: int = 1

    def __post_init__(self) -> None:
        for name in ("input", "cotangent", "rehearsal"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, each(_read_only, getattr(self, name)))

    def map(self, change: Callable[[Array], Array]) -> Step:
        """The same step with `change` of each of its arrays, with gaps in memory where these have gaps."""

        def changed(values: Array) -> Array:
            return as_in(change(values), values) if step_of(values) != 1 else change(values)

        input, cotangent = each(changed, self.input), each(changed, self.cotangent)
        rehearsal = None if self.rehearsal is None else each(changed, self.rehearsal)
        return replace(self, input=input, cotangent=cotangent, rehearsal=rehearsal)


def _read_only(values: Array) -> Array:
    view = values.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, repr=False)
class Case:
    """One example of the ladder: a module with its weights, what is fed to it, and how it is trained.

    `training` is the module's mode. `arguments` are those of `optimizer` but the learning rate, which each step has;
    None leaves the parameters alone. Parameters named in `frozen` are not trained. `beside` says that another instance
    of the module is applied to other inputs between each forward and backward pass of this one. Parameters named in
    `apart` are moved by an optimizer of their own, at a quarter of the learning rate: numpynet's have no groups.
    """

    module: Module
    steps: list[Step]
    training: bool = True
    arguments: dict[str, Any] | None = None
    frozen: frozenset[str] = field(default_factory=frozenset)
    optimizer: type[Optimizer] = SGD
    beside: bool = False
    apart: frozenset[str] = field(default_factory=frozenset)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype in which every implementation computes: of the floating inputs, else of the module."""
        for step in self.steps:
            for values in parts(step.input):
                if values.dtype.kind == "f":
                    return values.dtype
        return dtype_of(self.module)

    def astype(self, dtype: np.dtype[Any]) -> Case:
        """The same case with its inputs, cotangents and weights cast to another format."""

        def cast(values: Array) -> Array:
            return values.astype(dtype) if values.dtype.kind == "f" else values

        return replace(self, module=self.module.astype(dtype), steps=[step.map(cast) for step in self.steps])

    def __repr__(self) -> str:
        # All its numbers are in the script of a failure; Hypothesis has no use for them, and warns of so many.
        return f"Case({self.module!r}, {len(self.steps)} steps)"

    def _repr_pretty_(self, printer: Any, _: bool) -> None:  # by which Hypothesis prints, and notebooks
        printer.text(repr(self))

    def mode(self, step: Step) -> bool:
        """The module's mode in a step: whether it is in training."""
        return self.training if step.training is None else step.training

    def with_module(self, module: Module) -> Case:
        """The same case with another module in place of its own."""
        return replace(self, module=module)

    def fresh(self) -> Module:
        """A copy of the module in the case's mode, with its frozen parameters marked."""
        module = copy.deepcopy(self.module).train(self.training)
        for name, parameter in module.named_parameters().items():
            parameter.trainable = name not in self.frozen
        return module

    def rule(self, parameters: Iterable[Parameter] = (), lr: float = 1.0) -> Optimizer | None:
        """An optimizer of these parameters with the case's arguments; None where it leaves the parameters alone."""
        return None if self.arguments is None else self.optimizer(parameters, lr, **self.arguments)

    def groups(self, names: Iterable[str]) -> list[tuple[list[str], float]]:
        """Returns those of these parameters that each optimizer moves, and its share of the learning rate."""
        apart, others = ([name for name in names if (name in self.apart) == own] for own in (True, False))
        return [(group, share) for group, share in ((others, 1.0), (apart, APART)) if group]


def recast(value: T, held: Iterable[Any], to: Callable[[Any], type | None]) -> T:
    """A copy of `value` in which each object of `held` is of the class that `to` names for it.

    They keep their attributes; where `to` returns None they keep their class, too. The copy is one: what `value` holds
    twice is still one object in it.
    """
    memo: dict[int, Any] = {}  # deepcopy puts what stands here in the place of what has that id
    shells = []
    for part in held:
        if (chosen := to(part)) is not None:
            shell: Any = object.__new__(chosen)
            memo[id(part)] = shell
            shells.append((part, shell))
    for part, shell in shells:
        vars(shell).update({name: copy.deepcopy(inside, memo) for name, inside in vars(part).items()})
    return copy.deepcopy(value, memo)


def computing(module: Module) -> list[Any]:
    """Every part of the module, itself included, and every criterion that a part holds."""
    modules = [part for _, part in module.named_modules()]
    return modules + [value for part in modules for value in vars(part).values() if isinstance(value, Criterion)]


def parts(values: Any) -> list[Any]:
    """The arrays, or tensors, of a nested tuple, one after another; of an array, itself alone."""
    return [part for value in values for part in parts(value)] if isinstance(values, tuple) else [values]
