"""What each implementation makes of special values, such as NaN, in every class."""

from __future__ import annotations

from collections.abc import Iterable

from parity.catalogue.special import measure_specials
from parity.items.classes import ClassName
from parity.results.records.facts import SpecialRecord
from parity.results.store import plain
from parity.work.performing import Item, Records
from parity.work.pool import Call

KIND = SpecialRecord.KIND


def calls(classes: Iterable[ClassName], frameworks: list[str]) -> list[Call]:
    """One call for each class."""
    return [Call(Item(KIND, f"{of.name}/*", {"pair": of.name}), compare, (of, frameworks)) for of in classes]


def compare(of: ClassName, frameworks: list[str]) -> Records:
    return [plain(record) for record in measure_specials(of.load(), frameworks)]
