"""Records of long measurements, the soaks, that are kept with the code, so that anyone goes on where a session ended.

There is a compressed file of JSON lines for each kind of record. A record says which packages, which processor and
which code it is of. Records of other code or packages say nothing about these, and are replaced when the measurement is
made anew.
"""

from __future__ import annotations

import functools
import json
import lzma
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from parity.results.packages import machine, packages
from parity.results.records import Json, current
from parity.results.store import Results

FOLDER = Path(__file__).with_name("kept")


def kept(kind: str) -> list[Json]:
    """The kept records of this kind that are of the installed packages, by whatever code they were made."""
    return [record for record in stored(kind) if record["packages"] == packages()]


def counted(results: Results, kind: str, counts: Callable[[Json], bool]) -> list[Json]:
    """The records of this kind for which `counts` holds, of the kept ones and those in `results`; each key once."""
    return list({record["key"]: record for record in [*kept(kind), *results.read(kind)] if counts(record)}.values())


def keep(kind: str, records: Iterable[Json]) -> Path:
    """Write these records, of the installed packages, in place of all that were kept of this kind; returns the path.

    Records that were kept before and are among them still name the processor that they are of.
    """
    here: dict[str, Any] = {"packages": packages(), "processor": machine()["processor"]}
    path = _path(kind)
    path.parent.mkdir(exist_ok=True)
    # No date and no name goes into the file: the same records make the same bytes.
    with lzma.open(path, "wt", encoding="utf-8", preset=9) as file:
        for record in records:
            # What the store says of itself stays there.
            content = {name: value for name, value in record.items() if name not in ("schema", "plan")}
            there = {name: content[name] or own for name, own in here.items()}
            file.write(json.dumps(content | there, allow_nan=False) + "\n")
    stored.cache_clear()
    return path


@functools.cache
def stored(kind: str) -> list[Json]:
    """The kept records of this kind, of whatever packages and code."""
    try:
        with lzma.open(_path(kind), "rt", encoding="utf-8") as file:
            return [current(kind, json.loads(line)) for line in file]
    except FileNotFoundError:
        return []


def _path(kind: str) -> Path:
    return FOLDER / f"{kind}.jsonl.xz"
