"""What numpynet's docstrings promise, topic by topic."""

from __future__ import annotations

from parity.catalogue.promises import TOPICS
from parity.catalogue.promises import promises as tried
from parity.results.records.facts import PromiseRecord
from parity.results.store import plain
from parity.work.performing import Item, Records
from parity.work.pool import Call

KIND = PromiseRecord.KIND


def calls(frameworks: list[str]) -> list[Call]:
    """One call for each topic."""
    return [Call(Item(KIND, f"{topic}/*", {}), read, (topic, frameworks)) for topic in TOPICS]


def read(topic: str, frameworks: list[str]) -> Records:
    return [plain(promise.as_record()) for promise in tried(topic, frameworks)]
