"""What differs between frameworks though a port is right: what the other is known to compute.

Each is an entry of the catalogue of known differences.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from numpynet import Array
from parity.comparison.model import Call, Run


@dataclass(frozen=True)
class Known:
    """A difference in a layer's state after a forward pass.

    entry: its name in the catalogue
    told: what the two do
    kept: the part of a running statistic that a pass keeps
    shrunk: what the part that the batch brings in is multiplied by
    """

    entry: str
    told: str
    kept: float
    shrunk: float

    def predicted(self, before: Array, after: Array) -> Array:
        """Returns what the other has after the pass, where the reference had `before` and has `after`."""
        return self.kept * before + (after - self.kept * before) * self.shrunk


def known(run: Run, layer: str, role: str) -> Iterator[Known]:
    """Yields what is known to differ in this array of a layer's state."""
    calls = [call for call in run.calls if call.layer.name == layer]
    if role == "running variance" and len(calls) == 1 and calls[0].layer.kind == "batch normalization":
        number = _averaged(calls[0])
        momentum = calls[0].layer.settings["momentum"].value
        if number > 1 and momentum is not None:
            yield Known(
                "batchnorm-running-variance",
                f"torch's running variance takes in the unbiased variance, n/(n-1) of the biased one (n = {number})",
                1 - momentum,
                (number - 1) / number,
            )


def _averaged(call: Call) -> int:
    """The number of elements that each channel's variance is taken over."""
    shape = call.inputs[0].shape
    return math.prod(shape) // shape[1]
