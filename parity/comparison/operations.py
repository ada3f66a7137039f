"""The model of rounding on torch's own operations: a mode in which each of them errs as NumPy's do on `Noisy` arrays.

Forward passes, autograd's backward passes and optimizers' steps are made of the same operations, and all go through it.
An operation is exact, elementary, or linear in each argument (`parity.comparison.kinds`); else it is made of others, by
torch's own tables, which err in its place. What is none of these is named: it is never exact in silence.
"""

from __future__ import annotations

import contextlib
import functools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from numpynet import Array
from parity.comparison.kinds import ELEMENTARY, EXACT, LINEAR, ROUNDED_ONCE, decompositions
from parity.frameworks.lazy import torch
from parity.rounding.allowance import deviations
from parity.rounding.errors import LOST, SLACK, current_errors
from parity.rounding.noisy import LONGEST, MARGIN

Key = TypeVar("Key")
Perform = Callable[..., Any]


def allowed(
    reference: Mapping[Key, Array], run: Callable[[], Mapping[Key, Array]], dtype: np.dtype[Any], thorough: bool = False
) -> tuple[dict[Key, Array], list[str]]:
    """The allowance of every tensor in `reference`, and the names of the operations that have no model of rounding.

    `run` computes in float64 and returns copies; without errors it returned `reference`. It is called some 14 to 200
    times and must compute the same each time: it sets random states, weights, running statistics and optimizers anew.
    The forward passes in it are within `parity.rounding.errors.forward_pass`.
    """
    rounding = Rounding()

    def perturbed(_: Callable[[Array], Array]) -> Mapping[Key, Array]:
        with rounding:
            return run()

    allowances = deviations(reference, perturbed, dtype, together=False, thorough=thorough)
    return allowances, sorted(rounding.unmodelled)


class Rounding:
    """A context in which every floating operation of torch on the CPU makes the errors of `current_errors()`.

    Where none are being made, it changes nothing. Attention is computed in its unfused form meanwhile, and transformer
    layers without their fast path.

    unmodelled: how often each operation without a model of rounding was met; `LOST` roundings of its result are made
    """

    def __init__(self) -> None:
        self.unmodelled: Counter[str] = Counter()
        self._inside: list[Any] = []  # the operations that are being decomposed
        self._entered = contextlib.ExitStack()

    def __enter__(self) -> Rounding:
        with contextlib.ExitStack() as entering:
            entering.enter_context(torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH))
            entering.enter_context(_without_fast_path())
            self._mode = entering.enter_context(_mode()(self._perform))
            self._entered = entering.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._entered.close()

    def _perform(self, operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        if current_errors() is None:
            return operation(*args, **kwargs)
        treatment = _treatment(operation)
        roots = ("abs", "sgn")  # where numbers are complex
        if (treatment != "_exact" or _name(operation) in roots) and _has_complex([*args, *kwargs.values()]):
            treatment = "_unmodelled"
        return getattr(self, treatment)(operation, args, kwargs)

    def _exact(self, operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        return operation(*args, **kwargs)

    def _elementary(self, operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """The result, off by some roundings of its own size."""
        name = _name(operation)
        if name in ("add", "sub", "rsub") and kwargs.get("alpha", 1) != 1:
            return self._scaled(operation, args, kwargs)
        result = operation(*args, **kwargs)
        if name == "mul" and any(each.dtype == torch.bool for each in _tensors(args)):
            return result  # a product with a mask is a selection
        if name in ("mul", "div") and isinstance(args[1], int | float) and abs(args[1]) == 1:
            return result
        if name == "add" and isinstance(args[1], int) and args[0].dim() == 0:
            return result  # a count of steps
        weight = 1 if name == "pow" and args[1] in ROUNDED_ONCE else ELEMENTARY[name]
        larger = _larger(*args[:2]) if name in ("add", "sub", "rsub") and _losing() else None
        for values in _floating(result):
            _perturb(values, np.abs(_array(values)), weight, larger=larger)
        return result

    def _scaled(self, operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """The sum or difference with a multiple: a product, and then the sum."""
        first, second = reversed(args) if _name(operation) == "rsub" else args
        with self._mode:
            multiple = second * kwargs["alpha"]
            return first + multiple if _name(operation) == "add" else first - multiple

    def _linear(self, operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """The result, off by what rounding of its terms and of their sums may add up to."""
        result = operation(*args, **kwargs)
        if not (found := _floating(result)):
            return result  # a sum of integers
        sizes = _floating(_applied(_absolute, operation, args, kwargs))
        if (terms := LINEAR[_name(operation)]) is not None:
            numbers = terms(_arguments(operation, args, kwargs), found)
            for values, size, number in zip(found, sizes, numbers, strict=True):
                _perturb(values, _array(size), _weight(number))
            return result
        counts = _floating(_applied(_one, operation, args, kwargs))
        for values, size, count in zip(found, sizes, map(_array, counts), strict=True):
            _perturb(values, _array(size), _weight(int(count.max(initial=1))), count > 1)
        return result

    def _decomposed(self, operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """The result of the operations that this one consists of, each of which errs."""
        consisting = _consisting(operation)
        if consisting is None or operation in self._inside:  # what consists of itself
            return self._unmodelled(operation, args, kwargs)
        self._inside.append(operation)
        try:
            with self._mode:
                return consisting(*args, **kwargs)
        finally:
            self._inside.pop()

    def _each(self, operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """The results of an operation on lists of tensors, item by item; an in-place one's are copied."""
        single = getattr(torch.ops.aten, _name(operation).removeprefix("_foreach_"))
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
        written = [argument.name for argument in operation._schema.arguments if _is_written(argument)]
        of = _arguments(operation, args, kwargs)
        given = {name: value for name, value in kwargs.items() if name not in _out(operation)}
        results = self._perform(_functional(operation), args, given)
        targets = [of[name] for name in written]
        for target, values in zip(targets, results if isinstance(results, tuple) else [results], strict=True):
            if target.shape != values.shape:
                target.resize_(values.shape)
            target.copy_(values)
        return targets[0] if len(targets) == 1 else tuple(targets)

    def _unmodelled(self, operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """The result, off by `LOST` roundings of its own size, and the name of the operation in the list."""
        result = operation(*args, **kwargs)
        of = _arguments(operation, args, kwargs)
        written = [of.get(argument.name) for argument in operation._schema.arguments if _is_written(argument)]
        computed = _floating([result, written])
        if computed:
            self.unmodelled[operation._schema.name] += 1
        for values in {each.data_ptr(): each for each in computed}.values():
            _perturb(values, np.abs(_array(values)), LOST)
        return result


@functools.cache
def _mode() -> Any:
    """The class of torch's modes that hand every operation on; torch is not imported before."""

    class Mode(torch.utils._python_dispatch.TorchDispatchMode):
        def __init__(self, perform: Perform) -> None:
            super().__init__()
            self.perform = perform

        def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return self.perform(operation, args, kwargs or {})

    return Mode


@contextlib.contextmanager
def _without_fast_path() -> Iterator[None]:
    """A context in which transformer layers are made of operations in evaluation, too."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


@functools.cache
def _treatment(operation: Any) -> str:
    """The name of the method of `Rounding` that performs the operation."""
    name, schema = _name(operation), operation._schema
    ours = operation.namespace == "aten"
    returned = [one.alias_info for one in schema.returns]
    if returned and all(alias is not None and not alias.is_write for alias in returned):
        return "_exact"  # another view of the same memory
    if ours and name in EXACT and "reduce" not in schema.overload_name:
        return "_exact"
    if ours and name.startswith("_foreach_"):
        return "_each"
    if returned and all(alias is not None for alias in returned):
        return "_unmodelled" if _functional(operation) is None else "_writing"
    if ours and name in ELEMENTARY:
        return "_elementary"
    if ours and name in LINEAR:
        return "_linear"
    return "_unmodelled" if _consisting(operation) is None else "_decomposed"


def _consisting(operation: Any) -> Perform | None:
    """The function of other operations that computes the operation; None where there is none."""
    if (known := decompositions().get(operation)) is not None:
        return known
    if operation._can_decompose():
        return operation.decompose
    return getattr(operation, "impl_aten", None)  # of torch's prims, which some of its decompositions end in


def _name(operation: Any) -> str:
    """What the operation is called, without its namespace and without the underscore of its in-place form."""
    name: str = operation._schema.name.partition("::")[2]
    return name if name.endswith("__") else name.removesuffix("_")


@functools.cache
def _functional(operation: Any) -> Any:
    """The operation of the same arguments that writes into none of them; None where there is none."""
    wanted = [str(argument.type) for argument in operation._schema.arguments if argument.name not in _out(operation)]
    packet = getattr(getattr(torch.ops, operation.namespace), _name(operation), None)
    for overload in packet.overloads() if packet is not None else ():
        found = getattr(packet, overload)
        schema = found._schema
        if not schema.is_mutable and [str(argument.type) for argument in schema.arguments] == wanted:
            return found
    return None


def _is_written(argument: Any) -> bool:
    return argument.alias_info is not None and argument.alias_info.is_write


def _out(operation: Any) -> set[str]:
    """The names of the arguments that are there for the result alone."""
    return {each.name for each in operation._schema.arguments if each.kwarg_only and _is_written(each)}


def _arguments(operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments by name, defaults too."""
    of = {each.name: each.default_value for each in operation._schema.arguments if each.has_default_value()}
    return of | dict(zip((each.name for each in operation._schema.arguments), args, strict=False)) | dict(kwargs)


def _weight(number: int) -> int:
    """How many roundings the sum of so many terms may be off, as `parity.rounding.noisy.terms` has it."""
    return 1 << max(int(MARGIN * min(number, LONGEST) / SLACK).bit_length() - 1, 0)


def _losing() -> bool:
    errors = current_errors()
    return errors is not None and errors.losing


def _larger(first: Any, second: Any) -> Array:
    """The larger term of a sum of two, either of which may be a number."""
    return np.asarray(np.maximum(*(np.abs(_array(torch.as_tensor(each))) for each in (first, second))))


def _perturb(values: Any, size: Array, weight: int, where: Any = True, larger: Array | None = None) -> None:
    """Make the current errors in a tensor; what is infinite, as the scores of masked places are, is not rounded."""
    if (errors := current_errors()) is not None:
        if not (finite := np.isfinite(size)).all():
            where = where & finite
        errors.perturb(_array(values), size, weight, where, larger)


def _array(tensor: Any) -> Array:
    """The tensor's own memory as an array."""
    array: Array = tensor.detach().numpy()
    return array


def _floating(values: Any) -> list[Any]:
    """The tensors of floating numbers in a result; complex ones as their real and imaginary parts."""
    floating = [torch.view_as_real(each) if each.is_complex() else each for each in _tensors(values)]
    return [each for each in floating if each.is_floating_point()]


def _has_complex(values: Any) -> bool:
    return any(each.is_complex() for each in _tensors(values))


def _tensors(values: Any) -> list[Any]:
    """The tensors in a list or tuple, nested ones too."""
    if isinstance(values, list | tuple):
        return [tensor for each in values for tensor in _tensors(each)]
    return [values] if torch.is_tensor(values) else []


def _applied(function: Callable[[Any], Any], operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """The result of the operation on `function` of every floating tensor and every factor in its arguments."""
    factors = {name: function(value) for name, value in kwargs.items() if name in ("alpha", "beta")}
    return operation(*_each(function, args), **_each(function, dict(kwargs)) | factors)


def _each(function: Callable[[Any], Any], values: Any) -> Any:
    """The same structure with `function` of each floating tensor in it."""
    if isinstance(values, dict):
        return {name: _each(function, value) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return type(values)(_each(function, value) for value in values)
    return function(values) if torch.is_tensor(values) and values.is_floating_point() else values


def _absolute(value: Any) -> Any:
    return abs(value)


def _one(value: Any) -> Any:
    """1 for every term that counts, 0 for what is 0: nothing is rounded where that is added."""
    return (value != 0).to(value.dtype) if torch.is_tensor(value) else 1
