"""The defaults of every argument, ours and the frameworks'."""

from __future__ import annotations

from parity.catalogue.defaults import DEFAULTS
from parity.results.records.facts import DefaultRecord
from parity.results.store import plain
from parity.work.performing import Item, Records
from parity.work.pool import Call

KIND = DefaultRecord.KIND


def calls() -> list[Call]:
    """One call for all: what it takes is to import the frameworks."""
    return [Call(Item(KIND, "*", {}), read)]


def read() -> Records:
    return [plain(default.as_record()) for default in DEFAULTS]
