"""The ways of writing and running each model, in each dtype and framework."""

from __future__ import annotations

from collections.abc import Iterable

from parity.modes import asked, run_modes
from parity.results.records.ladder import ModeRecord
from parity.results.store import plain
from parity.work.performing import Item, Records
from parity.work.pool import Call

KIND = ModeRecord.KIND


def calls(frameworks: Iterable[str]) -> list[Call]:
    """All of them, the models that take longest first, so that no worker ends long after the others."""
    return [
        Call(
            Item(KIND, f"{model}/{dtype}/{name}/*", {"model": model, "dtype": dtype, "framework": name}),
            compare,
            (model, dtype, name),
        )
        for model, dtype in reversed(asked())
        for name in frameworks
    ]


def compare(model: str, dtype: str, framework: str) -> Records:
    return [plain(row.as_record()) for row in run_modes(model, dtype, framework)]
