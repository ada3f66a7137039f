"""Pairs: what a numpynet class is called in each framework, and how instances of it are drawn."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from numpynet import SGD, Array, Criterion, Module, Optimizer
from numpynet.module import Parameter, each, join

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Layout = Callable[[Array], Array]
Shape = tuple[int, ...]


def _same_layout(values: Array) -> Array:
    return values


@dataclass(frozen=True)
class Tensor:
    """A framework's tensor that holds a numpynet array, in a layout of its own.

    `to_framework` takes an array in numpynet's layout and returns it in the tensor's; `to_numpynet` does the opposite.
    Without them the layouts are the same.
    """

    tensor: Any
    to_framework: Layout = _same_layout
    to_numpynet: Layout = _same_layout


def transposed(tensor: Any) -> Tensor:
    """A `Tensor` that holds the transpose of the numpynet matrix."""
    return Tensor(tensor, np.transpose, np.transpose)


class Counterpart:
    """A framework's layer, with the tensors that hold the numpynet module's arrays, and its parts if it has any.

    `Counterpart(layer, weight=layer.weight)` says that the layer's weight holds the array called "weight". A tensor in
    a layout of its own is given as a `Tensor`; None is left out. `parts` are the counterparts of the module's children,
    by name.
    """

    def __init__(self, layer: Any, *, parts: dict[str, Counterpart] | None = None, **tensors: Any) -> None:
        self.layer = layer
        self.parts = parts or {}
        self.own = {
            name: tensor if isinstance(tensor, Tensor) else Tensor(tensor)
            for name, tensor in tensors.items()
            if tensor is not None
        }

    def tensors(self, prefix: str = "") -> dict[str, Tensor]:
        """Every tensor of the layer and its parts, by the dotted numpynet name of its array, below `prefix`."""
        found = {join(prefix, name): tensor for name, tensor in self.own.items()}
        for name, part in self.parts.items():
            found |= part.tensors(join(prefix, name))
        return found

    def leaves(self, prefix: str = "") -> dict[str, Any]:
        """Every layer without parts, by the dotted numpynet name of its module, below `prefix`."""
        if not self.parts:
            return {prefix: self.layer}
        found: dict[str, Any] = {}
        for name, part in self.parts.items():
            found |= part.leaves(join(prefix, name))
        return found


class Pair:
    """Base of the pairs: how one numpynet class maps on each framework. A subclass states a mapping and nothing else.

    `modules` is a Hypothesis strategy of instances; `shapes` draws an input shape for one, or a tuple of shapes where
    it takes several inputs; `values` draws an input. `torch` and `tensorflow` return the framework's layer, or a
    `Counterpart` where it holds arrays. Where a framework computes the same function by a formula that rounds worse,
    `formulas` names, by framework, a subclass of the class that computes so. `optimizers` are those that instances with
    parameters are trained by. `module_class` is set by `pair`.
    """

    formulas: ClassVar[dict[str, type]] = {}
    optimizers: tuple[type[Optimizer], ...] = (SGD,)

    modules: SearchStrategy[Any]
    module_class: type

    def shapes(self, module: Any) -> SearchStrategy[Any]:
        """A strategy of input shapes (N, ...) that `module` takes, or of tuples of them for several inputs."""
        from parity.strategies import shapes

        return shapes()

    def values(self, module: Any, shape: Shape, dtype: np.dtype[Any]) -> SearchStrategy[Array]:
        """A strategy of inputs of this shape and dtype."""
        from parity.strategies import arrays

        return arrays(shape, dtype)

    def torch(self, module: Any) -> Any:
        """The PyTorch counterpart of `module`, without its weights; raises NotImplementedError where there is none."""
        raise NotImplementedError(f"{type(self).__name__} has no PyTorch counterpart")

    def tensorflow(self, module: Any) -> Any:
        """The Keras counterpart of `module`, without its weights; raises NotImplementedError where there is none."""
        raise NotImplementedError(f"{type(self).__name__} has no TensorFlow counterpart")


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
    importlib.import_module("parity.pairs")
    return _registry


def pair_of(module: Any) -> Pair:
    """The pair of a module or class, or of its nearest base class; LookupError, naming the remedy, if it has none."""
    module_class = module if isinstance(module, type) else type(module)
    pairs = registry()
    for base in module_class.__mro__:
        if base in pairs:
            return pairs[base]
    raise LookupError(f"{module_class.__name__} has no pair: register one with @parity.pair({module_class.__name__})")


def counterpart(module: Any, framework: str) -> Counterpart:
    """The framework's counterpart of `module`, without its weights; `parity.frameworks` gives it these."""
    built = getattr(pair_of(module), framework)(module)
    return built if isinstance(built, Counterpart) else Counterpart(built)


def dtype_of(module: Module) -> np.dtype[Any]:
    """The dtype of the module's arrays; float32 where it has none."""
    return next(iter(module.state_dict().values()), np.empty(0, np.float32)).dtype


@dataclass(frozen=True)
class Step:
    """One step of a case: the input, the cotangent, the learning rate, and whether gradients start anew.

    The cotangent is the gradient for the output, of the output's shape. Input and cotangent are arrays (N, ...) of one
    floating dtype, or tuples of them where the module takes or returns several. They are held read-only: a layer that
    writes into them is found out.
    """

    input: Any
    cotangent: Any
    lr: float = 0.125
    zero_grad: bool = True

    def __post_init__(self) -> None:
        for name in ("input", "cotangent"):
            object.__setattr__(self, name, each(_read_only, getattr(self, name)))


def _read_only(values: Array) -> Array:
    view = values.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True)
class Case:
    """One example of the ladder: a module with its weights, what is fed to it, and how it is trained.

    `training` is the module's mode. `arguments` are those of `optimizer` but the learning rate, which each step has;
    None leaves the parameters alone. Parameters named in `frozen` are not trained.
    """

    module: Module
    steps: list[Step]
    training: bool = True
    arguments: dict[str, Any] | None = None
    frozen: frozenset[str] = field(default_factory=frozenset)
    optimizer: type[Optimizer] = SGD

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the inputs, in which every implementation computes."""
        return first(self.steps[0].input).dtype

    def astype(self, dtype: np.dtype[Any]) -> Case:
        """The same case with its inputs, cotangents and weights cast to another format."""

        def cast(values: Array) -> Array:
            return values.astype(dtype)

        steps = [replace(s, input=each(cast, s.input), cotangent=each(cast, s.cotangent)) for s in self.steps]
        return replace(self, module=self.module.astype(dtype), steps=steps)

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

    def as_computed_by(self, framework: str) -> Case | None:
        """The same case by the framework's own formulas, in NumPy; None where these are numpynet's."""
        module = copy.deepcopy(self.module)
        parts = [part for _, part in module.named_modules()]
        criteria = [value for part in parts for value in vars(part).values() if isinstance(value, Criterion)]
        formulas = [(part, _formula(part, framework)) for part in [*parts, *criteria]]
        rule = None if self.arguments is None else _formula(self.optimizer, framework)
        if not rule and not any(formula for _, formula in formulas):
            return None
        for part, formula in formulas:
            part.__class__ = formula or type(part)
        return replace(self, module=module, optimizer=rule or self.optimizer)


def first(values: Any) -> Array:
    """The array itself, or the first array of a tuple."""
    return first(values[0]) if isinstance(values, tuple) else values


def _formula(computed: Any, framework: str) -> Any:
    """The class that computes what a module or optimizer does by the framework's formula; None where there is none."""
    return pair_of(computed).formulas.get(framework)
