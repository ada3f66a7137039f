"""The banner: what was shown on the whole, from the ladder's rungs, the controls and the studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from parity.frameworks import implementations
from parity.report.records import Evidence, Json, shortened
from parity.report.study import GREEN
from parity.results.planning import FULL_EXAMPLES
from parity.statistics import Outcome, points
from parity.statistics.power import LARGEST_STUDY

RUNGS = (
    (1, "output", "same function?"),
    (2, "gradient", "same derivative?"),
    (3, "step", "same update?"),
    (4, "curve", "same training?"),
    (5, "accuracy", "same result?"),
)
EXIT_CODES = {"held": 0, "partial": 0, "different": 1, "inconclusive": 2, "incomplete": 3, "invalid": 3}


def verdict(evidence: Evidence, studies: Sequence[Json], missing: Sequence[str], left_out: Sequence[str]) -> Json:
    """The report's status, exit code, headline, the ladder's rungs and the controls."""
    kinds = evidence.kinds
    lost = _lost(evidence)
    ladder, controls = _ladder(kinds, studies, lost), _controls(kinds, studies, lost)
    outcomes = [study["outcome"] for study in studies if study["outcome"] != "not decided"]
    worst = max(outcomes, key=[outcome.value for outcome in Outcome].index, default=None)
    broken = [control["title"] for control in controls if control["held"] is False]
    anything = any(kinds.values()) or bool(missing or evidence.crashes)
    status, headline = _status(ladder, broken, worst, anything, kinds, studies)
    if missing or evidence.crashes:
        besides = f". Besides: {headline[:1].lower()}{headline[1:]}" if EXIT_CODES[status] else ""
        status, headline = "incomplete", f"Incomplete: {_how_incomplete(evidence)}{besides}"
    elif left_out and status == "held":
        status, headline = "partial", f"In part: {headline[:1].lower()}{headline[1:]}"
    return {
        "status": status,
        "exit_code": EXIT_CODES[status],
        "outcome": worst,
        "headline": quick(evidence.plans) + headline,
        "ladder": ladder,
        "controls": controls,
    }


def quick(plans: Sequence[Json]) -> str:
    """A sentence, to stand in front of the headline, that this is the quick profile; empty where it is not."""
    examples = [plan["examples"] for plan in plans if "checks" in plan["items"] and plan["examples"]]
    if examples and min(examples) < FULL_EXAMPLES:
        return f"Quick profile, {min(examples)} of {FULL_EXAMPLES} examples. "
    return "Quick profile. " if any(plan["quick"] for plan in plans) else ""


def _how_incomplete(evidence: Evidence) -> str:
    """The words on how much is missing, how much crashed, and what never began."""
    said = []
    if keys := sum(len(row["keys"]) for row in evidence.missing):
        planned = sum(sum(plan["items"].values()) for plan in evidence.plans)
        said.append(f"{keys} of {planned} planned items are missing")
    if evidence.crashes:
        said.append(f"{len(evidence.crashes)} crashed")
    commands = [row["command"] for row in evidence.missing if not row["keys"] and row["command"]]
    if commands:
        said.append(
            f"{shortened(commands)} did not end" if said else f"{shortened(commands)} never began or did not end"
        )
    return ", ".join(said) or "nobody wrote down what was planned"


def _lost(evidence: Evidence) -> dict[str, int]:
    """The number of items, by kind, that were planned and are missing, or that crashed."""
    lost: dict[str, int] = {}
    for row in evidence.missing:
        lost[row["kind"]] = lost.get(row["kind"], 0) + len(row["keys"])
    for crash in evidence.crashes:
        lost[crash["kind"]] = lost.get(crash["kind"], 0) + 1
    return lost


def _status(
    ladder: Sequence[Json],
    broken: Sequence[str],
    worst: str | None,
    anything: bool,
    kinds: Mapping[str, list[Json]],
    studies: Sequence[Json],
) -> tuple[str, str]:
    """The status and its headline: the first that is so, from what undoes everything else to what was shown."""
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
    if off := [record["key"] for record in kinds["modes"] if record["passed"] is False]:
        return "different", f"Ways of writing the same model part: {shortened(off)}"
    if unlike := [record["key"] for record in kinds["comparisons"] if record["passed"] is False]:
        return "different", f"Two models do not compute the same: {shortened(unlike)}"
    if worst == Outcome.DIFFERENT.value:
        return "different", f"Final accuracies differ: {guilty}"
    if changed := [record["key"] for record in kinds["differences"] if record["passed"] is False]:
        return "different", f"Known differences have changed: {shortened(changed)}"
    if short := [record["key"] for record in kinds["experiments"] if record["passed"] is False]:
        return "different", f"Fell short of what it must show: {shortened(short)}"
    if worst == Outcome.INCONCLUSIVE.value:
        return "inconclusive", (
            f"Inconclusive: neither equivalence nor a difference was shown of {guilty}; {_seeds_needed(studies)}"
        )
    held = [rung["rung"] for rung in ladder if rung["held"]]
    lead = f"Rung{'s' * (len(held) > 1)} {_listed(held)} held" if held else "No rung was climbed"
    if worst is None:
        return "partial", f"{lead}; final accuracies were not compared"
    margin = max(study["margin"] for study in studies if study["margin"] is not None)
    shown = {
        Outcome.IDENTICAL.value: "identical accuracies in every seed",
        Outcome.EQUIVALENT.value: f"accuracies equivalent within ±{points(margin)}",
        Outcome.NEGLIGIBLE.value: f"accuracies different, and shown to be within ±{points(margin)}",
    }
    compared = list(dict.fromkeys(p[side] for study in studies for p in study["pairs"] for side in ("first", "second")))
    alone = f", of {' and '.join(compared)} alone" if len(compared) < len(implementations()) else ""
    return "held", f"{lead}: {shown[worst]}{alone}"


def _listed(rungs: Sequence[int]) -> str:
    """The rungs in words, such as "1 to 5", or "1, 2 and 5"."""
    if len(rungs) > 2 and rungs[-1] - rungs[0] == len(rungs) - 1:
        return f"{rungs[0]} to {rungs[-1]}"
    return " and ".join(filter(None, [", ".join(map(str, rungs[:-1])), str(rungs[-1])]))


def where(study: Json, studies: Sequence[Json]) -> str:
    """The study's name, and its stack where there are several."""
    return str(study["name"]) if len({s["stack"] for s in studies}) == 1 else f"{study['name']} ({study['stack']})"


def _seeds_needed(studies: Sequence[Json]) -> str:
    """The words on how many seeds would decide the worst of all pairs.

    What is out of reach for one pair is so for the study.
    """
    needed = [
        pair["seeds_to_decide"]
        for study in studies
        for pair in study["pairs"]
        if pair["outcome"] == Outcome.INCONCLUSIVE.value
    ]
    if not all(needed):
        return f"more than {LARGEST_STUDY} seeds would be needed to decide"
    return f"about {max(needed)} seeds would decide"


def _ladder(kinds: Mapping[str, list[Json]], studies: Sequence[Json], lost: Mapping[str, int]) -> list[Json]:
    checks, curves = kinds["checks"], kinds["curves"]
    decided = [study for study in studies if study["outcome"] != "not decided"]
    tried = [record for record in kinds["refusals"] if record["passed"] is not None]
    refused = [record["key"] for record in tried if not record["passed"]]
    counts: dict[int, tuple[int, list[str]]] = {
        rung: (len(checks), [check["key"] for check in checks if not check["passed"] and check["failed_rung"] == rung])
        for rung in (1, 2, 3)
    }
    counts[1] = (len(checks) + len(tried), counts[1][1] + refused)
    judged = [curve for curve in curves if curve["passed"] is not None]
    counts[4] = (len(judged), [curve["key"] for curve in judged if not curve["passed"]])
    counts[5] = (len(decided), [study["name"] for study in decided if study["outcome"] not in GREEN])
    missing = {1: ("checks", "refusals"), 2: ("checks",), 3: ("checks",), 4: ("curves",), 5: ("studies",)}
    absent = {4: len(curves) - len(judged), 5: sum(s["reason"].startswith("not run: ") for s in studies)}
    return [
        {
            "rung": rung,
            "name": name,
            "question": question,
            "compared": counts[rung][0],
            "failed": counts[rung][1],
            "missing": sum(lost.get(kind, 0) for kind in missing[rung]),
            "left_out": absent.get(rung, 0),
            "held": _held(*counts[rung], sum(lost.get(kind, 0) for kind in missing[rung])),
        }
        for rung, name, question in RUNGS
    ]


def _held(compared: int, failed: Sequence[str], missing: int) -> bool | None:
    """Tells whether all held; None where that is not known: nothing was compared, or not all that was planned."""
    return False if failed else None if missing or not compared else True


def _controls(kinds: Mapping[str, list[Json]], studies: Sequence[Json], lost: Mapping[str, int]) -> list[Json]:
    """The controls, which must hold for a green result to mean anything.

    `held` is None where one was not done, or not all of it.
    """

    def of(*names: str) -> list[tuple[str, bool | None]]:
        return [(record["key"], record["passed"]) for kind in names for record in kinds[kind]]

    arms = [(f"{study['name']}/{arm['arm']}", arm) for study in studies for arm in study["arms"]]
    reruns = [(key, arm["passed"]) for key, arm in arms if arm["arm"] == "rerun"]
    planted = [(key, arm["passed"]) for key, arm in arms if arm["arm"] != "rerun" and arm["passed"] is not None]
    return [
        _control(title, found, missing)
        for title, found, missing in (
            ("planted defects caught", of("defects"), lost.get("defects", 0)),
            ("undamaged twins left alone", of("twins"), lost.get("twins", 0)),
            ("defective trainings told apart by the study", planted, 0),
            ("reruns bitwise equal", reruns, 0),
            ("derivatives of the reference right", of("derivatives"), lost.get("derivatives", 0)),
            ("calibration within Monte Carlo error", of("calibration"), lost.get("calibration", 0)),
            ("fresh examples without a false alarm", of("soak", "soak-curves"), 0),
        )
    ]


def _control(title: str, found: Sequence[tuple[str, bool | None]], missing: int) -> Json:
    judged = [(key, passed) for key, passed in found if passed is not None]
    failed = [key for key, passed in judged if not passed]
    counts = {"total": len(judged), "failed": failed, "missing": missing}
    return {"title": title, **counts, "held": _held(len(judged), failed, missing)}
