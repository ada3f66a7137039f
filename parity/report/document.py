"""The contents of report.json, from which everything else in the report is drawn."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from parity.report.records import Json, read
from parity.report.study import studies
from parity.report.verdict import not_compared, verdict

SCHEMA = 2  # of report.json, see schema.json
BY = ("apart", "used")  # what a mode is held against: the framework's other modes, numpynet
PICTURE = "data:image/png;base64,"


def build(folders: Sequence[Path]) -> Json:
    """The document on the results in `folders`; raises ResultsError as `records.read` does."""
    stacks, kinds, notes = read(folders)
    for record in kinds["derivatives"]:
        record["pair"] = record["pair"] or record["key"]
        if record["holds"] is None:
            record["holds"] = record["used"] is not None and record["used"] <= 1
    for curve in kinds["curves"]:
        if isinstance(curve["steps"], int):  # a number of steps, counted from 0
            curve["steps"] = list(range(curve["steps"]))
    for cell in kinds["calibration"]:
        cell["passed"] = cell["lowest"] <= cell["rate"] <= cell["highest"]
    decided = studies(kinds)
    allowances = _allowances(kinds["checks"])
    return {
        "schema": SCHEMA,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "verdict": verdict(kinds, decided),
        "not_compared": not_compared(stacks, kinds, decided),
        "notes": notes + [f"{c['stack']}: curve {c['key']}: {c['message']}" for c in kinds["curves"] if c["message"]],
        "stacks": stacks,
        "studies": decided,
        "checks": [{name: value for name, value in check.items() if name != "uses"} for check in kinds["checks"]],
        "allowances": allowances,
        "largest_by_pair": _largest(allowances, ("stack", "pair", "dtype")),
        "largest_used": _largest(allowances, ("stack",)),
        "cost": _cost(kinds["checks"]),
        "curves": kinds["curves"],
        "defects": kinds["defects"],
        "caught_by": _caught_by(kinds["defects"]),
        "modes": [
            mode | {"largest": {by: _largest_share(mode[by].values()) for by in BY if mode[by]}}
            for mode in kinds["modes"]
        ],
        "refusals": kinds["refusals"],
        "differences": kinds["differences"],
        "experiments": [_experiment(record) for record in kinds["experiments"]],
        "derivatives": kinds["derivatives"],
        "calibration": kinds["calibration"],
        "runs": kinds["runs"],
    }


def _allowances(checks: Sequence[Json]) -> list[Json]:
    """Shares of the allowance used: a row for each pair, dtype and quantity.

    A share is None where it is infinite: an error where none was allowed, a missing tensor, a wrong shape or dtype.
    """
    rows: dict[tuple[str, str, str, str], Json] = {}
    for check in checks:
        for use in check["uses"]:
            place = (check["stack"], check["pair"], check["dtype"], use["quantity"])
            row = rows.setdefault(
                place, dict(zip(("stack", "pair", "dtype", "quantity"), place, strict=True)) | {"used": {}}
            )
            row["used"][use["implementation"]] = {"share": use.get("used"), "module": use.get("module", "")}
    return list(rows.values())


def _largest(allowances: Sequence[Json], fields: Sequence[str]) -> list[Json]:
    """Of the rows that agree in these fields, each implementation's largest share and where that was."""
    found: dict[tuple[str, ...], Json] = {}
    for row in allowances:
        place = tuple(row[field] for field in fields)
        group = found.setdefault(place, dict(zip(fields, place, strict=True)) | {"used": {}})
        for name, use in row["used"].items():
            known = group["used"].get(name)
            if known is None or _finite(use["share"]) > _finite(known["share"]):
                where = {field: row[field] for field in ("pair", "dtype", "quantity") if field not in fields}
                group["used"][name] = use | where
    return list(found.values())


def _finite(share: float | None) -> float:
    return math.inf if share is None else share


def _largest_share(shares: Iterable[float | None]) -> float | None:
    return max(shares, key=_finite, default=None)


def _cost(checks: Sequence[Json]) -> Json | None:
    """What rungs 1 to 3 cost: examples, seconds, and the seconds within the implementations' own calls."""
    seconds, inside = sum(check["seconds"] for check in checks), sum(check["seconds_inside"] for check in checks)
    if not (seconds and inside):
        return None
    examples = sum(check["examples"] for check in checks)
    return {
        "examples": examples,
        "seconds": seconds,
        "seconds_inside": inside,
        "ratio": seconds / inside,
        "examples_per_second": examples / seconds,
    }


def _caught_by(defects: Sequence[Json]) -> Json:
    """How many defects each rung of the ladder caught, and how many the usual way, by what."""
    ladder: dict[str, int] = {}
    usual: dict[str, int] = {}
    for defect in defects:
        by = f"rung {defect['rung']}" if defect["caught"] else "nobody"
        ladder[by] = ladder.get(by, 0) + 1
        if defect["usual"] is not None:
            by = defect["usual"].get("by") or "nobody"
            usual[by] = usual.get(by, 0) + 1
    return {"ladder": dict(sorted(ladder.items())), "usual": dict(sorted(usual.items()))}


def _curve(values: Any) -> Json | None:
    """{"x", "y"} of a list of numbers, counted from 1, or of such an object; None for anything else."""
    if isinstance(values, list):
        values = {"x": list(range(1, len(values) + 1)), "y": values}
    if not isinstance(values, dict) or not all(isinstance(values.get(axis), list) for axis in "xy"):
        return None
    numbers = all(value is None or isinstance(value, int | float) for axis in "xy" for value in values[axis])
    return {"x": values["x"], "y": values["y"]} if numbers and values["x"] else None


def _experiment(record: Json) -> Json:
    name, _, implementation = record["key"].rpartition("/")
    name = record["experiment"] or name or record["key"]
    return record | {
        "experiment": name,
        "implementation": record["implementation"] or implementation,
        "title": record["title"] or name,
        "pictures": {title: uri for title, uri in record["pictures"].items() if str(uri).startswith(PICTURE)},
        "curves": {title: curve for title, values in record["curves"].items() if (curve := _curve(values))},
    }
