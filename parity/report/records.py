"""The records of every kind, each with all its fields, and what was planned and is not among them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parity.frameworks import implementations
from parity.results.planning import CRASHED, JOB, Plans
from parity.results.planning import KIND as PLANS
from parity.results.store import Results, ResultsError, stacks

Json = dict[str, Any]

# How far right implementations stray, as both soaks tell it.
STRAYED: Json = {
    "dtype": "",
    "implementation": "",
    "quantity": "",
    "alarms": 0,
    "largest": None,
    "quantiles": {},
    "tail": None,
    "tail_interval": None,
    "threshold": None,
    "exceedances": 0,
    "seeds": [],
    "message": "",
}
# The fields of a record of each kind, with what stands in for one that is missing.
FIELDS: dict[str, Json] = {
    "checks": {
        "pair": "",
        "dtype": "",
        "frameworks": [],
        "examples": 0,
        "seconds": 0.0,
        "seconds_inside": 0.0,
        "uses": [],
        "failure": None,
        "failed_rung": None,
        "failed_quantity": None,
        "failed_after": None,
        "shrunk": None,
        "seed": None,
        "digest": "",
    },
    "derivatives": {
        "pair": "",
        "examples": 0,
        "used": None,
        "kinks": 0,
        "resolution": None,
        "holds": None,
        "message": "",
    },
    "refusals": {
        "pair": "",
        "wrong": "",
        "statuses": {},
        "expected": None,
        "reason": None,
        "messages": {},
        "holds": None,
        "measured": True,
        "boundary": "",
        "message": "",
    },
    "differences": {
        "topic": "",
        "title": "",
        "does": {},
        "mapping": "",
        "predicted": None,
        "naive": None,
        "mapped": None,
        "holds": None,
        "measured": True,
        "when": "",
        "boundary": "",
        "message": "",
        "sources": [],
    },
    "modes": {
        "model": "",
        "dtype": "",
        "framework": "",
        "mode": "",
        "execution": "",
        "used": {},
        "apart": {},
        "status": "not run",
        "note": "",
    },
    "defects": {
        "title": "",
        "target": "",
        "source": "",
        "caught": None,
        "rung": None,
        "quantity": None,
        "examples": None,
        "shrunk": None,
        "message": "",
        "usual": None,
    },
    "curves": {
        "title": "",
        "dtype": "",
        "steps": [],
        "compared": None,
        "losses": {},
        "envelope": [],
        "allowed": [],
        "used": {},
        "worst_step": {},
        "validation": None,
        "passed": None,
        "message": "",
    },
    "runs": {
        "study": "",
        "arm": "",
        "implementation": "",
        "seed": 0,
        "status": "",
        "accuracy": None,
        "initial_loss": None,
        "final_loss": None,
        "initial_weights": "",
        "final_weights": "",
        "batch_order": "",
        "optimizer_steps": None,
        "correct": None,
        "seconds": None,
        "message": "",
    },
    "studies": {"preregistration": {}, "verdict": None, "arms": {}, "message": ""},
    "experiments": {
        "experiment": "",
        "title": "",
        "implementation": "",
        "requirement": "",
        "yardstick": "",
        "seeds": [],
        "passed": None,
        "summary": "",
        "figures": {},
        "curves": {},
        "pictures": {},
        "accuracies": {},
        "effects": [],
        "tables": {},
    },
    "calibration": {
        "kind": "",
        "procedure": "",
        "law": "",
        "size": 0,
        "noise": 0.0,
        "difference_over_margin": 0.0,
        "replications": 0,
        "rate": 0.0,
        "expected": 0.0,
        "lowest": 0.0,
        "highest": 1.0,
    },
    "soak": {"pair": "", "examples": 0} | STRAYED,
    "soak-curves": {"network": "", "curves": 0} | STRAYED,
    "soak-chunks": {"pair": "", "dtype": "", "seed": 0, "examples": 0, "alarm": None},
    "twins": {"passed": None, "message": "", "usual": None},
    "machines": {
        "machine": "",
        "describes": "",
        "asked": {},
        "job": "",
        "status": "",
        "counts": {},
        "message": "",
        "seconds": None,
    },
}
# Kinds of which every record is one thing that was looked at, in the order of junit's suites.
CASES = ("checks", "derivatives", "refusals", "differences", "modes", "defects", "twins", "curves", "experiments")
# What the commands plan before they make it. Runs are the study's, and what else there is counts itself.
PLANNED = (*CASES, "studies", "calibration")


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
    for kind, fields in FIELDS.items():
        merged = {(f.stack, record["key"]): (f.stack, record) for f in located for record in f.records[kind]}
        everything = [
            {"stack": stack, "key": record["key"]} | {name: record.get(name, other) for name, other in fields.items()}
            for stack, record in merged.values()
            if record.get("status") != CRASHED or kind == "runs"
        ]
        found.kinds[kind] = everything
        found.crashes += [
            {"stack": stack, "kind": kind, "key": record["key"], "message": record.get("message", "")}
            for stack, record in merged.values()
            if record.get("status") == CRASHED and kind != "runs"
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
        for kind in FIELDS:
            everything = results.read(kind)
            self.records[kind] = [record for record in everything if self.plans.answers(kind, record)]
            self.stale += len(everything) - len(self.records[kind])

    def missing(self, others: Sequence[_Folder]) -> list[Json]:
        """Rows on what was planned and is not there, nor in another folder of the stack: by plan and kind, with why."""
        found = []
        left = self.plans.unanswered(self.records)
        elsewhere = {(kind, record["key"]) for f in others for kind in FIELDS for record in f.records[kind]}
        for place in sorted({*left, *self.plans.unended()}):
            plan, why = self.plans.records[place], _why(self.plans.records[place])
            lost = {
                kind: [key for key in keys if (kind, key) not in elsewhere]
                for kind, keys in left.get(place, {}).items()
            }
            found += [self._missing(plan["command"], why, kind, keys, plan) for kind, keys in lost.items() if keys]
            if not any(lost.values()) and not plan.get("ended"):
                found.append(self._missing(plan["command"], why, "", [], plan))
        found += [self._missing(command, f"{command} never began") for command in self.plans.never_begun()]
        if not self.plans.records and any(self.records[kind] for kind in PLANNED):
            found.append(self._missing("", UNPLANNED))
        return found

    def _missing(
        self, command: str, why: str, kind: str = "", keys: Sequence[str] = (), plan: Json | None = None
    ) -> Json:
        planned = len((plan or {}).get("items", {}).get(kind, []))
        row = {"stack": self.stack, "command": command, "kind": kind, "keys": list(keys), "planned": planned}
        return row | {"why": why}

    def planned(self) -> list[Json]:
        fields = ("command", "begun", "ended", "stopped", "code", "commit", "lock", "examples", "seed", "frameworks")
        owners = self.plans.owners()
        return [
            {"stack": self.stack}
            | {name: plan.get(name) for name in fields}
            | {"quick": bool(plan.get("quick")), "commands": plan.get("commands", [])}
            | {"items": {kind: len(keys) for kind, keys in plan.get("items", {}).items()}}
            for place, plan in enumerate(self.plans.records)
            if place in owners or plan["command"] == JOB
        ]

    def notes(self) -> list[str]:
        found = []
        if self.stale:
            found.append(
                f"{self.stack}: {self.stale} records of earlier runs were left out: they were planned again since"
            )
        codes = {plan.get("code") for place, plan in enumerate(self.plans.records) if place in self.plans.owners()}
        if len(codes) > 1:
            found.append(f"{self.stack}: the records are of {len(codes)} versions of the code")
        return found


def _why(plan: Json) -> str:
    """The reason why something that this plan lists may not be there."""
    command = plan["command"]
    if plan.get("ended"):
        return f"{command} ended without it"
    return (
        f"{command} was stopped by {plan['stopped']}" if plan.get("stopped") else f"{command} was killed, or still runs"
    )


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
