"""What a comparison says of a planted mistake, and what tolerances that are set by hand say of the outputs alone."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numpynet import Array
from parity.comparison.comparing import compare
from parity.comparison.gallery.mistake import Mistake, Twin
from parity.comparison.layout import closest
from parity.comparison.matching import Unmatched
from parity.comparison.model import Unfit
from parity.comparison.pairing import paired
from parity.comparison.result import Comparison
from parity.comparison.sides import side
from parity.frameworks.lazy import torch


def _within(tolerance: float) -> Callable[[Array, Array], bool]:
    return lambda ours, theirs: bool(np.max(np.abs(ours - theirs)) <= tolerance)


def _assert_close(ours: Array, theirs: Array) -> bool:
    try:
        torch.testing.assert_close(torch.from_numpy(theirs.copy()), torch.from_numpy(ours.copy()))
    except AssertionError:
        return False
    return True


# What ports are commonly tested with: each says whether two outputs are the same.
TOLERANCES: dict[str, Callable[[Array, Array], bool]] = {
    "absolute 1e-5": _within(1e-5),
    "absolute 1e-3": _within(1e-3),
    "np.allclose": lambda ours, theirs: bool(np.allclose(theirs, ours)),
    "assert_close": _assert_close,
}


@dataclass(frozen=True)
class Examined:
    """The outcome of one comparison.

    refused: whether the two could not be compared, as they do not hold the same
    share: the largest share of an allowance; None where it was refused
    blamed: the layers at fault, without the names of what they are in, or those that are not there at all
    cause: of the first; empty where none is known
    mend: what is said to mend it
    noted: whether a note names the layer, though nothing is outside
    accepted: of each tolerance set by hand, whether it takes the outputs for the same; None where none came out
    seconds: how long the comparison took
    """

    refused: bool
    share: float | None
    blamed: list[str] = field(default_factory=list)
    cause: str = ""
    mend: str = ""
    noted: bool = False
    accepted: dict[str, bool | None] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def caught(self) -> bool:
        return self.refused or (self.share is not None and not self.share <= 1)

    def layer_right(self, mistake: Mistake) -> bool:
        """Tells whether the layer named first is the one that the mistake is in, and none where it is in none."""
        return self.caught and self.blamed[:1] == ([mistake.layer] if mistake.layer else [])

    def cause_right(self, mistake: Mistake) -> bool:
        return self.caught and self.cause == mistake.cause

    def own_right(self, mistake: Mistake) -> bool:
        """Tells whether no layer that inherits the error is blamed."""
        return self.caught and set(self.blamed) <= {mistake.layer}


def examined(mistake: Mistake, seed: int = 0) -> Examined:
    """Plant a mistake in the port of its architecture, and compare."""
    return _examined(mistake.twin, mistake, seed)


def examined_right(twin: Twin, seed: int = 0) -> Examined:
    """Compare an architecture with its right port."""
    return _examined(twin, None, seed)


def _examined(twin: Twin, mistake: Mistake | None, seed: int) -> Examined:
    model, port = twin.both(seed, **(mistake.changes if mistake else {}))
    inputs = twin.inputs(np.random.default_rng(seed))
    with contextlib.suppress(Unfit):  # the weights are the model's, as a conversion leaves them
        paired(side(model, "first"), side(port, "second"), [inputs], {})
        if mistake is not None and mistake.convert is not None:
            mistake.convert(model, port)
    accepted = dict(_accepted(model, port, inputs))
    start = time.perf_counter()
    try:
        training = mistake.training() if mistake is not None and mistake.training is not None else {}
        found = compare(model, port, inputs, seed=seed, **training)
    except Unmatched as unmatched:
        layer, cause = unmatched.layer, unmatched.cause
        return Examined(
            True,
            None,
            [] if layer is None else [_last(layer.name)],
            "" if cause is None else cause.name,
            "" if cause is None else cause.mend,
            False,
            accepted,
            time.perf_counter() - start,
        )
    seconds = time.perf_counter() - start
    noted = mistake is not None and found.passed and any(mistake.layer in note for note in found.notes)
    return _said(found, noted, accepted, seconds)


def _said(found: Comparison, noted: bool, accepted: dict[str, bool | None], seconds: float) -> Examined:
    share = max(tensor.share for judged in found.judged.values() for tensor in judged)
    blamed, cause, mend = [_last(fault.layer) for fault in found.faults], "", ""
    if found.fault is not None and found.fault.cause is not None:
        cause, mend = found.fault.cause.name, found.fault.cause.mend
    if found.curves is not None and found.curves.parted is not None:
        share = max(share, found.curves.shares[found.curves.parted])
        if not blamed and found.curves.cause is not None:
            cause, mend = found.curves.cause.name, found.curves.cause.mend
    if not found.same_function and not blamed and found.alone:
        blamed, cause = [found.alone[0].split(" ")[0]], "missing"
    return Examined(False, share if math.isfinite(share) else math.inf, blamed, cause, mend, noted, accepted, seconds)


def _last(name: str) -> str:
    """The name of a layer without the number of its call and the names of what it is in."""
    return name.split(" (")[0].rpartition("/")[2]


def _accepted(model: Any, port: Any, inputs: Array) -> Iterator[tuple[str, bool | None]]:
    """Yields what each tolerance says of the outputs in evaluation mode, with the weights of the port as they are."""
    with torch.no_grad():
        ours = model.eval()(torch.from_numpy(inputs)).numpy()
    there = inputs.transpose(0, 2, 3, 1) if inputs.ndim == 4 else inputs
    theirs = np.asarray(port(there, training=False))
    layout = closest(ours, theirs)
    for name, same in TOLERANCES.items():
        yield name, None if layout is None else same(ours, layout.back(theirs))
