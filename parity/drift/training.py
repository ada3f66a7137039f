"""Whether training went elsewhere: curves to the bit, and final accuracies by the paired test on the same seeds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from parity.drift.document import CurveMove, Missing, StudyMove
from parity.drift.stack import CURVES, Stack, both
from parity.results.records import Json
from parity.results.store import number_of
from parity.statistics import Outcome, decide

STUDIES, RUNS = "studies", "runs"
BEFORE, AFTER = "before", "after"
ARM = "coupled"  # in which every run begins from the same weights, batches and masks
SHOWN = (Outcome.IDENTICAL, Outcome.EQUIVALENT, Outcome.NEGLIGIBLE)


def curves(before: Stack, after: Stack) -> list[CurveMove]:
    """The loss curves that are not the same to the bit."""
    return [
        move
        for key, old, new in both(before, after, CURVES)
        for of in old["losses"]
        if of in new["losses"] and (move := _curve(key, of, old, new))
    ]


def _curve(key: str, of: str, old: Json, new: Json) -> CurveMove | None:
    first, then = (np.array(record["losses"][of], float) for record in (old, new))
    length = min(len(first), len(then))
    apart = np.flatnonzero((first[:length] != then[:length]) & ~(np.isnan(first[:length]) & np.isnan(then[:length])))
    if not apart.size and len(first) == len(then):
        return None
    step = int(apart[0]) if apart.size else length
    used = [number_of(record["used"].get(of, 0.0)) for record in (old, new)]
    return CurveMove(
        key=key,
        of=of,
        step=step + 1,
        distance=float(np.max(np.abs(first[apart] - then[apart]), initial=0)),
        used_before=used[0],
        used_after=used[1],
        beyond=used[0] <= 1 and not used[1] <= 1,
    )


def studies(before: Stack, after: Stack) -> tuple[list[StudyMove], list[Missing]]:
    """The accuracies of every study and implementation that both have, and those that cannot be paired."""
    found, missing = [], []
    for name, old, new in both(before, after, STUDIES):
        if why := _unpaired(old, new):
            missing.append(Missing(what=STUDIES, why=why, keys=[name]))
            continue
        first, then = _runs(before, name), _runs(after, name)
        found += [_study(name, of, old["verdict"], first[of], then[of]) for of in first if of in then]
    return found, missing


def _unpaired(old: Json, new: Json) -> str:
    if not (old["verdict"] and new["verdict"]):
        return "no verdict was reached in one of the two"
    if old["preregistration"].get("hash") != new["preregistration"].get("hash"):
        return "they are of two registrations"
    return ""


def _runs(stack: Stack, study: str) -> dict[str, dict[int, Json]]:
    """The coupled runs of a study, by implementation and seed."""
    found: dict[str, dict[int, Json]] = {}
    for run in stack.of(RUNS).values():
        if run["study"] == study and run["arm"] == ARM:
            found.setdefault(run["implementation"], {})[run["seed"]] = run
    return found


def _study(name: str, of: str, verdict: Json, first: dict[int, Json], then: dict[int, Json]) -> StudyMove:
    """The paired test of one implementation; a seed that one of the two lacks makes it invalid."""
    seeds = sorted({*first, *then})
    decided = decide(
        {BEFORE: list(_accuracies(first, seeds)), AFTER: list(_accuracies(then, seeds))},
        n_test=verdict["n_test"],
        margin=verdict["margin"],
        alpha=verdict["alpha"],
    )
    return StudyMove(
        study=name,
        of=of,
        seeds=len(seeds),
        weights=sum(_weights(first.get(seed)) == _weights(then.get(seed)) is not None for seed in seeds),
        outcome=decided.outcome.value,
        reason=decided.pairs[0].reason,
        shown=decided.outcome in SHOWN,
    )


def _accuracies(runs: dict[int, Json], seeds: list[int]) -> Iterator[float | None]:
    return (runs[seed]["accuracy"] if seed in runs else None for seed in seeds)


def _weights(run: Json | None) -> str | None:
    return run["final_weights"] if run else None
