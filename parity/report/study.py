"""The report's part on each study: accuracies, paired differences, per-example agreement, power, control arms."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.report.records import Json, rank
from parity.results.records.trainings import StudyRecord
from parity.statistics import Outcome, PairedTable, churn, mcnemar, tango_interval, tost_power
from parity.statistics.power import CUSTOMARY_POWER

GREEN = {outcome.value for outcome in Outcome if outcome.exit_code == 0}
# What each control arm is for, and the outcomes that it must have to be one; None where it only measures.
ARMS: dict[str, tuple[str, set[str] | None]] = {
    "rerun": ("the same runs a second time", {Outcome.IDENTICAL.value}),
    "one-ulp": ("initial weights moved by one unit in the last place: what rounding alone can do", None),
    "coupled": ("same initial weights, batch order and masks in every implementation", None),
    "disjoint": ("seeds of its own in every implementation: what another seed does", None),
}
DEFECT = ("training with a defect planted on purpose", {Outcome.DIFFERENT.value})
POWER_POINTS = 40  # enough for a smooth curve


def studies(kinds: Mapping[str, list[Json]]) -> list[Json]:
    """One entry for each study of each stack; without a verdict where it was never decided."""
    runs: dict[tuple[str, str], list[Json]] = {}
    for run in kinds["runs"]:
        runs.setdefault((run["stack"], run["study"]), []).append(run)
    decided = {(record["stack"], record["key"]): record for record in kinds["studies"]}
    nothing = asdict(StudyRecord(key=""))
    return [_study(*place, decided.get(place, nothing), runs.get(place, [])) for place in {**decided, **runs}]


def _study(stack: str, name: str, record: Json, runs: Sequence[Json]) -> Json:
    verdict = record["verdict"] or {}
    design = verdict.get("design", "coupled")
    own = sorted(
        (run for run in runs if run["arm"] == design), key=lambda run: (rank(run["implementation"]), run["seed"])
    )
    by_implementation: dict[str, list[Json]] = {}
    for run in own:
        by_implementation.setdefault(run["implementation"], []).append(run)
    n_test = verdict.get("n_test")
    return {
        "stack": stack,
        "name": name,
        "preregistration": record["preregistration"] or {},
        "outcome": verdict.get("outcome", "not decided"),
        "exit_code": verdict.get("exit_code"),
        "reason": verdict.get("reason") or record["message"] or "it was stopped before its end",
        "design": design,
        **{field: verdict.get(field) for field in ("alpha", "n_test", "p_equivalent", "delta_star")},
        "margin": verdict.get("margin") if verdict.get("pairs") else None,
        "detectable_power": CUSTOMARY_POWER,
        "problems": verdict.get("problems", []),
        "seeds": max(map(len, by_implementation.values()), default=_seeds(verdict)),
        "accuracies": {name: _accuracies(runs) for name, runs in by_implementation.items()},
        "unfinished": [
            {field: run[field] for field in ("arm", "implementation", "seed", "status", "message")}
            for run in runs
            if run["status"] != "ok"
        ],
        "pairs": [
            _pair(pair, by_implementation, n_test, design == "coupled", verdict) for pair in verdict.get("pairs", [])
        ],
        "arms": [
            _arm(arm, of_arm, _altered(arm, runs)) for arm, of_arm in (record["arms"] or {}).items() if arm != design
        ],
    }


def _seeds(verdict: Json) -> int:
    return max((pair["test"]["n"] for pair in verdict.get("pairs", []) if pair.get("test")), default=0)


def _accuracies(runs: Sequence[Json]) -> Json:
    finished = [run["accuracy"] for run in runs if run["accuracy"] is not None]
    several = len(finished) > 1
    return {
        "runs": len(runs),
        "finished": len(finished),
        "mean": float(np.mean(finished)) if finished else None,
        "standard_deviation": float(np.std(finished, ddof=1)) if several else None,
        "lowest": min(finished, default=None),
        "highest": max(finished, default=None),
    }


def _pair(
    pair: Json, by_implementation: Mapping[str, list[Json]], n_test: int | None, coupled: bool, verdict: Json
) -> Json:
    first, second = (by_implementation.get(pair[side], []) for side in ("first", "second"))
    per_seed = _per_seed(first, second, n_test) if coupled else []
    return {
        "test": None,
        "superiority": None,
        "deviation_ratio": None,
        "p_different_holm": None,
        "minimum_detectable_margin": None,
        "minimum_detectable_difference": None,
        "seeds_to_decide": None,
        **pair,
        "power": _probability(pair.get("power")),
        "per_seed": per_seed,
        "agreement": _agreement([seed["agreement"] for seed in per_seed if seed["agreement"]]),
        "power_curve": _power_curve(pair, coupled, verdict) if pair.get("test") else None,
    }


def _per_seed(first: Sequence[Json], second: Sequence[Json], n_test: int | None) -> list[Json]:
    """The difference of each seed that both implementations finished, with its 2x2 table where the bits are there."""
    others = {run["seed"]: run for run in second}
    found = []
    for run in first:
        other = others.get(run["seed"])
        if other is None or run["accuracy"] is None or other["accuracy"] is None:
            continue
        found.append(
            {
                "seed": run["seed"],
                "first": run["accuracy"],
                "second": other["accuracy"],
                "difference": run["accuracy"] - other["accuracy"],
                "agreement": _table(run["correct"], other["correct"], n_test),
            }
        )
    return found


def _table(first: str | None, second: str | None, n_test: int | None) -> Json | None:
    if not (first and second and n_test):
        return None
    right1, right2 = _bits(first, n_test), _bits(second, n_test)
    table = PairedTable.of_predictions(right1, right2, np.ones(n_test))
    return {
        "both": table.both,
        "only_first": table.only_first,
        "only_second": table.only_second,
        "neither": table.neither,
        "tango_95": list(tango_interval(table)),
        "mcnemar_mid_p": mcnemar(table).p,
        "churn": churn(right1, right2),
    }


def _bits(packed: str, n_test: int) -> NDArray[np.uint8]:
    return np.unpackbits(np.frombuffer(base64.b64decode(packed), dtype=np.uint8), count=n_test)


def _agreement(tables: Sequence[Json]) -> Json | None:
    """The spread of the seeds' tables, which are never added up: the same test examples are in each."""
    if not tables:
        return None
    churns = [table["churn"] for table in tables]
    return {
        "seeds": len(tables),
        "churn_median": float(np.median(churns)),
        "churn_highest": max(churns),
        "seeds_alike": sum(value == 0 for value in churns),
        "tango_excludes_zero": sum(not table["tango_95"][0] <= 0 <= table["tango_95"][1] for table in tables),
    }


def _power_curve(pair: Json, coupled: bool, verdict: Json) -> Json | None:
    """The probability of showing equivalence against the number of seeds, at the observed SD and no true difference."""
    test = pair["test"]
    n, deviation = test["n"], test["standard_deviation"]
    if not deviation:
        return None
    most = max(2 * n, 2 * (pair.get("seeds_to_decide") or 0))
    seeds = sorted({round(size) for size in np.geomspace(2, most, POWER_POINTS)} | {n})
    power = [tost_power(size, deviation, test["margin"], 0.0, verdict["alpha"], coupled) for size in seeds]
    return {"seeds": seeds, "power": list(map(_probability, power))}


def _probability(integral: float | None) -> float | None:
    """The integral, but at most 1, which a numerical one may exceed by rounding."""
    return None if integral is None else min(integral, 1.0)


def _altered(arm: str, runs: Sequence[Json]) -> list[int]:
    """The seeds whose run in this arm ended in other weights than the coupled one."""
    ends: dict[tuple[str, int], dict[str, str]] = {}
    for run in runs:
        if run["final_weights"]:
            ends.setdefault((run["implementation"], run["seed"]), {})[run["arm"]] = run["final_weights"]
    return [seed for (_, seed), end in ends.items() if arm in end and end[arm] != end.get("coupled", end[arm])]


def _arm(arm: str, verdict: Json, altered: Sequence[int]) -> Json:
    """The entry of one control arm: what it is for, what came out, and whether it has `passed`.

    `altered` are the seeds that ended in other weights; a rerun must have none.
    """
    meaning, expected = ARMS.get(arm, DEFECT)
    tests: list[dict[str, Any]] = [pair["test"] for pair in verdict.get("pairs", []) if pair.get("test")]
    outcome = verdict.get("outcome", "not decided")
    return {
        "arm": arm,
        "meaning": verdict.get("about") or meaning,
        "expected": sorted(expected) if expected else None,
        "outcome": outcome,
        "passed": None if expected is None else outcome in expected and not (arm == "rerun" and altered),
        "altered": list(altered),
        "reason": verdict.get("reason", ""),
        "seeds": _seeds(verdict),
        "largest_difference": max((abs(test["difference"]) for test in tests), default=None),
        "largest_standard_deviation": max((test["standard_deviation"] for test in tests), default=None),
        "delta_star": verdict.get("delta_star"),
    }
