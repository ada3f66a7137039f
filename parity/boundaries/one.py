"""Measures every entry with what can be imported here: `python -m parity.boundaries.one FILE`, in a process of its own.

The outcome of an entry is what was found, whatever its condition says: of a refusal who refuses, of a difference
whether it is there as predicted. A boundary is where that changes.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from parity.differences import catalogue, measure
from parity.proving import targets
from parity.refusals import REFUSES, refusals
from parity.results import versions


def outcomes() -> dict[str, Any]:
    """The installed versions, and the outcome of every entry."""
    found: dict[str, str] = {}
    for target in targets():
        for refusal in refusals(target):
            found[refusal.key] = refusing(refusal.statuses)
    for entry in catalogue():
        there = _there(dataclasses.replace(entry, when=""))
        if there is not None:
            found[entry.id] = "there" if there else "not there"
    return {"versions": versions(), "outcomes": found}


def refusing(statuses: Mapping[str, str]) -> str:
    """Those that refuse, in one string."""
    return " ".join(who for who, status in statuses.items() if status == REFUSES)


def _there(entry: Any) -> bool | None:
    try:
        return measure(entry)["holds"]
    except (AttributeError, ImportError, TypeError):  # what it calls is not in this release
        return False


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(outcomes(), indent=1) + "\n", encoding="utf-8")
