"""How far the tensors of a reference may be off, and what the range of a format keeps from being judged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import numpy as np

from numpynet import Array
from parity.ladder.judge import errors, share_used

Key = TypeVar("Key")


class Allowed(ABC, Generic[Key]):
    """How far each tensor of a reference may be off.

    reference: the tensors, in the wider format
    dtype: that of the arrays that are judged by them
    strayed: how far each strays in the range of a narrow format; empty where that was not looked at
    """

    def __init__(self, reference: Mapping[Key, Array], dtype: np.dtype[Any]) -> None:
        self.reference, self.dtype = dict(reference), dtype
        self.strayed: dict[Key, Array] = {}

    @abstractmethod
    def bound(self, key: Key) -> Array:
        """The allowance of one tensor."""

    def beyond(self, key: Key) -> Array:
        """Tells which elements of a tensor the range of the format changes, or leaves no number of.

        The reference strays further in that range than rounding allows.
        """
        return ~(self.strayed[key] <= self.bound(key)) if key in self.strayed else np.array(False)

    def out_of_range(self, key: Key, found: Array, expected: Array | None = None) -> Array:
        """Tells which elements are outside where the range of the format may be why; `expected` is as in `share`."""
        expected = self.reference[key] if expected is None else expected
        if key not in self.strayed or found.shape != expected.shape:
            return np.zeros(expected.shape, bool)
        return self.beyond(key) & ~(errors(found, expected) <= self.bound(key))

    def share(self, key: Key, found: Array | None, expected: Array | None = None) -> float:
        """The largest share of its allowance that an element uses, of those that can be judged.

        expected: what is to be found, where it is another than the reference's
        """
        expected, bound = self.reference[key] if expected is None else expected, self.bound(key)
        if found is not None and (left_out := self.out_of_range(key, found, expected)).any():
            kept = ~left_out
            return share_used(found[kept], expected[kept], bound[kept], self.dtype)
        return share_used(found, expected, bound, self.dtype)


class Granted(Allowed[Key]):
    """Allowances that were found out, and with them how far the reference strays in the range of a narrow format."""

    def __init__(
        self,
        reference: Mapping[Key, Array],
        dtype: np.dtype[Any],
        bounds: Mapping[Key, Array],
        strayed: Mapping[Key, Array] | None = None,
    ) -> None:
        super().__init__(reference, dtype)
        self.bounds, self.strayed = bounds, dict(strayed or {})

    def bound(self, key: Key) -> Array:
        return self.bounds[key]
