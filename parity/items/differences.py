"""The entries of the catalogue of known differences."""

from __future__ import annotations

from parity.catalogue import catalogue, measure
from parity.results.records.facts import DifferenceRecord
from parity.results.store import plain
from parity.work.performing import Item, Records
from parity.work.pool import Call

KIND = DifferenceRecord.KIND


def calls() -> list[Call]:
    return [
        Call(Item(KIND, entry.id, {"topic": entry.topic, "title": entry.title}), demonstrate, (entry.id,))
        for entry in catalogue()
    ]


def demonstrate(entry: str) -> Records:
    return [plain(measure(next(difference for difference in catalogue() if difference.id == entry)))]
