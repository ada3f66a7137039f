"""The model of rounding on torch's own operations: a mode in which each of them errs as NumPy's do on `Noisy` arrays.

Forward passes, autograd's backward passes and optimizers' steps are made of the same operations, and all go through it.
An operation is exact, elementary, or linear in each argument (`parity.comparison.kinds`); else it is made of others, by
torch's own tables, which err in its place. What is none of these is named: it is never exact in silence.
"""

from __future__ import annotations

import contextlib
import functools
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from numpynet import Array
from parity.comparison.decompositions import decomposition_of, without_bias
from parity.comparison.dispatching import handing_on
from parity.comparison.kinds import (
    ELEMENTARY,
    LINEAR,
    ROUNDED_ONCE,
    arguments_of,
    functional_of,
    name_of,
    out_of,
    treatment_of,
    written_by,
)
from parity.comparison.magnitudes import absolutes, counts_of, each_of, floating, tensors_in
from parity.comparison.narrowing import NONE_KEPT, InNarrow, Keeping
from parity.frameworks.lazy import torch
from parity.rounding.errors import LOST, SLACK, Errors, current_errors, making
from parity.rounding.noisy import LONGEST, MARGIN

TAKEN = ("embedding",)  # of arrays that a policy has cast, by an operation that is exact
AT_ONCE = 2**16  # elements that errors are made in at once


class Rounding:
    """A context in which every floating operation of torch on the CPU makes the errors of `current_errors()`.

    Where none are being made, it changes nothing. Entered where some are, as it should be, it has attention computed in
    its unfused form, and transformer layers without their fast path.

    keeping: tells what operations are kept in float32, where errors are those of a narrow format
    unmodelled: how often each operation without a model of rounding was met; `LOST` roundings of its result are made
    """

    def __init__(self) -> None:
        self.unmodelled: Counter[str] = Counter()
        self.keeping = Keeping(NONE_KEPT)
        self._inside: list[Any] = []  # the operations that are being decomposed
        self._entered = contextlib.ExitStack()

    def __enter__(self) -> Rounding:
        if "torch" not in sys.modules:
            return self  # nothing of it is computed here
        with contextlib.ExitStack() as entering:
            if current_errors() is not None:
                entering.enter_context(_unfused())
            self._mode = entering.enter_context(handing_on(self._perform))
            self._entered = entering.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._entered.close()

    def _perform(self, operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        if (errors := current_errors()) is None:
            return operation(*args, **kwargs)
        if isinstance(errors, InNarrow) and not self._inside:
            made = errors.of(operation, self.keeping.next(operation))
            return self._in_range(made, operation, args, kwargs)
        return self._treated(operation, args, kwargs)

    def _in_range(self, errors: Errors, operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """The result under errors of a narrow format, or those of what is kept in float32, in the format's range.

        What is added up in the format may go beyond it on the way, by as much as its terms add up to.
        """
        if not isinstance(errors, InNarrow) or not errors.ranged:
            with making(errors):
                return self._treated(operation, args, kwargs)
        treatment, sizes = treatment_of(operation), None
        if errors.casting and _is_cast_for(operation):
            limited = functools.partial(_limited, errors)
            args, kwargs = each_of(limited, args), each_of(limited, dict(kwargs))
        if errors.adding and treatment == "_linear":
            sizes = [_array(size) for size in absolutes(operation, args, kwargs)]
        with making(errors.inside):
            results = self._treated(operation, args, kwargs)
        if treatment != "_exact":  # what only selects, or looks at memory in another way, computes nothing
            found = [_array(values) for values in floating(results)]
            for values, size in zip(found, sizes or map(np.abs, found), strict=True):
                errors.limit(values, size)
        return results

    def _treated(self, operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        errors = current_errors()
        if isinstance(errors, InNarrow):
            if (product := without_bias(operation, args, kwargs)) is not None:
                return self._consisting(operation, product)
            if errors.casting and _is_cast_for(operation):
                cast = functools.partial(_cast, errors)
                args, kwargs = each_of(cast, args), each_of(cast, dict(kwargs))
        treatment = treatment_of(operation)
        roots = ("abs", "sgn")  # where numbers are complex
        if (treatment != "_exact" or name_of(operation) in roots) and _has_others([*args, *kwargs.values()]):
            treatment = "_unmodelled"
        return getattr(self, treatment)(operation, args, kwargs)

    def _exact(self, operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        return operation(*args, **kwargs)

    def _elementary(self, operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """The result, off by some roundings of its own size."""
        name = name_of(operation)
        is_sum = name in ("add", "sub", "rsub")
        if is_sum and (factor := args[2] if len(args) > 2 else kwargs.get("alpha", 1)) != 1:
            return self._scaled(name, args[0], args[1], factor)
        result = operation(*args, **kwargs)
        if name == "mul" and any(each.dtype == torch.bool for each in args if isinstance(each, torch.Tensor)):
            return result  # a product with a mask is a selection
        number = args[1] if len(args) > 1 and isinstance(args[1], int | float) else None
        if name in ("mul", "div") and number in (1, -1):
            return result
        if name == "add" and isinstance(number, int) and args[0].dim() == 0:
            return result  # a count of steps
        weight = 1 if name == "pow" and number in ROUNDED_ONCE else ELEMENTARY[name]
        larger = _larger(*args[:2]) if is_sum and _losing() else None
        for values in floating(result):
            _perturb(values, np.abs(_array(values)), weight, larger=larger)
        return result

    def _scaled(self, name: str, first: Any, second: Any, factor: float) -> Any:
        """The sum or difference with a multiple of the second: a product, and then the sum."""
        if name == "rsub":
            first, second = second, first
        with self._mode:
            return first + second * factor if name == "add" else first - second * factor

    def _linear(self, operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """The result, off by what rounding of its terms and of their sums may add up to."""
        result = operation(*args, **kwargs)
        if not (found := floating(result)):
            return result  # a sum of integers
        sizes = absolutes(operation, args, kwargs)
        if (terms := LINEAR[name_of(operation)]) is not None:
            numbers = terms(arguments_of(operation, args, kwargs), found)
            for values, size, number in zip(found, sizes, numbers, strict=True):
                _perturb(values, _array(size), _weight(number))
            return result
        counts = counts_of(operation, args, kwargs)
        for values, size, count in zip(found, sizes, map(_array, counts), strict=True):
            _perturb(values, _array(size), _weight(int(count.max(initial=1))), count > 1)
        return result

    def _decomposed(self, operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """The result of the operations that this one consists of, each of which errs."""
        decomposition = decomposition_of(operation)
        if decomposition is None or operation in self._inside:  # what consists of itself
            return self._unmodelled(operation, args, kwargs)
        return self._consisting(operation, functools.partial(decomposition, *args, **kwargs))

    def _consisting(self, operation: Any, parts: Callable[[], Any]) -> Any:
        """The result of an operation that consists of others, which are no calls of the model's."""
        self._inside.append(operation)
        try:
            with self._mode:
                return parts()
        finally:
            self._inside.pop()

    def _each(self, operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """The results of an operation on lists of tensors, item by item; an in-place one's are copied."""
        single = getattr(torch.ops.aten, name_of(operation).removeprefix("_foreach_"))
        named = dict(kwargs)
        if single in (torch.ops.aten.addcmul, torch.ops.aten.addcdiv) and len(args) > 3:
            named["value"], args = args[3], args[:3]  # which the single one takes by its name alone

        def item(value: Any, index: int) -> Any:
            return value[index] if isinstance(value, list | tuple) else value

        with self._mode:
            results = [
                single(
                    *(item(each, index) for each in args), **{name: item(each, index) for name, each in named.items()}
                )
                for index in range(len(next(each for each in args if isinstance(each, list | tuple))))
            ]
        if operation._schema.returns:
            return results
        for target, values in zip(args[0], results, strict=True):
            target.copy_(values)
        return None

    def _writing(self, operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """The result of an in-place operation, or of one with `out`: that of its functional form, copied."""
        of = arguments_of(operation, args, kwargs)
        given = {name: value for name, value in kwargs.items() if name not in out_of(operation)}
        results = self._treated(functional_of(operation), args, given)
        targets = [of[name] for name in written_by(operation)]
        for target, values in zip(targets, results if isinstance(results, tuple) else [results], strict=True):
            if target.shape != values.shape:
                target.resize_(values.shape)
            shared = target.untyped_storage().data_ptr() == values.untyped_storage().data_ptr()
            target.copy_(values.clone() if shared else values)  # the functional form may return a view of its argument
        return targets[0] if len(targets) == 1 else tuple(targets)

    def _unmodelled(self, operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """The result, off by `LOST` roundings of its own size, and the name of the operation in the list."""
        result = operation(*args, **kwargs)
        of = arguments_of(operation, args, kwargs)
        written = [of.get(name) for name in written_by(operation)]
        computed = floating([result, written])
        if computed:
            self.unmodelled[operation._schema.name] += 1
        for values in {each.data_ptr(): each for each in computed}.values():
            if values.dtype in (torch.float32, torch.float64):  # what is narrower than what is judged is rounded anyway
                _perturb(values, np.abs(_array(values)), LOST)
        return result


@contextlib.contextmanager
def _unfused() -> Iterator[None]:
    """A context in which attention and transformer layers are made of operations that have a model of rounding."""
    flash = torch.backends.cuda.flash_sdp_enabled()
    torch.backends.cuda.enable_flash_sdp(False)  # of the CPU, too
    try:
        with _without_fast_path():
            yield
    finally:
        torch.backends.cuda.enable_flash_sdp(flash)


@contextlib.contextmanager
def _without_fast_path() -> Iterator[None]:
    """A context in which transformer layers call the operations that they consist of.

    Before torch 2.3 there is no switch for it; but where functions are watched, by whatever mode, they do so, too.
    """
    if not hasattr(torch.backends, "mha"):
        with torch.overrides.BaseTorchFunctionMode():
            yield
        return
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _weight(number: int) -> int:
    """How many roundings the sum of so many terms may be off, as a power of two.

    It is the root of their number, as rounding errors of either sign add up (Higham and Mary, SIAM J. Sci. Comput. 41
    (2019) A2815): the errors that are made are SLACK times as large, which for up to SLACK^2 terms, and LONGEST is no
    more, is the n - 1 roundings of equal terms as well. `parity.rounding.noisy.terms`, by which cases are judged that
    are made of such, allows as much for few terms and up to four times as much for many.
    """
    terms = min(number, LONGEST)
    return 1 << max(min(int(MARGIN * terms / SLACK).bit_length(), (terms.bit_length() + 1) // 2) - 1, 0)


def _is_cast_for(operation: Any) -> bool:
    """Tells whether a policy casts what goes into an operation."""
    return treatment_of(operation) in ("_elementary", "_linear") or name_of(operation) in TAKEN


def _limited(errors: InNarrow, tensor: Any) -> Any:
    """The tensor in the range of a format; itself where it is there."""
    made = _array(tensor).copy()
    errors.limit(made, np.abs(made))
    return tensor if np.isfinite(made).all() else torch.from_numpy(made)


def _cast(errors: InNarrow, tensor: Any) -> Any:
    return torch.from_numpy(errors.cast(np.ascontiguousarray(_array(tensor)))).view(tensor.shape)


def _losing() -> bool:
    errors = current_errors()
    return errors is not None and errors.losing


def _larger(first: Any, second: Any) -> Array:
    """The larger term of a sum of two, either of which may be a number."""
    return np.asarray(np.maximum(*(np.abs(_array(torch.as_tensor(each))) for each in (first, second))))


def _perturb(values: Any, size: Array, weight: int, where: Any = True, larger: Array | None = None) -> None:
    """Make the current errors in a tensor; what is infinite, as the scores of masked places are, is not rounded.

    They are made in a few rows at a time, for which the random numbers stay in the processor's cache.
    """
    if (errors := current_errors()) is None:
        return
    if not math.isfinite(np.add.reduce(size, axis=None)):  # which takes a third of the time of looking at each
        where = where & np.isfinite(size)
    array = _array(values)
    rows = max(1, AT_ONCE * len(array) // max(array.size, 1)) if array.ndim else 1
    if array.ndim == 0 or rows >= len(array):
        errors.perturb(array, size, weight, where, larger)
        return
    where = where if where is True else np.broadcast_to(where, array.shape)
    larger = None if larger is None else np.broadcast_to(larger, array.shape)
    for start in range(0, len(array), rows):
        few = slice(start, start + rows)
        here = where if where is True else where[few]
        errors.perturb(array[few], size[few], weight, here, None if larger is None else larger[few])


def _array(tensor: Any) -> Array:
    """The tensor's own memory as an array."""
    array: Array = (tensor.detach() if tensor.requires_grad else tensor).numpy()
    return array


def _has_others(values: Any) -> bool:
    """Tells whether there are tensors of complex numbers, or of formats that NumPy does not have."""
    return any(each.dtype in _others() for each in tensors_in(values))


@functools.cache
def _others() -> frozenset[Any]:
    return frozenset([torch.float16, torch.bfloat16, torch.complex32, torch.complex64, torch.complex128])
