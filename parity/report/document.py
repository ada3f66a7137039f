"""The contents of report.json, from which everything else in the report is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path

from parity.mutants.modules import kind
from parity.mutants.reasons import reason_of
from parity.report import absent
from parity.report.merging import largest
from parity.report.records import Evidence, Json, read
from parity.report.reds import reds
from parity.report.study import studies
from parity.report.verdict import quick, verdict
from parity.results.store import number_of

SCHEMA = 4  # of report.json, see schema.json
BY = ("apart", "used")  # what a mode is held against: the framework's other modes, numpynet
PICTURE = "data:image/png;base64,"


def build(folders: Sequence[Path]) -> Json:
    """The document on the results in `folders`; raises ResultsError as `records.read` does."""
    evidence = read(folders)
    stacks, kinds = evidence.stacks, evidence.kinds
    for curve in kinds["curves"]:
        curve["steps"] = list(range(curve["steps"]))
    decided = studies(kinds)
    allowances = _allowances(kinds["checks"])
    missing = absent.missing(evidence.missing, stacks)
    not_compared = absent.left_out(stacks, kinds, decided)
    return {
        "schema": SCHEMA,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "verdict": verdict(evidence, decided, missing, not_compared),
        "reds": reds(kinds, decided, evidence.crashes),
        "missing": missing,
        "not_compared": not_compared,
        "notes": _notes(evidence),
        "plans": evidence.plans,
        "planned_and_missing": evidence.missing,
        "crashes": evidence.crashes,
        "stacks": stacks,
        "same_examples": _same_examples(kinds["checks"]),
        "studies": decided,
        "checks": [{name: value for name, value in check.items() if name != "uses"} for check in kinds["checks"]],
        "allowances": allowances,
        "largest_by_pair": largest(allowances, ("stack", "pair", "dtype")),
        "largest_used": largest(allowances, ("stack",)),
        "cost": _cost(kinds["checks"]),
        "curves": kinds["curves"],
        "defects": kinds["defects"],
        "caught_by": caught_by(kinds["defects"]),
        "modes": [
            mode | {"largest": {by: _largest_share(mode[by].values()) for by in BY if mode[by]}}
            for mode in kinds["modes"]
        ],
        "comparisons": kinds["comparisons"],
        "refusals": kinds["refusals"],
        "specials": kinds["specials"],
        "differences": kinds["differences"],
        "defaults": kinds["defaults"],
        "promises": kinds["promises"],
        "experiments": [_experiment(record) for record in kinds["experiments"]],
        "derivatives": kinds["derivatives"],
        "calibration": kinds["calibration"],
        "soak": kinds["soak"],
        "soak_curves": kinds["soak-curves"],
        "machines": kinds["machines"],
        "twins": kinds["twins"],
        "mutants": kinds["mutants"],
        "mutant_scores": _scores(kinds["mutants"]),
        "runs": kinds["runs"],
    }


def _scores(mutants: Sequence[Json]) -> list[Json]:
    """How many mutants of numpynet and of parity's judgement were killed, by stack, and how many cannot be."""
    rows = []
    for stack, of in dict.fromkeys((mutant["stack"], kind(mutant["module"])) for mutant in mutants):
        own = [mutant for mutant in mutants if (mutant["stack"], kind(mutant["module"])) == (stack, of)]
        reasons = [reason_of(mutant["module"], mutant["diff"]) for mutant in own if not mutant["passed"]]
        equivalent = sum(reason is not None and reason.equivalent for reason in reasons)
        killed = len(own) - len(reasons)
        rows.append({"stack": stack, "of": of.value, "mutants": len(own), "killed": killed, "equivalent": equivalent})
    return rows


def _notes(evidence: Evidence) -> list[str]:
    """Sentences on what a reader should know of the records; what was left out has sentences of its own."""
    kinds = evidence.kinds
    partly = [
        f"{curve['stack']}: curve {curve['key']}: {curve['message']}"
        for curve in kinds["curves"]
        if curve["message"] and curve["passed"] is not None
    ]
    without = {defect["stack"] for defect in kinds["defects"] if defect["baseline"] is None}
    untried = [
        f"{stack}: the baseline was not tried on the defects: no framework that has one was installed"
        for stack in sorted(without)
    ]
    quickly = [quick(evidence.plans).rstrip(". ")] if quick(evidence.plans) else []
    return (
        quickly
        + evidence.notes
        + absent.unverified(kinds, evidence.stacks)
        + absent.elsewhere(kinds, evidence.stacks)
        + untried
        + partly
    )


def _same_examples(checks: Sequence[Json]) -> Json | None:
    """The number of pairs and dtypes that several stacks have in common, and those judged by differing examples.

    It is None where nothing is in common.
    """
    digests: dict[str, list[str]] = {}
    for check in checks:
        if check["digest"]:
            digests.setdefault(check["key"], []).append(check["digest"])
    several = {key: found for key, found in digests.items() if len(found) > 1}
    if not several:
        return None
    return {"compared": len(several), "differing": [key for key, found in several.items() if len(set(found)) > 1]}


def _allowances(checks: Sequence[Json]) -> list[Json]:
    """The shares of the allowance that were used: a row for each pair, dtype and quantity.

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


def _largest_share(shares: Iterable[float | None]) -> float | None:
    return max(shares, key=number_of, default=None)


def _cost(checks: Sequence[Json]) -> Json | None:
    """The cost of rungs 1 to 3: examples, seconds, and the seconds within the implementations' own calls."""
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


def caught_by(defects: Sequence[Json]) -> Json:
    """The number of defects that each rung of the ladder caught, and that each comparison of the baseline caught."""
    ladder: dict[str, int] = {}
    baseline: dict[str, int] = {}
    for defect in defects:
        if defect["passed"] is None:
            continue
        by = f"rung {defect['rung']}" if defect["passed"] else "nobody"
        ladder[by] = ladder.get(by, 0) + 1
        if defect["baseline"] is not None:
            by = defect["baseline"].get("by") or "nobody"
            baseline[by] = baseline.get(by, 0) + 1
    return {"ladder": dict(sorted(ladder.items())), "baseline": dict(sorted(baseline.items()))}


def _experiment(record: Json) -> Json:
    return record | {
        "pictures": {title: uri for title, uri in record["pictures"].items() if str(uri).startswith(PICTURE)},
        "curves": {
            title: {"x": list(range(1, len(values) + 1)), "y": values}
            for title, values in record["curves"].items()
            if values
        },
    }
