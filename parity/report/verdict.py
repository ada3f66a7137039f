"""The banner: what was shown on the whole, from the ladder's rungs, the controls and the studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from parity.report.records import ORDER, Json, shortened
from parity.report.study import GREEN
from parity.statistics import Outcome, points
from parity.statistics.power import LARGEST_STUDY

RUNGS = (
    (1, "output", "same function?"),
    (2, "gradient", "same derivative?"),
    (3, "step", "same update?"),
    (4, "curve", "same training?"),
    (5, "accuracy", "same result?"),
)
EXIT_CODES = {"held": 0, "partial": 0, "different": 1, "inconclusive": 2, "invalid": 3}
KINDS = {
    "checks": "outputs, gradients and steps (rungs 1 to 3)",
    "curves": "training curves (rung 4)",
    "studies": "final accuracies (rung 5)",
    "derivatives": "the reference's derivatives against numerical differentiation",
    "refusals": "which inputs are refused",
    "differences": "the catalogue of known differences",
    "modes": "the ways of writing the same model",
    "defects": "planted defects: whether the suite can turn red",
}


def verdict(kinds: Mapping[str, list[Json]], studies: Sequence[Json]) -> Json:
    """Status, exit code, headline, the ladder's rungs and the controls."""
    ladder, controls = _ladder(kinds, studies), _controls(kinds, studies)
    outcomes = [study["outcome"] for study in studies if study["outcome"] != "not decided"]
    worst = max(outcomes, key=[outcome.value for outcome in Outcome].index, default=None)
    broken = [control["title"] for control in controls if control["held"] is False]
    status, headline = _status(ladder, broken, worst, any(kinds.values()), kinds, studies)
    return {
        "status": status,
        "exit_code": EXIT_CODES[status],
        "outcome": worst,
        "headline": headline,
        "ladder": ladder,
        "controls": controls,
    }


def _status(
    ladder: Sequence[Json],
    broken: Sequence[str],
    worst: str | None,
    anything: bool,
    kinds: Mapping[str, list[Json]],
    studies: Sequence[Json],
) -> tuple[str, str]:
    """The first of these that is so, from what undoes everything else to what was shown."""
    guilty = shortened(where(study, studies) for study in studies if study["outcome"] == worst)
    if not anything:
        return "invalid", "Nothing was compared: there are no records"
    if worst == Outcome.INVALID.value:
        return "invalid", f"Invalid: nothing was decided about the final accuracies of {guilty}"
    if broken:
        return "invalid", f"Invalid, the controls failed: not all {', not all '.join(broken)}"
    if parted := [rung for rung in ladder if rung["rung"] < 5 and rung["held"] is False]:
        lowest = parted[0]
        parting = f"Implementations part on rung {lowest['rung']} ({lowest['name']})"
        return "different", f"{parting}: {shortened(lowest['failed'])}"
    if off := [record["key"] for record in kinds["modes"] if record["status"] == "off"]:
        return "different", f"Ways of writing the same model part: {shortened(off)}"
    if worst == Outcome.DIFFERENT.value:
        return "different", f"Final accuracies differ: {guilty}"
    if changed := [record["key"] for record in kinds["differences"] if record["holds"] is False]:
        return "different", f"Known differences have changed: {shortened(changed)}"
    if short := [record["key"] for record in kinds["experiments"] if record["passed"] is False]:
        return "different", f"Fell short of what it must show: {shortened(short)}"
    if worst == Outcome.INCONCLUSIVE.value:
        return "inconclusive", (
            f"Inconclusive: neither equivalence nor a difference was shown of {guilty}; {_seeds_needed(studies)}"
        )
    if worst is None:
        held = [str(rung["rung"]) for rung in ladder if rung["held"]]
        lead = f"Rung{'s' * (len(held) > 1)} {', '.join(held)} held" if held else "No rung was climbed"
        return "partial", f"{lead}; final accuracies were not compared"
    margin = max(study["margin"] for study in studies if study["margin"] is not None)
    shown = {
        Outcome.IDENTICAL.value: "Identical accuracies in every seed",
        Outcome.EQUIVALENT.value: f"Equivalent within ±{points(margin)}",
        Outcome.NEGLIGIBLE.value: f"Different, and shown to be within ±{points(margin)}",
    }
    compared = list(dict.fromkeys(p[side] for study in studies for p in study["pairs"] for side in ("first", "second")))
    return "held", shown[worst] + (f": {' and '.join(compared)} alone" if len(compared) < len(ORDER) else "")


def where(study: Json, studies: Sequence[Json]) -> str:
    """The study's name, and its stack where there are several."""
    return str(study["name"]) if len({s["stack"] for s in studies}) == 1 else f"{study['name']} ({study['stack']})"


def _seeds_needed(studies: Sequence[Json]) -> str:
    """How many seeds would decide the worst of all pairs; what is out of reach for one is so for the study."""
    needed = [
        pair["seeds_to_decide"]
        for study in studies
        for pair in study["pairs"]
        if pair["outcome"] == Outcome.INCONCLUSIVE.value
    ]
    if not all(needed):
        return f"more than {LARGEST_STUDY} seeds would be needed to decide"
    return f"about {max(needed)} seeds would decide"


def not_compared(stacks: Sequence[Json], kinds: Mapping[str, list[Json]], studies: Sequence[Json]) -> list[str]:
    """Sentences on everything that a reader might take for granted and that was not done."""
    found = []
    for stack in stacks:
        name = stack["name"]
        if not any(stack["records"].values()):
            found.append(f"{name}: nothing, there are no records")
            continue
        if missing := [i for i in ("numpynet", "torch", "tensorflow") if i not in stack["implementations"]]:
            found.append(f"{name}: nothing was compared with {' or '.join(missing)}, of which there are no results")
        found += [f"{name}: no records of {what}" for kind, what in KINDS.items() if not stack["records"][kind]]
    for study in studies:
        where = f"{study['stack']}: study {study['name']}"
        if study["outcome"] == "not decided":
            found.append(f"{where} has no verdict: {study['reason']}")
        found += [f"{where} did not compare {pair['first']} with {pair['second']}" for pair in _untested(study)]
    for curve in kinds["curves"]:
        if curve["passed"] is None:
            found.append(f"{curve['stack']}: curve {curve['key']}: {curve['message'] or 'not judged'}")
    for mode in kinds["modes"]:
        if mode["status"] == "not run":
            found.append(f"{mode['stack']}: {mode['key']}: {mode['note'] or 'not run'}")
    for experiment in kinds["experiments"]:
        if experiment["passed"] is None:
            found.append(
                f"{experiment['stack']}: experiment {experiment['key']}: {experiment['summary'] or 'not judged'}"
            )
    for record in kinds["checks"]:
        here = next(stack["implementations"] for stack in stacks if stack["name"] == record["stack"])
        if left := [name for name in here if name not in ("numpynet", *record["frameworks"])]:
            found.append(f"{record['stack']}: {record['key']} was checked without {' and '.join(left)}")
    return found


def _untested(study: Json) -> list[Json]:
    return [pair for pair in study["pairs"] if not pair["test"]]


def _ladder(kinds: Mapping[str, list[Json]], studies: Sequence[Json]) -> list[Json]:
    checks, curves = kinds["checks"], kinds["curves"]
    decided = [study for study in studies if study["outcome"] != "not decided"]
    refused = [record["key"] for record in kinds["refusals"] if record["holds"] is False]
    counts: dict[int, tuple[int, list[str]]] = {
        rung: (len(checks), [check["key"] for check in checks if check["failure"] and check["failed_rung"] == rung])
        for rung in (1, 2, 3)
    }
    counts[1] = (len(checks) + len(kinds["refusals"]), counts[1][1] + refused)
    judged = [curve for curve in curves if curve["passed"] is not None]
    counts[4] = (len(judged), [curve["key"] for curve in judged if not curve["passed"]])
    counts[5] = (len(decided), [study["name"] for study in decided if study["outcome"] not in GREEN])
    return [
        {
            "rung": rung,
            "name": name,
            "question": question,
            "compared": counts[rung][0],
            "failed": counts[rung][1],
            "held": not counts[rung][1] if counts[rung][0] else None,
        }
        for rung, name, question in RUNGS
    ]


def _controls(kinds: Mapping[str, list[Json]], studies: Sequence[Json]) -> list[Json]:
    """What must be so for a green result to mean anything; `held` is None where it was not done."""
    arms = [(f"{study['name']}/{arm['arm']}", arm) for study in studies for arm in study["arms"]]
    reruns = [(key, arm["holds"]) for key, arm in arms if arm["arm"] == "rerun"]
    planted = [(key, arm["holds"]) for key, arm in arms if arm["arm"] != "rerun" and arm["holds"] is not None]
    return [
        _control(title, found)
        for title, found in (
            ("planted defects caught", [(record["key"], record["caught"]) for record in kinds["defects"]]),
            ("defective trainings told apart by the study", planted),
            ("reruns bitwise equal", reruns),
            ("derivatives of the reference right", [(d["key"], d["holds"]) for d in kinds["derivatives"]]),
            ("calibration within Monte Carlo error", [(c["key"], c["passed"]) for c in kinds["calibration"]]),
        )
    ]


def _control(title: str, found: Sequence[tuple[str, Any]]) -> Json:
    failed = [key for key, holds in found if not holds]
    return {"title": title, "total": len(found), "failed": failed, "held": not failed if found else None}
