"""Writes drift.json, drift.md and drift.html, the latter two from the document alone."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from parity.drift.document import Drift
from parity.report.page import environment
from parity.results.records import Json
from parity.results.store import number_of, plain

LARGE = 2.0  # units in the last place: by one, two implementations that each round once may be apart, and by no more


def write_drift(drift: Drift, out: str | os.PathLike[str]) -> None:
    """Write the three files to the folder `out`."""
    text = json.dumps(plain(drift), indent=1, allow_nan=False, ensure_ascii=False)
    document = json.loads(text)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "drift.json": text + "\n",
        "drift.md": _rendered("drift.md", document),
        "drift.html": _rendered("drift.html", document),
    }
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")


def _rendered(template: str, document: Json) -> str:
    made = environment().overlay()
    made.filters |= {"ulp": ulp, "heat": heat, "joined": joined, "element": element, "appeared": appeared}
    return made.get_template(template).render(document, many=len(document["steps"]) > 1)


def ulp(value: float | None) -> str:
    """A number of units in the last place; "∞" stands for None, "0" for exactly 0 alone."""
    if value is None:
        return "∞"
    if value < 0.01:
        return "< 0.01" if value else "0"
    digits = ".2g" if value < 100 else ".0f" if value < 1e6 else ".1e"
    return f"{value:{digits}}"


def heat(cell: Json) -> str:
    """The tone of a cell of the history."""
    if cell["behaviour"] or cell["beyond"]:
        return "different"
    if not cell["moved"]:
        return "held" if cell["compared"] else "partial"
    return "inconclusive" if number_of(cell["ulps"]) > LARGE else "partial"


def joined(versions: Iterable[Json]) -> str:
    """Packages, or parts of a machine, with what they were and became."""
    return ", ".join(f"{each['name']} {each['before'] or 'none'} → {each['after'] or 'none'}" for each in versions)


def element(move: Json) -> str:
    """The element that moved furthest, and its values before and after."""
    values = (f"{value:.9g}" if value is not None else "not finite" for value in (move["before"], move["after"]))
    return f"{move['element']}: {' → '.join(values)}"


def appeared(releases: Iterable[Json]) -> str:
    """The releases in which something appeared, each with the one before it."""
    return ", ".join(f"{each['name']} {each['after']} (not {each['before']})" for each in releases)
