"""What each implementation refuses of the wrong inputs and settings of each class."""

from __future__ import annotations

from collections.abc import Iterable

from parity.catalogue.refusal import measure_refusals
from parity.items.classes import ClassName
from parity.results.records.facts import RefusalRecord
from parity.results.store import plain
from parity.work.performing import Item, Records
from parity.work.pool import Call

KIND = RefusalRecord.KIND


def calls(classes: Iterable[ClassName], frameworks: list[str]) -> list[Call]:
    return [Call(Item(KIND, f"{of.name}/*", {"pair": of.name}), attempt, (of, frameworks)) for of in classes]


def attempt(of: ClassName, frameworks: list[str]) -> Records:
    return [plain(record) for record in measure_refusals(of.load(), frameworks)]
