"""The undamaged twins of the planted defects."""

from __future__ import annotations

from parity.defects.twins import run_twin, targets
from parity.results.records.facts import TwinRecord
from parity.results.store import plain
from parity.work.memory import forgetting
from parity.work.performing import Item, Records
from parity.work.pool import Call

KIND = TwinRecord.KIND


def calls(frameworks: list[str], examples: int) -> list[Call]:
    return [Call(Item(KIND, name, {}), look_at, (name, frameworks, examples)) for name in targets()]


@forgetting(every=16)
def look_at(name: str, frameworks: list[str], examples: int) -> Records:
    return [plain(run_twin(name, frameworks, examples))]
