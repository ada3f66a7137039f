"""Rung 4 of each network, in each dtype."""

from __future__ import annotations

from dataclasses import replace

from parity.formats import DTYPES
from parity.results.records.ladder import CurveRecord
from parity.results.store import plain
from parity.training.blame import blamed
from parity.training.curves import SEEDS, confirmed
from parity.training.recipes import CURVES
from parity.work.performing import Item, Records
from parity.work.pool import Call

KIND = CurveRecord.KIND


def calls(frameworks: list[str], quick: bool) -> list[Call]:
    """One call for each network and dtype, or for those of digits alone where it is `quick`.

    Those of images take longest by far: they come first, so that no worker is left with one at the end.
    """
    found = [
        Call(
            Item(KIND, f"{each.name}/{dtype}", {"name": each.name, "title": each.title, "dtype": dtype}),
            train,
            (each.name, dtype, frameworks),
        )
        for each in CURVES
        if not quick or each.name.startswith("digits")
        for dtype in DTYPES
    ]
    return sorted(found, key=lambda call: "images" not in call.about.key)


def train(name: str, dtype: str, frameworks: list[str]) -> Records:
    curve = confirmed(name, dtype, frameworks)
    if curve.passed is False:
        experiment = replace(next(each for each in CURVES if each.name == name), dtype=dtype)
        said = filter(None, (curve.message, blamed(curve, experiment, frameworks, SEEDS - 1)))
        curve = replace(curve, message="; ".join(said))
    return [plain(curve.as_record())]
