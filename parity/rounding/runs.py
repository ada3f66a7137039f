"""Several runs of one computation at once: arrays whose every element holds its values in all of them.

What costs time in a run on small arrays is Python, not arithmetic; so a dozen runs at once cost little more than one.
Each operation is made once, with the errors that `Together` makes, along an axis that the layer does not see.

What comes out of a comparison is one array of truth values where all runs agree, as they nearly always do. Where they
do not, they may part (a branch of the layer's own code), and `Parted` is raised; so is TypeError by whatever cannot be
followed. Then each is run alone, as a `Noisy` array runs, which knows everything. No layer need be written for these
arrays, and none can be misread by them.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from numpynet import Array
from parity.rounding.composite import Composite, composed, elements
from parity.rounding.errors import current_errors
from parity.rounding.noisy import UNMODELLED, larger_term, magnitude_of, plain, roundings, terms, values_themselves


class Parted(Exception):
    """Raised where runs disagree on what must be the same for all."""


class Runs(Composite):
    """An array of the values of several runs, made by `repeated`."""

    carried = "other runs"

    @property
    def dtype(self) -> Any:
        """The format of the values."""
        return self.element["values"].base

    @property
    def values(self) -> Array:
        """The values, of shape (*shape, runs), as a view."""
        return elements(self)["values"]

    @property
    def one(self) -> Array:
        return self.values[..., 0]

    def lifted(self, value: Any) -> Composite:
        return value if isinstance(value, Runs) else repeated(np.asarray(value, self.dtype), self.values.shape[-1])

    @staticmethod
    def unsupported(what: str, instead: str) -> TypeError:
        return TypeError(f"parity does not run {what} several times at once: {instead}")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        (out,) = kwargs.pop("out", (None,))
        if method == "at":
            target, index, *rest = inputs
            ufunc.at(_values(target), _leading(index), *map(_values, rest))
            return None
        given = list(map(_values, inputs))
        if ufunc is np.matmul:
            given = _stacked(inputs, given)
        elif ufunc.signature is not None or method == "outer":
            raise self.unsupported(f"numpy.{ufunc.__name__}", "write it with matmul")
        if kwargs.get("where", True) is not True:
            kwargs["where"] = _values(kwargs["where"])
        if method != "__call__":
            kwargs["axis"] = _axes(inputs[0], kwargs.get("axis", 0), method)
        errors = current_errors()
        magnitude = None if errors is None else magnitude_of(ufunc, method, given, kwargs)
        larger = larger_term(ufunc, method, given) if errors is not None and errors.losing else None
        direct = isinstance(out, Runs) and ufunc is not np.matmul
        result = getattr(ufunc, method)(*given, **kwargs, **({"out": _values(out)} if direct else {}))
        if isinstance(result, tuple):
            raise self.unsupported(f"numpy.{ufunc.__name__}", "it has several results")
        if ufunc is np.matmul:
            result, magnitude = (_runs_last(found) for found in (result, magnitude))
        if errors is not None and magnitude is not None and result.dtype.kind == "f":
            size = np.abs(result) if magnitude is values_themselves else magnitude
            weight = roundings(ufunc) * terms(ufunc, method, given, result)
            errors.perturb(result, size, weight, kwargs.get("where", True), larger)
        if out is None:
            return one_of(result)
        if not direct:
            out[...] = one_of(result)
        return out

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> Any:
        return one_of(self.values.astype(dtype))

    def copy(self, order: Any = "C") -> Any:
        return runs_of(self.values.copy())

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    def __bool__(self) -> bool:
        if isinstance(whether := self != 0, Runs):
            raise Parted
        return bool(whether)

    def __repr__(self) -> str:
        return f"Runs({self.values!r})"


def repeated(values: Array, number: int) -> Runs:
    """An array in which each of `number` runs has these values; it can be written to where `values` can.

    It lies in memory as they do, in C's order or in Fortran's.
    """
    if values.flags.f_contiguous and not values.flags.c_contiguous:
        turned: Runs = repeated(values.T, number).T
        return turned
    held = np.empty((*values.shape, number), values.dtype)
    held[...] = values[..., None]
    made = runs_of(held)
    made.flags.writeable = values.flags.writeable
    return made


def runs_of(values: Array) -> Runs:
    """An array of the values of runs along the last axis; its other axes lie in memory as theirs do."""
    if not values.flags.c_contiguous:
        turned = values.transpose(*range(values.ndim - 2, -1, -1), -1)
        if turned.flags.c_contiguous:
            of_turned: Runs = runs_of(turned).T
            return of_turned
        values = np.ascontiguousarray(values)
    made: Runs = Runs(values.shape[:-1], _structure(values.dtype, values.shape[-1]), values)
    return made


def runs_in(values: Array) -> Array:
    """The values of each run, along the last axis; of an array that is no `Runs`, those of the one run there is."""
    return values.values if isinstance(values, Runs) else plain(values)[..., None]


@functools.cache
def _structure(dtype: np.dtype[Any], number: int) -> np.dtype[Any]:
    """The dtype of one element. With a second field, though an empty one, NumPy does not take it for a number."""
    return np.dtype([("values", dtype, (number,)), ("", dtype, (0,))])


def one_of(results: Array) -> Any:
    """Results of runs along the last axis: truth values and integers in which all agree once for all."""
    if results.dtype.kind != "f" and (results == (first := results[..., :1])).all():
        return first[..., 0]
    return runs_of(results)


def _values(value: Any) -> Any:
    """The numbers of an operand, the runs along the last axis: of one that is the same for all, with an axis of one."""
    if isinstance(value, Runs):
        return value.values
    if isinstance(value, np.ndarray) and value.ndim:
        if value.dtype.kind == "V":
            raise Runs.unsupported("an array that left its class", "write np.asanyarray, not np.asarray or np.array")
        return value[..., None]
    return np.asarray(value)[..., None] if isinstance(value, list | tuple) else value


def _axes(array: Any, axis: Any, method: str) -> Any:
    """The axes of a reduction, counted from the front, so that the runs stay."""
    if not isinstance(array, Runs):
        raise Runs.unsupported(f"{method} of a plain array", "make it by np.empty_like of an input")
    if axis is None:
        return tuple(range(array.ndim))
    axes = tuple(one + array.ndim if one < 0 else one for one in (axis if isinstance(axis, tuple) else (axis,)))
    if any(not 0 <= one < array.ndim for one in axes):
        raise np.exceptions.AxisError(f"axis {axis} is out of bounds")
    return axes if method == "reduce" else axes[0]


def _leading(index: Any) -> Any:
    """The index, so that it leaves the runs alone."""
    return (*index, slice(None)) if isinstance(index, tuple) and any(one is Ellipsis for one in index) else index


def _stacked(inputs: tuple[Any, ...], given: list[Array]) -> list[Array]:
    """The operands of a product of matrices with the runs along the first axis."""
    rank = max(np.ndim(value) for value in inputs)
    if min(np.ndim(value) for value in inputs) < 2:
        raise Runs.unsupported("a product of vectors", "write it with matrices")
    stacks = []
    for values in given:
        values = values.transpose(-1, *range(values.ndim - 1))
        wider = values.reshape(len(values), *[1] * (rank + 1 - values.ndim), *values.shape[1:])
        stacks.append(np.ascontiguousarray(wider))
    return stacks


def _runs_last(stack: Any) -> Any:
    """A product of matrices with the runs along the last axis; None as it is."""
    return None if stack is None else np.ascontiguousarray(stack.transpose(*range(1, stack.ndim), 0))


def _chosen(_: Runs, func: Any, condition: Any, *values: Any) -> Any:
    if len(values) != 2:
        raise Runs.unsupported("numpy.where of a condition alone", "write np.nonzero")
    return one_of(func(*map(_values, (condition, *values))))


def _copied(_: Runs, func: Any, dst: Any, src: Any, casting: Any = "same_kind", where: Any = True) -> None:
    if not isinstance(dst, Runs):
        raise Runs.unsupported("numpy.copyto into a plain array", "make it by np.empty_like of an input")
    func(dst.values, _values(src), casting, _values(where))


def _selected(_: Runs, func: Any, arr: Any, indices: Any, axis: Any = -1) -> Any:
    return one_of(func(_values(arr), _values(indices), _axes(arr, axis, "accumulate")))


def _put(_: Runs, func: Any, arr: Any, indices: Any, values: Any, axis: Any) -> None:
    if not isinstance(arr, Runs):
        raise Runs.unsupported("numpy.put_along_axis into a plain array", "make it by np.zeros_like of an input")
    everywhere = np.broadcast_to(_values(indices), (*indices.shape, arr.values.shape[-1]))
    func(arr.values, everywhere, _values(values), _axes(arr, axis, "accumulate"))


def _extreme(_: Runs, func: Any, a: Any, axis: Any = None, out: Any = None, *, keepdims: bool = False) -> Any:
    if out is not None or axis is None:
        raise Runs.unsupported(f"numpy.{func.__name__}", "give it an axis")
    return one_of(func(a.values, axis=_axes(a, axis, "argmax"), keepdims=keepdims))


def _product(_: Runs, func: Any, *args: Any, **kwargs: Any) -> Any:
    return np.matmul(*args, **kwargs)


def _unmodelled(_: Runs, func: Any, *args: Any, **kwargs: Any) -> Any:
    raise Runs.unsupported(f"numpy.{func.__name__}", "it has no model of rounding")


Runs.rules = {
    **dict.fromkeys(UNMODELLED, _unmodelled),
    np.where: _chosen,
    np.copyto: _copied,
    np.take_along_axis: _selected,
    np.put_along_axis: _put,
    np.any: composed,
    np.all: composed,
    np.argmax: _extreme,
    np.argmin: _extreme,
    np.dot: _product,
}
