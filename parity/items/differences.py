"""The entries of the catalogue of known differences."""

from __future__ import annotations

from operator import itemgetter

from parity.catalogue import catalogue, measure
from parity.results.store import plain
from parity.work.performing import Item, Kind, Records
from parity.work.pool import Call

KIND = Kind("differences", itemgetter("holds"))


def calls() -> list[Call]:
    return [
        Call(Item(KIND, entry.id, {"topic": entry.topic, "title": entry.title}), demonstrate, (entry.id,))
        for entry in catalogue()
    ]


def demonstrate(entry: str) -> Records:
    record = measure(next(difference for difference in catalogue() if difference.id == entry))
    return [plain(record | {"holds": record["holds"] if record["measured"] else None})]
