"""The policy of a class in words: what a special value spoils, read off what numpynet computes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from numpynet import Array
from parity.case import Shape
from parity.catalogue.variation import FINITE, KINDS, ZERO

Words = tuple[str, ...]  # of a variation


def spoiled(kinds: Array, place: int, input: Shape) -> str:
    """Returns what is NaN, infinite or a negative zero in an array with these `kinds`, such as "NaN in its row".

    It is empty where nothing is.

    place: the index on each axis of the special element in the input, which has the shape `input`
    """
    found = [kind for kind in np.unique(kinds) if kind not in (FINITE, ZERO)]
    return ", ".join(f"{KINDS[kind]} in {_region(kinds == kind, place, input)}" for kind in found)


def _region(mask: Array, place: int, input: Shape) -> str:
    """Where the mask is true, in words: as far as they fit it exactly, else the number of elements."""
    row, column = ("its row", "its feature") if len(input) == 2 else ("its sample", "its channel")
    if mask.all():
        return "everything"
    whole: dict[str, tuple[int | slice, ...]] = {}
    if mask.shape == input:
        whole["its own element"] = (place,) * mask.ndim
    if mask.ndim > 1 and mask.shape[:1] == input[:1]:
        whole[row] = (place,)
        if mask.shape[1:2] == input[1:2]:
            whole[column] = (slice(None), place)
            whole[f"{column} of {row}"] = (place, place)
    elif mask.shape == input[1:2]:
        whole[column] = (place,)
    for words, index in whole.items():
        if mask[index].all() and mask.sum() == mask[index].size:
            return words
    count = int(mask.sum())
    inside = f" of {row}" if row in whole and mask[place].sum() == count else f" of {mask.size}"
    return f"{count} element{'s' if count > 1 else ''}{inside}"


def told(found: Mapping[Words, str]) -> str:
    """A text for all variations, by their words; where they differ, each with the words that it is about."""
    alike: dict[str, list[Words]] = {}
    for words, text in found.items():
        alike.setdefault(text, []).append(words)
    if len(alike) == 1:
        return next(iter(alike))
    limits = {text: about(some, list(found)) for text, some in alike.items()}
    said = [f"{limit}: {text}" for text, limit in limits.items() if limit]
    return "; ".join([*said, *(f"otherwise: {text}" for text, limit in limits.items() if not limit)])


def about(some: Sequence[Words], everywhere: Sequence[Words]) -> str:
    """The words that tell some variations from all there are; empty where no such words do."""
    choices = [list(dict.fromkeys(column)) for column in zip(*some, strict=True)]
    if math.prod(map(len, choices)) != len(some):
        return ""
    telling = [
        " or ".join(here)
        for here, there in zip(choices, zip(*everywhere, strict=True), strict=True)
        if set(here) != set(there)
    ]
    return ", ".join(telling)
