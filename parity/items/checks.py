"""Rungs 1 to 3 of each class, in each dtype."""

from __future__ import annotations

from collections.abc import Iterable

from parity.items.classes import ClassName
from parity.ladder.proving import prove
from parity.results.records.ladder import CheckRecord
from parity.results.store import plain
from parity.work.memory import forgetting
from parity.work.performing import Item, Records
from parity.work.pool import Call

KIND = CheckRecord.KIND
LONGEST = ("Graph", "Sequential")


def calls(
    classes: Iterable[ClassName],
    dtypes: Iterable[str],
    examples: int,
    frameworks: list[str],
    seed: int | None,
    guided: bool = False,
) -> list[Call]:
    """One call for each class and dtype, the longest first, so that no worker is left with a long one at the end."""
    return [
        Call(
            Item(KIND, f"{of.name}/{dtype}", {"pair": of.name, "dtype": dtype, "frameworks": frameworks}),
            judge,
            (of, dtype, examples, frameworks, seed, guided),
        )
        for of in sorted(classes, key=lambda of: of.name not in LONGEST)
        for dtype in dtypes
    ]


@forgetting(every=4)
def judge(
    of: ClassName, dtype: str, examples: int, frameworks: list[str], seed: int | None, guided: bool = False
) -> Records:
    report = prove(of.load(), dtype, examples=examples, frameworks=frameworks, random_seed=seed, guided=guided)
    return [plain(report.as_record())]
