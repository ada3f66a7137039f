"""Records of every kind, each with all its fields, whatever the results folders lack."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from parity.results import Results, ResultsError, read_all

Json = dict[str, Any]
ORDER = ("numpynet", "torch", "tensorflow")

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
    },
    "differences": {
        "topic": "",
        "title": "",
        "torch": "",
        "keras": "",
        "tensorflow": "",
        "mapping": "",
        "predicted": None,
        "naive": None,
        "mapped": None,
        "holds": None,
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
}


def rank(implementation: str) -> int:
    """Its place wherever implementations stand side by side."""
    return ORDER.index(implementation) if implementation in ORDER else len(ORDER)


def shortened(names: Iterable[str], most: int = 3) -> str:
    """The first few, each once, and how many more there are."""
    found = list(dict.fromkeys(names))
    return ", ".join(found[:most]) + (f" and {len(found) - most} more" if len(found) > most else "")


def read(folders: Sequence[Path]) -> tuple[list[Json], dict[str, list[Json]], list[str]]:
    """Stacks, records by kind and what was odd in reading them (torn lines), each as sentences.

    Raises ResultsError for a folder that does not exist or has another version of the schema.
    """
    for folder in folders:
        if not folder.is_dir():
            raise ResultsError(f"{folder} is no folder: name a results/<stack> folder that a run has written")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        kinds = {kind: _records(folders, kind) for kind in FIELDS}
        stacks = _stacks(folders, kinds)
    return stacks, kinds, sorted({str(each.message) for each in caught if each.category is UserWarning})


def _records(folders: Sequence[Path], kind: str) -> list[Json]:
    return [
        {"stack": stack, "key": record["key"]} | {name: record.get(name, other) for name, other in FIELDS[kind].items()}
        for stack, record in read_all(folders, kind)
    ]


def _stacks(folders: Sequence[Path], kinds: dict[str, list[Json]]) -> list[Json]:
    """One entry for each stack, in the order given: environment, implementations seen, numbers of records."""
    environments: dict[str, Json] = {}
    for results in map(Results, folders):
        environments[results.stack] = environments.get(results.stack, {}) | (results.environment() or {})
    return [
        {
            "name": stack,
            "python": environment.get("python", ""),
            "packages": environment.get("packages", {}),
            "platform": environment.get("platform", ""),
            "processor": environment.get("processor", ""),
            "cores": environment.get("cores"),
            "blas": environment.get("blas", []),
            "threads": environment.get("threads", {}),
            "implementations": _implementations(stack, kinds),
            "records": {kind: sum(record["stack"] == stack for record in records) for kind, records in kinds.items()},
        }
        for stack, environment in environments.items()
    ]


def _implementations(stack: str, kinds: dict[str, list[Json]]) -> list[str]:
    """Those of which there are results."""
    found: dict[str, None] = {}
    for record in kinds["checks"]:
        if record["stack"] == stack:
            found |= dict.fromkeys(["numpynet", *record["frameworks"]])
    for kind, field in (("curves", "losses"), ("runs", "implementation"), ("experiments", "implementation")):
        for record in kinds[kind]:
            if record["stack"] == stack and record[field]:
                found |= dict.fromkeys([record[field]] if isinstance(record[field], str) else record[field])
    return sorted(found, key=rank)
