"""What changed in the training of a maintainer's own model, where two recordings have one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from numpynet import Array
from parity.comparison.recording import DescribedPart
from parity.comparison.sides.recorded import ALLOWED, CURVE, LOSSES
from parity.drift.change import change
from parity.drift.document import Change, CurveMove, Missing
from parity.drift.numbers import changed
from parity.drift.origins import differing
from parity.drift.recordings import Found, Recording
from parity.ladder.judge import errors, shares

# What has to be the same, and what to do where it is not.
GIVEN = {
    "batches": "draw them by a seed, or read them from a file",
    "masks": "record both with the same seed, of layers that drop as often",
}


def compare(name: str, old: Recording, new: Recording, found: Found) -> None:
    """Add what changed in the training of one model, where one was recorded."""
    both = old.header.curve, new.header.curve
    if both == (None, None) and not (old.header.uncurved or new.header.uncurved):
        return
    if both[0] is None or both[1] is None:
        why = new.header.uncurved or old.header.uncurved or "one of the two has no training"
        found.missing.append(Missing(what="curves", why=why, keys=[name]))
        return
    for what in ("optimizer", "loss"):
        first, then = (getattr(curve, what) for curve in both)
        found.behaviour += _described(f"{name}, {what}", new.header.framework, first, then)
    for given, what_to_do in GIVEN.items():
        names = [each for each in {**old.arrays, **new.arrays} if each.startswith(f"{CURVE}/{given}/")]
        if any(not _alike(*(recording.arrays.get(each) for recording in (old, new))) for each in names):
            why = f"the {given} are not the same: {what_to_do}"
            found.missing.append(Missing(what="curves", why=why, keys=[name]))
            return
    found.curves += 1
    first, then = (each.arrays[f"{CURVE}/{LOSSES}"] for each in (old, new))
    if apart := np.flatnonzero(changed(first, then)).tolist():
        found.moved.append(_curve(name, old, first, then, apart))


def _alike(old: Array | None, new: Array | None) -> bool:
    return old is not None and new is not None and np.array_equal(old, new)


def _described(key: str, of: str, old: DescribedPart, new: DescribedPart) -> Iterator[Change]:
    """Yields what is set otherwise; what is new or gone has a default, and shows in the losses if anywhere."""
    if old.title != new.title:
        yield change("settings", key, of, (old.title, new.title))
        return
    for each in differing(old.settings, new.settings):
        said = each.before, each.after
        yield change("settings", f"{key} {each.name}", of, said, harmless="" in said)


def _curve(name: str, old: Recording, first: Array, then: Array, apart: list[int]) -> CurveMove:
    assert old.header.curve is not None
    compared = old.header.curve.compared
    distances, allowed = errors(then, first), old.arrays[f"{CURVE}/{ALLOWED}"]
    used = float(np.max(shares(then, first, allowed)[:compared], initial=0))
    return CurveMove(
        key=name,
        of=old.header.framework,
        step=apart[0] + 1,
        distance=float(np.max(distances)),
        used_before=0.0,
        used_after=used,
        beyond=not used <= 1,
    )
