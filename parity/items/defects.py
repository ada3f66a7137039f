"""The planted defects, one at a time."""

from __future__ import annotations

from collections.abc import Iterable

from parity.defects import Defect, gallery, run
from parity.results.records.facts import DefectRecord
from parity.results.store import plain
from parity.work.memory import forgetting
from parity.work.performing import Item, Records
from parity.work.pool import Call

KIND = DefectRecord.KIND


def calls(defects: Iterable[Defect], shrink: bool) -> list[Call]:
    return [
        Call(Item(KIND, each.name, {"title": each.title, "target": each.target.__name__}), plant, (each.name, shrink))
        for each in defects
    ]


@forgetting(every=16)
def plant(name: str, shrink: bool) -> Records:
    return [plain(run(next(defect for defect in gallery() if defect.name == name), shrink=shrink))]
