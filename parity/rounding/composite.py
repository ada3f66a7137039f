"""Arrays whose every element is several numbers, which a layer takes for arrays of one number each.

The shape is the one that the layer expects, and `dtype` says what the layer computes in. Whatever NumPy function it
calls ends in a hook of the class, which says what the function makes of the numbers. They lie side by side in memory,
as one element of a structured dtype. So a view of such an array is a view of all of them, whoever made it, and what is
written into it, by whatever means, is written with all of them. And none can be lost unnoticed: where an array leaves
the class (`np.asarray`) or is written into one that is not of it, NumPy meets elements that are no numbers, and raises
TypeError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from numpynet import Array

Rule = Callable[..., Any]  # what a function makes of an array, which comes first: (array, function, *arguments)


class Composite(np.ndarray[Any, np.dtype[Any]]):
    """Base of these arrays: whatever only moves elements, or selects them by their place, is the same for all.

    A subclass says which `rules` it has of its own, what is `unsupported`, how other values are `lifted` to its
    elements, and what a ufunc computes. What its elements have besides a value is `carried`.
    """

    carried: str
    rules: ClassVar[Mapping[Any, Rule]] = {}  # by function, before those that are the same for all
    __array_priority__ = 100.0

    @property
    def element(self) -> np.dtype[Any]:
        """The structured dtype of the elements, as NumPy sees them."""
        return np.ndarray.dtype.__get__(self)

    @property
    def one(self) -> Array:
        """One of the numbers of each element, as a view."""
        raise NotImplementedError

    def lifted(self, value: Any) -> Composite:
        """`value` itself where it is of this class, else a new array of the class with the same elements as this one.

        There, every number of an element is the one of `value`, or what stands for a constant.
        """
        raise NotImplementedError

    @staticmethod
    def unsupported(what: str, instead: str) -> TypeError:
        """The error that says that `what` cannot be followed, and what to write `instead`."""
        raise NotImplementedError

    def of_elements(self, made: Any) -> Any:
        """Returns what NumPy made of elements as an array of this class, one element too; anything else as it is."""
        dtype, element = getattr(made, "dtype", None), self.element
        if dtype is not element and dtype != element:
            return made
        return np.asarray(made, element).view(type(self))

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if (rule := self.rules.get(func) or RULES.get(func)) is None:
            module = getattr(func, "__module__", None) or "numpy"
            where = module if module.startswith(("numpy.linalg", "numpy.fft")) else "numpy"
            raise self.unsupported(f"{where}.{func.__name__}", "write it with ufuncs, sums, matmul or indexing")
        return rule(self, func, *args, **kwargs)

    # Access

    def __getitem__(self, index: Any) -> Any:
        return self.of_elements(elements(self)[index])

    def __setitem__(self, index: Any, value: Any) -> None:
        elements(self)[index] = elements(self.lifted(value))

    def fill(self, value: Any) -> None:
        self[...] = value

    def view(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs or any(not (isinstance(kind, type) and issubclass(kind, np.ndarray)) for kind in args):
            raise self.unsupported("ndarray.view of another dtype", "use astype")
        return super().view(*args)

    # NumPy compares arrays of a structured dtype without asking the hooks.
    def __eq__(self, other: Any) -> Any:
        return np.equal(self, other)

    def __ne__(self, other: Any) -> Any:
        return np.not_equal(self, other)

    __hash__ = None

    def __bool__(self) -> bool:
        return bool(self != 0)

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __str__(self) -> str:
        return repr(self)

    # Methods that NumPy computes by itself

    def take(self, *args: Any, **kwargs: Any) -> Any:
        return np.take(self, *args, **kwargs)

    def dot(self, other: Any, out: Any = None) -> Any:
        return np.dot(self, other, out) if out is not None else np.dot(self, other)

    def cumsum(self, *args: Any, **kwargs: Any) -> Any:
        return np.cumsum(self, *args, **kwargs)

    def trace(self, *args: Any, **kwargs: Any) -> Any:
        return np.trace(self, *args, **kwargs)

    def argmax(self, axis: Any = None, out: Any = None, *, keepdims: bool = False) -> Any:
        return np.argmax(self, axis, out, keepdims=keepdims)

    def argmin(self, axis: Any = None, out: Any = None, *, keepdims: bool = False) -> Any:
        return np.argmin(self, axis, out, keepdims=keepdims)

    def argsort(self, axis: Any = -1, *args: Any, **kwargs: Any) -> Any:
        return np.argsort(self, axis)

    def sort(self, axis: Any = -1, *args: Any, **kwargs: Any) -> None:
        self[...] = np.sort(self, axis)

    def nonzero(self) -> Any:
        return np.nonzero(self)

    def round(self, decimals: Any = 0, out: Any = None) -> Any:
        return np.round(self, decimals, out)

    def put(self, *args: Any, **kwargs: Any) -> None:
        np.put(self, *args, **kwargs)

    def conj(self) -> Any:
        return self

    conjugate = conj


def _forbidden(name: str, instead: str) -> Any:
    def method(self: Composite, *args: Any, **kwargs: Any) -> Any:
        raise self.unsupported(f"ndarray.{name}", instead.format(self.carried))

    return method


DROPPING = "__float__ __int__ __complex__ __index__ item tolist tobytes tofile dump dumps flat imag data"
NOT_FOLLOWED = "partition argpartition searchsorted choose cumprod byteswap setfield getfield"
for _name in DROPPING.split():
    _method = _forbidden(_name, "it drops the {}: keep the array, of shape () if need be")
    setattr(Composite, _name, property(_method) if _name in ("flat", "imag", "data") else _method)
setattr(Composite, "real", property(lambda array: array))  # noqa: B010 (NumPy declares that it can be set)
for _name in NOT_FOLLOWED.split():
    setattr(Composite, _name, _forbidden(_name, "write it with ufuncs, sums, sort or indexing"))


def elements(array: Any) -> Any:
    """A view of a `Composite` as NumPy sees it, an array of structures; anything else is returned as it is."""
    return np.ndarray.view(array, np.ndarray) if isinstance(array, Composite) else array


def _map(function: Callable[[Any], Any], values: Any) -> Any:
    if isinstance(values, dict):
        return {key: _map(function, value) for key, value in values.items()}
    if isinstance(values, tuple | list):
        return type(values)(_map(function, value) for value in values)
    return function(values)


def _rearrange(self: Composite, func: Any, *args: Any, **kwargs: Any) -> Any:
    """Calls a function that moves elements, or selects them by their place, with the structures."""
    return _map(self.of_elements, func(*_map(elements, args), **_map(elements, kwargs)))


def _join(self: Composite, func: Any, arrays: Any, *args: Any, **kwargs: Any) -> Any:
    """Calls a function that joins several arrays into one, some of which may be constant."""
    return self.of_elements(func([elements(self.lifted(array)) for array in arrays], *args, **kwargs))


def _where(self: Composite, func: Any, condition: Any, *values: Any) -> Any:
    condition = condition != 0 if isinstance(condition, Composite) else condition
    return self.of_elements(func(condition, *(elements(self.lifted(value)) for value in values)))


def _write(self: Composite, func: Any, target: Any, *args: Any, **kwargs: Any) -> None:
    """Calls a function that writes its last argument, or the second of copyto, into its first."""
    if not isinstance(target, Composite):
        raise self.unsupported(f"numpy.{func.__name__} into a plain array", "make it by np.empty_like or np.zeros_like")
    at = {np.copyto: 0, np.fill_diagonal: 0}.get(func, 1)
    if len(args) <= at:
        name = {np.copyto: "src", np.place: "vals", np.put: "v", np.fill_diagonal: "val"}.get(func, "values")
        kwargs[name] = elements(self.lifted(kwargs[name]))
    args = tuple(elements(self.lifted(value)) if index == at else value for index, value in enumerate(args))
    func(elements(target), *args, **kwargs)


def _like(self: Composite, func: Any, prototype: Any, *args: Any, **kwargs: Any) -> Any:
    names = ["fill_value"] * (func is np.full_like) + ["dtype", "order", "subok", "shape"]
    given = dict(zip(names, args, strict=False)) | kwargs
    fill, dtype, _ = given.pop("fill_value", None), given.pop("dtype", None), given.pop("subok", None)
    fill = {np.ones_like: 1, np.full_like: fill}.get(func, 0)
    made: Any
    if dtype is not None and np.dtype(dtype).kind != "f":
        made = np.zeros_like(elements(self.lifted(prototype)), dtype, **given)
        made[...] = fill
        return made
    made = np.zeros_like(elements(self.lifted(prototype)), self.element, **given).view(type(self))
    if func in (np.ones_like, np.full_like):
        made[...] = fill
    return made


def _of_one(self: Composite, func: Any, *args: Any, **kwargs: Any) -> Any:
    """Calls a function about shape, format or memory, for which one number stands for all."""

    def one(array: Any) -> Any:
        return array.one if isinstance(array, Composite) else array

    return func(*_map(one, args), **_map(one, kwargs))


def _by_mask(self: Composite, func: Any, a: Any, *args: Any, **kwargs: Any) -> Any:
    """Calls a function that only asks which elements are 0."""
    return func(a != 0, *args, **kwargs)


def composed(self: Composite, func: Any, *args: Any, **kwargs: Any) -> Any:
    """Calls NumPy's own code, which is made of functions that are followed."""
    return np.ndarray.__array_function__(self, func, (type(self),), args, kwargs)


def _sort(self: Composite, func: Any, a: Any, axis: Any = -1, **kwargs: Any) -> Any:
    a = a.reshape(-1) if axis is None else a
    axis = -1 if axis is None else axis
    return np.take_along_axis(a, np.argsort(a, axis), axis)


def _round(self: Composite, func: Any, a: Any, decimals: int = 0, out: Any = None) -> Any:
    if decimals:
        raise self.unsupported("numpy.round to decimals", "write np.rint(x * 10**n) / 10**n")
    return np.rint(a, out=out) if out is not None else np.rint(a)


def functions(*names: str) -> list[Any]:
    """The functions of these names that the installed NumPy has."""
    return [getattr(np, name) for name in names if hasattr(np, name)]


RULES: dict[Any, Rule] = {}
_by_rule: dict[Rule, str] = {
    _rearrange: "reshape ravel transpose permute_dims matrix_transpose moveaxis rollaxis swapaxes expand_dims squeeze "
    "broadcast_to broadcast_arrays split array_split hsplit vsplit dsplit unstack flip fliplr flipud rot90 roll repeat "
    "tile take take_along_axis compress extract delete diag diagonal diagflat tril triu copy atleast_1d atleast_2d "
    "atleast_3d resize meshgrid",
    _join: "concatenate concat stack vstack hstack dstack column_stack",
    _write: "copyto put put_along_axis putmask place fill_diagonal",
    _like: "empty_like zeros_like ones_like full_like",
    _of_one: "shape ndim size result_type can_cast min_scalar_type shares_memory may_share_memory "
    "iscomplexobj isrealobj",
    _by_mask: "any all nonzero flatnonzero count_nonzero argwhere",
    composed: "sum mean var std average max amax min amin prod clip diff ptp nan_to_num iscomplex logaddexp "
    "trapezoid ediff1d cumulative_sum",
    _where: "where",
    _sort: "sort",
    _round: "round around",
}
for _rule, _names in _by_rule.items():
    RULES |= dict.fromkeys(functions(*_names.split()), _rule)
RULES[np.lib.stride_tricks.sliding_window_view] = _rearrange
