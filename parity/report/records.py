"""The records of every kind, each with all its fields, and what was planned and is not among them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from parity.frameworks import implementations
from parity.results.planning import JOB, Plans
from parity.results.planning import KIND as PLANS
from parity.results.records import KINDS, PLANNED, is_crash, told
from parity.results.records import Json as Json
from parity.results.store import Results, ResultsError, stacks

# The kinds that the report tells of, each with the fields that it tells.
TOLD = {kind: fields for kind in KINDS if (fields := told(kind)) is not None}
LOOKED_FOR = [kind for kind in KINDS if kind in TOLD or kind in PLANNED]  # what is planned may be missing, or crash


def rank(implementation: str) -> int:
    """The place of an implementation wherever several stand side by side."""
    known = implementations()
    return known.index(implementation) if implementation in known else len(known)


def shortened(names: Iterable[str], most: int = 3) -> str:
    """The first few names, each once, and how many more there are."""
    found = list(dict.fromkeys(names))
    return ", ".join(found[:most]) + (f" and {len(found) - most} more" if len(found) > most else "")


UNPLANNED = "nobody wrote down what was planned, or what is not there: run again, or leave the folder out"


@dataclass
class Evidence:
    """All that the results folders hold.

    stacks: one entry for each, see `_stacks`
    kinds: records by kind, those that crashed left out
    crashes: the records that stand for what crashed, each with its kind
    missing: what was planned and is not there: stack, kind, keys and why
    plans: those of every stack, each with its stack and how many items it lists
    notes: sentences on what was odd
    """

    stacks: list[Json] = field(default_factory=list)
    kinds: dict[str, list[Json]] = field(default_factory=dict)
    crashes: list[Json] = field(default_factory=list)
    missing: list[Json] = field(default_factory=list)
    plans: list[Json] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read(folders: Sequence[Path]) -> Evidence:
    """All evidence in the folders; of one stack and key the last folder's record counts.

    Raises ResultsError for a folder that does not exist or has another version of the schema.
    """
    for folder in folders:
        if not folder.is_dir():
            raise ResultsError(f"{folder} is no folder: name a results/<stack> folder that a run has written")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        located = [_Folder(results, stack) for results, stack in stacks(folders)]
    found = Evidence(notes=sorted({str(each.message) for each in caught if each.category is UserWarning}))
    for kind in LOOKED_FOR:
        merged = {(f.stack, record["key"]): (f.stack, record) for f in located for record in f.records[kind]}
        if kind in TOLD:
            found.kinds[kind] = [
                {"stack": stack, "key": record["key"]} | {name: record[name] for name in TOLD[kind]}
                for stack, record in merged.values()
                if not is_crash(kind, record)
            ]
        found.crashes += [
            {"stack": stack, "kind": kind, "key": record["key"], "message": record.get("message", "")}
            for stack, record in merged.values()
            if is_crash(kind, record)
        ]
    for folder_of_stack in located:
        others = [other for other in located if other.stack == folder_of_stack.stack]
        found.missing += folder_of_stack.missing(others)
        found.plans += folder_of_stack.planned()
        found.notes += folder_of_stack.notes()
    found.stacks = _stacks(located, found)
    return found


class _Folder:
    """The records of one folder that answer its plans."""

    def __init__(self, results: Results, stack: str) -> None:
        self.stack, self.environment = stack, results.environment() or {}
        self.plans = Plans(results.read(PLANS))
        self.records, self.stale = {}, 0
        for kind in LOOKED_FOR:
            everything = results.read(kind)
            self.records[kind] = [record for record in everything if self.plans.answers(kind, record)]
            self.stale += len(everything) - len(self.records[kind])

    def missing(self, others: Sequence[_Folder]) -> list[Json]:
        """Rows on what was planned and is not there, nor in another folder of the stack: by plan and kind, with why."""
        found = []
        left = self.plans.unanswered(self.records)
        elsewhere = {(kind, record["key"]) for f in others for kind in LOOKED_FOR for record in f.records[kind]}
        for place in sorted({*left, *self.plans.unended()}):
            plan, why = self.plans.records[place], _why(self.plans.records[place])
            lost = {
                kind: [key for key in keys if (kind, key) not in elsewhere]
                for kind, keys in left.get(place, {}).items()
            }
            found += [self._missing(plan["command"], why, kind, keys, plan) for kind, keys in lost.items() if keys]
            if not any(lost.values()) and not plan["ended"]:
                found.append(self._missing(plan["command"], why, "", [], plan))
        found += [self._missing(command, f"{command} never began") for command in self.plans.never_begun()]
        if not self.plans.records and any(self.records[kind] for kind in PLANNED):
            found.append(self._missing("", UNPLANNED))
        return found

    def _missing(
        self, command: str, why: str, kind: str = "", keys: Sequence[str] = (), plan: Json | None = None
    ) -> Json:
        planned = len(plan["items"].get(kind, []) if plan else [])
        row = {"stack": self.stack, "command": command, "kind": kind, "keys": list(keys), "planned": planned}
        return row | {"why": why}

    def planned(self) -> list[Json]:
        fields = ["command", "begun", "ended", "stopped", "code", "commit", "lock"]
        fields += ["examples", "seed", "frameworks", "quick", "commands"]
        owners = self.plans.owners()
        return [
            {"stack": self.stack}
            | {name: plan[name] for name in fields}
            | {"items": {kind: len(keys) for kind, keys in plan["items"].items()}}
            for place, plan in enumerate(self.plans.records)
            if place in owners or plan["command"] == JOB
        ]

    def notes(self) -> list[str]:
        found = []
        if self.stale:
            found.append(
                f"{self.stack}: {self.stale} records of earlier runs were left out: they were planned again since"
            )
        codes = {plan["code"] for place, plan in enumerate(self.plans.records) if place in self.plans.owners()}
        if len(codes) > 1:
            found.append(f"{self.stack}: the records are of {len(codes)} versions of the code")
        return found


def _why(plan: Json) -> str:
    """The reason why something that this plan lists may not be there."""
    command = plan["command"]
    if plan["ended"]:
        return f"{command} ended without it"
    return f"{command} was stopped by {plan['stopped']}" if plan["stopped"] else f"{command} was killed, or still runs"


def _stacks(located: Sequence[_Folder], found: Evidence) -> list[Json]:
    """One entry for each stack, in the order given: environment, implementations seen, numbers of records."""
    environments: dict[str, Json] = {}
    for folder in located:
        environments[folder.stack] = environments.get(folder.stack, {}) | folder.environment
    return [
        {
            "name": stack,
            "python": environment.get("python", ""),
            "packages": environment.get("packages", {}),
            "lock": environment.get("lock", ""),
            "platform": environment.get("platform", ""),
            "processor": environment.get("processor", ""),
            "cores": environment.get("cores"),
            "blas": environment.get("blas", []),
            "threads": environment.get("threads", {}),
            "switches": environment.get("switches", {}),
            "implementations": _implementations(stack, found.kinds),
            "records": {kind: sum(r["stack"] == stack for r in records) for kind, records in found.kinds.items()},
        }
        for stack, environment in environments.items()
    ]


def _implementations(stack: str, kinds: dict[str, list[Json]]) -> list[str]:
    """The implementations of which this stack has results."""
    found: dict[str, None] = {}
    for record in kinds["checks"]:
        if record["stack"] == stack:
            found |= dict.fromkeys(["numpynet", *record["frameworks"]])
    for kind, name in (("curves", "losses"), ("runs", "implementation"), ("experiments", "implementation")):
        for record in kinds[kind]:
            if record["stack"] == stack and record[name]:
                found |= dict.fromkeys([record[name]] if isinstance(record[name], str) else record[name])
    return sorted(found, key=rank)
