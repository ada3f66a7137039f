"""How much the terms of an operation add up to that is linear in each argument: the operation on absolute values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from parity.comparison.kinds import name_of
from parity.frameworks.lazy import torch

PRODUCTS = frozenset(["mm", "bmm", "addmm", "baddbmm", "convolution", "convolution_backward"])
SEQUENCES = (list, tuple)
WORTH = 2**12  # elements of an argument, from which on single precision saves more than it takes to look at the range
# A product of the two smallest of the numbers that are not 0, or of the two largest, is far inside of float32's range:
# single precision neither loses a term nor makes it infinite, whatever number of them is added.
LEAST, MOST = 1e-36, 1e24


def absolutes(operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
    """The results of the operation on the absolute values of its arguments.

    Only their first digits matter: products of matrices and convolutions in float64 are made in float32, which takes a
    third of the time or less, as long as their numbers are inside of its range.
    """
    given, named = _each_argument(abs, args, kwargs)
    if name_of(operation) in PRODUCTS and _fit(floating(given)):
        return [size.double() for size in floating(operation(*each_of(_single, given), **named))]
    return floating(operation(*given, **named))


def counts_of(operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
    """How many terms each result adds up; what is 0 is none, for nothing is rounded where that is added."""
    given, named = _each_argument(_one, args, kwargs)
    return floating(operation(*given, **named))


def floating(values: Any) -> list[Any]:
    """The tensors of floating numbers in a result; complex ones as their real and imaginary parts."""
    found = [torch.view_as_real(each) if each.is_complex() else each for each in tensors_in(values)]
    return [each for each in found if each.is_floating_point()]


def tensors_in(values: Any) -> list[Any]:
    """The tensors in a list or tuple, nested ones too."""
    found = []
    for each in values if isinstance(values, SEQUENCES) else [values]:
        if isinstance(each, torch.Tensor):
            found.append(each)
        elif isinstance(each, SEQUENCES):
            found += tensors_in(each)
    return found


def each_of(function: Callable[[Any], Any], values: Any) -> Any:
    """The same structure with `function` of each floating tensor in it."""
    if isinstance(values, torch.Tensor):
        return function(values) if values.is_floating_point() else values
    if isinstance(values, dict):
        return {name: each_of(function, value) for name, value in values.items()}
    if isinstance(values, SEQUENCES):
        return type(values)([each_of(function, value) for value in values])
    return values


def _each_argument(
    function: Callable[[Any], Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[Sequence[Any], dict[str, Any]]:
    """The arguments with `function` of every floating tensor and every factor among them."""
    factors = {name: function(value) for name, value in kwargs.items() if name in ("alpha", "beta")}
    given: Sequence[Any] = each_of(function, args)
    return given, each_of(function, dict(kwargs)) | factors


def _one(value: Any) -> Any:
    return (value != 0).to(value.dtype) if torch.is_tensor(value) else 1


def _single(value: Any) -> Any:
    return value.float()


def _fit(sizes: Sequence[Any]) -> bool:
    """Tells whether these numbers, none of them negative, are in float64, many, and far inside of float32's range."""
    if not all(each.dtype == torch.float64 and each.numel() for each in sizes):
        return False
    if max((each.numel() for each in sizes), default=0) < WORTH:
        return False
    least = sorted(each.min().item() or torch.where(each > 0, each, math.inf).min().item() for each in sizes)
    most = sorted(each.max().item() for each in sizes)
    return math.prod(least[:2]) > LEAST and math.prod(most[-2:]) < MOST
