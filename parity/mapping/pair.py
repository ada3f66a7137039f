"""Pairs: what a numpynet class is called in each framework, and how instances of it are drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from numpynet import SGD, Array, Criterion, Linear, Module, Optimizer, Scaling
from parity.case import Case, Shape, computing, recast
from parity.drawing import strategies
from parity.drawing.tails import rarely
from parity.frameworks import Framework, framework
from parity.frameworks.counterpart import Counterpart
from parity.frameworks.framework import LossFunction, OptimizerTranslation
from parity.mapping.loss import Loss


class Pair:
    """Base of the pairs: how one numpynet class maps on each framework. A subclass states a mapping and nothing else.

    What it is called in a framework is said by a method that is called as the framework is: see `LayerPair`, `LossPair`
    and `OptimizerPair`. A pair without the method has no counterpart there. `modules` is a Hypothesis strategy of
    instances; `shapes` draws an input shape for one, or a tuple of shapes where it takes several inputs; `values` draws
    an input. Where a framework computes the same function by a formula that rounds worse, `formulas` names, by
    framework, a subclass of the class that computes so. `optimizers` are those that instances with parameters are
    trained by; parameters named in `packed` share a tensor in some framework, and are not frozen alone. `module_class`
    is set by `pair`.
    """

    formulas: ClassVar[dict[str, type]] = {}
    packed: ClassVar[frozenset[str]] = frozenset()
    optimizers: tuple[type[Optimizer], ...] = (SGD,)

    modules: SearchStrategy[Any]
    module_class: type

    def shapes(self, module: Any) -> SearchStrategy[Any]:
        """A strategy of input shapes (N, ...) that `module` takes, or of tuples of them for several inputs."""
        return strategies.shapes()

    def values(self, module: Any, shape: Shape, dtype: np.dtype[Any]) -> SearchStrategy[Array]:
        """A strategy of inputs of this shape and dtype."""
        return strategies.arrays(shape, dtype)

    def inputs(self, module: Any, shape: Any, dtype: np.dtype[Any]) -> SearchStrategy[Any]:
        """A strategy of whole inputs for a drawn shape: an array, or a tuple of arrays where the module takes several.

        A layer of indices or with a mask draws them here; arrays of integers and booleans have no gradient.
        """
        return strategies.of_each_shape(lambda one: self.values(module, one, dtype), shape)


class LayerPair(Pair):
    """Base of the pairs of layers.

    Its methods `torch`, `tensorflow`, ... take a module, and return the framework's layer or, where that holds arrays,
    a `Counterpart`. Neither has the module's weights yet.
    """


class AnyShapePair(LayerPair):
    """Base of the pairs of layers that take inputs of any shape, of one axis too."""

    def shapes(self, module: Any) -> SearchStrategy[Any]:
        return strategies.any_shapes()


class LossPair(Pair):
    """Base of the pairs of criteria. `modules` draws `Loss`, a criterion with its target.

    Its methods `torch`, `tensorflow`, ... take a criterion, and return the framework's function of (input, target),
    which returns a scalar.
    """

    def shapes(self, module: Loss) -> SearchStrategy[Any]:
        return st.just(module.target.shape)


class OptimizerPair(Pair):
    """Base of the pairs of optimizers, which are proven on Scaling, whose parameter gradients are the simplest.

    Now and then it is Linear, whose parameters are a matrix and a vector. Every layer with parameters is trained by
    them, too. `arguments` draws all but the learning rate. `slots` says, by framework, what it calls our slots, and
    `rate_inside` which of them hold the learning rate there, with that sign. `decoupled` weight decay is no L2 penalty.
    The method `torch` takes a rule of ours and the parameters, and returns torch's optimizer of them; `tensorflow`
    takes the rule, and returns Keras' optimizer.
    """

    arguments: SearchStrategy[dict[str, Any]]
    slots: ClassVar[dict[str, dict[str, str]]] = {}
    rate_inside: ClassVar[dict[str, dict[str, int]]] = {}
    decoupled: ClassVar[bool] = False

    modules = rarely(
        "matrix",
        st.builds(Scaling, strategies.sizes),
        st.builds(Linear, strategies.sizes, st.integers(1, 8), st.booleans()),
    )

    @property
    def optimizers(self) -> tuple[type[Optimizer], ...]:  # type: ignore[override]
        return (self.module_class,)

    def shapes(self, module: Module) -> SearchStrategy[Any]:
        return pair_of(module).shapes(module)


_registry: dict[type, Pair] = {}
P = TypeVar("P", bound=type[Pair])


def pair(module_class: type) -> Callable[[P], P]:
    """A decorator that registers a `Pair` for `module_class` and for its subclasses, unless they have their own."""

    def register(pair_class: P) -> P:
        instance = pair_class()
        instance.module_class = module_class
        _registry[module_class] = instance
        return pair_class

    return register


def registry() -> dict[type, Pair]:
    """Every registered pair, by its numpynet class."""
    return _registry


def pair_or_none(module: Any) -> Pair | None:
    """The pair of a module or class, or of its nearest base class; None where it has none."""
    module_class = module if isinstance(module, type) else type(module)
    return next((_registry[base] for base in module_class.__mro__ if base in _registry), None)


def pair_of(module: Any) -> Pair:
    """The pair of a module or class, or of its nearest base class; LookupError, naming the remedy, if it has none."""
    if (found := pair_or_none(module)) is not None:
        return found
    name = (module if isinstance(module, type) else type(module)).__name__
    raise LookupError(f"{name} has no pair: register one with @parity.pair({name})")


def optimizer_pair(rule: Any) -> OptimizerPair:
    """The pair of an optimizer, or of a class of optimizers; LookupError if it has none."""
    found = pair_of(rule)
    if not isinstance(found, OptimizerPair):
        raise LookupError(f"{type(found).__name__} is no parity.OptimizerPair")
    return found


def maps(target: type, name: str) -> bool:
    """Tells whether the pair of `target`, a class, has a counterpart in the framework called `name`."""
    return hasattr(pair_of(target), name)


def _called(computed: Any, name: str) -> Callable[..., Any]:
    """The method of the pair of a module, criterion or optimizer that says what it is called in a framework."""
    found = pair_of(computed)
    if not hasattr(found, name):
        raise NotImplementedError(f"{type(found).__name__} has no {framework(name).title} counterpart")
    method: Callable[..., Any] = getattr(found, name)
    return method


def counterpart(module: Module, name: str) -> Counterpart:
    """The counterpart of `module` in the framework called `name`, without its weights.

    Raises LookupError for a module without a pair and for an array that no tensor holds, NotImplementedError where the
    pair has no such counterpart.
    """
    if isinstance(module, Loss):
        return Counterpart(
            framework(name).with_target(_called(module.criterion, name)(module.criterion), module.target)
        )
    built = _called(module, name)(module)
    built = built if isinstance(built, Counterpart) else Counterpart(built)
    for array in {**module.named_parameters(), **module.named_buffers()}.keys() - built.tensors().keys():
        whose = f"{framework(name).title}'s counterpart of {type(module).__name__}"
        raise LookupError(f"{whose} names no tensor that holds {array!r}, as Counterpart(layer, {array}=...) does")
    return built


class PairsOf:
    """The pairs' words on one framework, as its folder asks for them (`parity.frameworks.framework.Translation`)."""

    def __init__(self, home: Framework) -> None:
        self.name = home.name

    def counterpart(self, module: Module) -> Counterpart:
        return counterpart(module, self.name)

    def loss(self, criterion: Criterion) -> LossFunction:
        function: LossFunction = _called(criterion, self.name)(criterion)
        return function

    def optimizer(self, rule: Optimizer) -> OptimizerTranslation:
        _called(rule, self.name)
        return optimizer_pair(rule)


def pairs_of(name: str) -> PairsOf:
    """Returns what the pairs say of the framework called `name`."""
    return PairsOf(framework(name))


def computed_by(case: Case, name: str) -> Case | None:
    """The same case by the framework's own formulas, in NumPy; None where these are numpynet's."""
    held = computing(case.module)
    rule = None if case.arguments is None else _formula(case.optimizer, name)
    if not rule and not any(_formula(part, name) for part in held):
        return None
    module = recast(case.module, held, lambda part: _formula(part, name))
    return replace(case, module=module, optimizer=rule or case.optimizer)


def _formula(computed: Any, name: str) -> Any:
    """The class that computes what a module or optimizer does by the framework's formula; None where there is none."""
    return None if isinstance(computed, Loss) else pair_of(computed).formulas.get(name)
