"""Plans: what a command is about to do, written down before it begins, so that what is missing afterwards is known.

A plan lists items, each the kind and the key of a record; a key that ends in * stands for every record whose key begins
so, of which there must be one at least. Records name the plan that they were made for. An item belongs to the last plan
that lists it, and only a record made for that plan, or for a later one, answers it: what an earlier run left says
nothing about a run that was killed.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timezone
from functools import cache
from typing import Any

from parity.results.code import ROOT, whole
from parity.results.packages import lock, machine
from parity.results.records import Json
from parity.results.records.plans import PlanRecord
from parity.results.store import Results, ResultsError

KIND = PlanRecord.KIND
JOB = "job"  # the plan of a job lists commands, not records
FULL_EXAMPLES = 60  # for each pair and dtype, of the main job; fewer are a quick look


@contextmanager
def planned(
    results: Results, command: str, items: Mapping[str, Iterable[str]], **content: Any
) -> Iterator[list[tuple[str, str]]]:
    """A context for making `items`, keys by kind: it records them as the plan of `command`.

    What is appended within names the plan. It yields a list, to which the items (kind, key) are added that turn out to
    have nothing to record. The plan is recorded again when it has ended, or was stopped by an exception. One that was
    killed has no end.
    """
    plan = _begun(command, items={kind: list(keys) for kind, keys in items.items()}, **content)
    results.append(KIND, plan.key, plan)
    outer, results.plan = results.plan, plan.key
    nothing: list[tuple[str, str]] = []
    try:
        yield nothing
    except BaseException as error:
        stopped = f"{type(error).__name__}: {error}".splitlines()[0].removesuffix(": ")
        with suppress(ResultsError):  # what stopped it counts, such as a disk that is full
            results.append(KIND, plan.key, replace(plan, stopped=stopped))
        raise
    finally:
        results.plan = outer
    results.append(KIND, plan.key, replace(plan, ended=_now(), nothing=nothing))


def begin(results: Results, commands: Sequence[str], quick: bool = False) -> None:
    """Record that a job is about to run these commands, since one that never starts leaves no plan of its own."""
    plan = _begun(JOB, commands=list(commands), quick=quick)
    results.append(KIND, plan.key, plan)


def _begun(command: str, **content: Any) -> PlanRecord:
    begun = _now()
    return PlanRecord(
        key=f"{command} {begun} {os.getpid()}",
        command=command,
        begun=begun,
        code=whole(),
        commit=_commit(),
        lock=lock(),
        machine=machine(),
        **content,
    )


def _now() -> str:
    return datetime.now(timezone.utc).isoformat()


@cache
def _commit() -> str:
    """The commit of this checkout; empty for an installed package.

    What was edited since shows in the digest of the code alone.
    """
    if not (ROOT / ".git").exists():
        return ""
    command = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    with suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    return ""


class Plans:
    """The plans in one folder, and which of its records answer them. A plan's place is its index among `records`."""

    def __init__(self, records: Sequence[Json]) -> None:
        self.records = list(records)
        self._order = {record["key"]: place for place, record in enumerate(self.records)}
        self._owners: dict[tuple[str, str], int] = {}
        for place, record in enumerate(self.records):
            for kind, keys in record["items"].items():
                self._owners |= {(kind, key): place for key in keys}
        self._patterns: dict[str, list[str]] = {}
        for kind, key in self._owners:
            if key.endswith("*"):
                self._patterns.setdefault(kind, []).append(key)

    def answers(self, kind: str, record: Json) -> bool:
        """Tells whether the record was made for the last plan that lists it or a later one; true where none does."""
        made_for = self._order.get(record["plan"], -1)
        return all(made_for >= self._owners[kind, item] for item in self._items(kind, record["key"]))

    def unanswered(self, found: Mapping[str, Iterable[Json]]) -> dict[int, dict[str, list[str]]]:
        """The items that none of these records answers, as keys by kind, by the place of the plan they belong to."""
        open_items = dict(self._owners)
        for place, record in enumerate(self.records):
            for kind, key in record["nothing"]:
                if open_items.get((kind, key)) == place:
                    del open_items[kind, key]
        for kind, records in found.items():
            for record in records:
                if self.answers(kind, record):
                    for item in self._items(kind, record["key"]):
                        open_items.pop((kind, item), None)
        left: dict[int, dict[str, list[str]]] = {}
        for (kind, key), place in open_items.items():
            left.setdefault(place, {}).setdefault(kind, []).append(key)
        return left

    def owners(self) -> set[int]:
        """The places of the plans that list anything that no later plan lists."""
        return set(self._owners.values())

    def unended(self) -> list[int]:
        """The places of the plans that have no end, unless later plans do all of it again."""
        return [place for place in sorted(self.owners()) if not self.records[place].get("ended")]

    def never_begun(self) -> list[str]:
        """The commands of the last job that have had no plan since."""
        jobs = [place for place, record in enumerate(self.records) if record["command"] == JOB]
        if not jobs:
            return []
        since = {record["command"] for record in self.records[jobs[-1] + 1 :]}
        return [command for command in self.records[jobs[-1]]["commands"] if command not in since]

    def _items(self, kind: str, key: str) -> list[str]:
        exact = [key] if (kind, key) in self._owners else []
        return exact + [item for item in self._patterns.get(kind, []) if item != key and key.startswith(item[:-1])]
