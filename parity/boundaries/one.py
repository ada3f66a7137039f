"""Measures entries with what can be imported here: `python -m parity.boundaries.one FILE PART ...`.

It runs in a process of its own. A part is "refusals", "specials" or a topic of the catalogue of differences; FILE
keeps what it has of the others. The outcome of an entry is what was found, whatever its condition says: for a refusal
who refuses, for a special value what is not as in numpynet, for a difference whether it is there as predicted. A
boundary is where that changes.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from numpynet import ReLU
from parity.catalogue import catalogue, measure
from parity.catalogue.attempt import attempted, right
from parity.catalogue.kernels import kernels
from parity.catalogue.refusal import REFUSES, refusals
from parity.catalogue.special import as_outcome, tried
from parity.frameworks import NUMPYNET, available
from parity.ladder.proving import targets
from parity.results.packages import versions

REFUSALS, SPECIALS = "refusals", "specials"


def outcomes(part: str) -> Iterator[tuple[str, str]]:
    """Yields each entry of one part that can be measured here, with its outcome."""
    if part == REFUSALS:
        for target in targets():
            for refusal in refusals(target):
                yield refusal.key, refusing(refusal.statuses)
    if part == SPECIALS:
        for target in targets():
            for each in tried(target):
                yield f"{each.pair}/{each.value}", as_outcome(each)
    for entry in catalogue():
        if entry.topic == part:
            there = _there(dataclasses.replace(entry, when=""))
            if there is not None:
                yield entry.id, "there" if there else "not there"


def refusing(statuses: Mapping[str, str]) -> str:
    """The names of the implementations that refuse, in one string."""
    return " ".join(who for who, status in statuses.items() if status == REFUSES)


def _there(entry: Any) -> bool | None:
    try:
        return measure(entry).passed
    except Exception:  # what it calls is not in this release, or is refused by it, each with an error of its own
        return False


def add(record: dict[str, Any], parts: list[str]) -> dict[str, Any]:
    """`record` with what was found here of `parts` added to it.

    What a framework raises for a plain input is raised: it does not work beside the others, and has refused nothing.
    """
    for name in (NUMPYNET, *available()):
        attempted(name, right(ReLU))
    found = {part: dict(outcomes(part)) for part in parts}
    by = kernels() if "tensorflow" in available() else None
    return record | {"versions": versions(), "kernels": by, "outcomes": record.get("outcomes", {}) | found}


if __name__ == "__main__":
    file = Path(sys.argv[1])
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    file.write_text(json.dumps(add(known, sys.argv[2:]), indent=1) + "\n", encoding="utf-8")
