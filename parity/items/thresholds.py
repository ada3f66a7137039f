"""How small an error of a framework is seen, class by class."""

from __future__ import annotations

from collections.abc import Iterable

from parity.ladder.proving import mapped, targets
from parity.results.code import judging
from parity.results.records import Json
from parity.results.records.facts import ThresholdRecord
from parity.results.store import plain
from parity.thresholds.measuring import quantities, thresholds
from parity.work.memory import forgetting
from parity.work.performing import Item, Records
from parity.work.pool import Call

KIND = ThresholdRecord.KIND
ROOMS = ("frameworks", "ladder", "thresholds")


def calls(
    pairs: Iterable[tuple[type, str]], framework: str, frameworks: list[str], examples: int, seed: int
) -> list[Call]:
    """A call for each class and dtype, which makes a record of each quantity that is scaled."""
    return [
        Call(
            Item(KIND, f"{target.__name__}/{dtype}/*", {}),
            measure,
            (target.__name__, dtype, framework, frameworks, examples, seed),
        )
        for target, dtype in pairs
        if mapped(target, [framework])
    ]


@forgetting()
def measure(target: str, dtype: str, framework: str, frameworks: list[str], examples: int, seed: int) -> Records:
    of = next(each for each in targets() if each.__name__ == target)
    return [
        plain(
            ThresholdRecord(
                key=f"{target}/{dtype}/{found.quantity}",
                passed=set(found.accused) <= {framework},
                target=target,
                dtype=dtype,
                quantity=found.quantity,
                framework=framework,
                ulps=found.ulps,
                examples=examples,
                seed=seed,
                seen_in=found.seen_in,
                accused=list(found.accused),
                code=judging(*ROOMS),
            )
        )
        for found in thresholds(of, dtype, framework, frameworks, examples, seed)
    ]


def counts(record: Json, framework: str, examples: int, seed: int) -> bool:
    """Tells whether a record is what would be measured now, by this code."""
    return (record["framework"], record["examples"], record["seed"], record["code"]) == (
        framework,
        examples,
        seed,
        judging(*ROOMS),
    )


def measured(records: Records, target: type, dtype: str) -> bool:
    """Tells whether `records` have everything of a class and dtype."""
    found = {record["key"] for record in records}
    return {f"{target.__name__}/{dtype}/{quantity}" for quantity in quantities(target)} <= found
