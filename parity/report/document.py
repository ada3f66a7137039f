"""The contents of report.json, from which everything else in the report is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from parity.report.records import Json, read
from parity.report.study import studies
from parity.report.verdict import not_compared, verdict

SCHEMA = 1  # of report.json, see schema.json
ORDER = ("numpynet", "torch", "tensorflow")
PICTURE = "data:image/png;base64,"


def build(folders: Sequence[Path]) -> Json:
    """The document on the results in `folders`; raises ResultsError as `records.read` does."""
    stacks, kinds, notes = read(folders)
    for stack in stacks:
        stack["implementations"].sort(key=_rank)
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
    allowances, largest = _allowances(kinds["checks"])
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
        "largest_used": largest,
        "cost": _cost(kinds["checks"]),
        "curves": kinds["curves"],
        "defects": kinds["defects"],
        "caught_by": _caught_by(kinds["defects"]),
        "refusals": kinds["refusals"],
        "differences": kinds["differences"],
        "experiments": [_experiment(record) for record in kinds["experiments"]],
        "derivatives": kinds["derivatives"],
        "calibration": kinds["calibration"],
        "runs": kinds["runs"],
    }


def _rank(implementation: str) -> int:
    return ORDER.index(implementation) if implementation in ORDER else len(ORDER)


def _allowances(checks: Sequence[Json]) -> tuple[list[Json], list[Json]]:
    """Shares of the allowance used: a row for each pair, dtype and quantity; and each implementation's largest.

    A share is None where it is infinite: an error where none was allowed, a missing tensor, a wrong shape or dtype.
    """
    rows: dict[tuple[str, str, str, str], Json] = {}
    largest: dict[tuple[str, str], Json] = {}
    for check in checks:
        for use in check["uses"]:
            place = (check["stack"], check["pair"], check["dtype"], use["quantity"])
            row = rows.setdefault(
                place, dict(zip(("stack", "pair", "dtype", "quantity"), place, strict=True)) | {"used": {}}
            )
            name, used = use["implementation"], use.get("used")
            row["used"][name] = {"share": used, "module": use.get("module", "")}
            top = largest.setdefault((check["stack"], name), {"share": 0.0})
            if used is None or (top["share"] is not None and used >= top["share"]):
                where = {"pair": check["pair"], "dtype": check["dtype"], "quantity": use["quantity"]}
                top |= {"stack": check["stack"], "implementation": name, "share": used, **where}
    return list(rows.values()), list(largest.values())


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
    """Figures split into numbers and PNG pictures; anything else that claims to be a picture is left out."""
    figures, pictures = record["figures"], record["pictures"]
    pictures = {"": pictures} if isinstance(pictures, str) else dict(pictures or {})
    pictures |= {name: value for name, value in figures.items() if isinstance(value, str) and value.startswith("data:")}
    name, _, implementation = record["key"].rpartition("/")
    return record | {
        "experiment": name or record["key"],
        "implementation": record["implementation"] or implementation,
        "title": record["title"] or name or record["key"],
        "figures": {
            name: value
            for name, value in figures.items()
            if name not in pictures and isinstance(value, int | float | str | None)
        },
        "pictures": {name: value for name, value in pictures.items() if value.startswith(PICTURE)},
        "curves": {name: curve for name, values in record["curves"].items() if (curve := _curve(values))},
    }
