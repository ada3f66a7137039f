"""Decides a study from its accuracies: what was shown about each pair of implementations, and about all of them.

For each pair two questions are asked: was equivalence within the margin shown (TOST), and was a difference shown (t
test)?

| | difference shown | not shown |
|---|---|---|
| equivalence shown | different but negligible | equivalent |
| not shown | different (material) | inconclusive |

All pairs equivalent is an intersection-union test: each pair at alpha, no correction (Berger 1982, Technometrics
24:295-300). Claims of a difference are corrected over the pairs (Holm 1979, Scand. J. Statist. 6:65-70).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain, combinations
from typing import Any

import numpy as np

from parity.statistics import effects, power
from parity.statistics.equivalence import (
    Equivalence,
    Floats,
    independent_exact_p,
    paired_exact_p,
    paired_tost,
    welch_tost,
)
from parity.statistics.lazy import multitest
from parity.statistics.outcome import Outcome, PairVerdict, Verdict
from parity.statistics.wording import pair_reason, study_reason


def decide(
    accuracies: Mapping[str, Sequence[float | None]] | Mapping[str, Floats],
    *,
    n_test: int,
    margin: float,
    coupled: bool = True,
    alpha: float = 0.05,
    problems: Sequence[str] = (),
) -> Verdict:
    """The verdict on accuracies (seeds,) of two or more implementations, in the pre-registered order of seeds.

    A run that diverged, crashed or is missing is NaN or None: it makes its pairs invalid and is never dropped.
    `coupled` says that run i of every implementation had the same initial weights, batch order and masks. `problems`
    are what the provenance checks found; any makes the study invalid. Raises ValueError where an accuracy is not a
    number of right answers over n_test.
    """
    counts = {name: _right_answers(name, runs, n_test) for name, runs in accuracies.items()}
    design = "coupled" if coupled else "disjoint"
    planned = max((len(runs) for runs in counts.values()), default=0)
    common = [*problems, *_too_few(planned, coupled, alpha)]
    if len(counts) < 2:
        common.append(f"nothing to compare with: only {', '.join(counts) or 'no implementation'} ran")
    unfinished = {name: _unfinished(name, runs, planned) for name, runs in counts.items()}
    findings = [*common, *chain.from_iterable(unfinished.values())]
    pairs = []
    for first, second in combinations(counts, 2):
        if relevant := [*common, *unfinished[first], *unfinished[second]]:
            pairs.append(PairVerdict(first, second, Outcome.INVALID, "invalid: " + "; ".join(relevant)))
        else:
            pairs.append(_measure(first, second, counts, n_test, margin, coupled, alpha))
    decided = tuple(_judge_all(pairs, alpha, coupled))
    valid = not findings
    tests = [pair.test for pair in decided if pair.test is not None]
    deltas = [test.delta_star for test in tests if test.delta_star is not None]
    p_equivalent = max(test.p_equivalent for test in tests) if valid else None
    delta_star = max(deltas) if valid and len(deltas) == len(tests) else None
    outcome = max((pair.outcome for pair in decided), key=list(Outcome).index) if valid else Outcome.INVALID
    return Verdict(
        outcome=outcome,
        exit_code=outcome.exit_code,
        reason=study_reason(outcome, decided, findings, margin, p_equivalent, delta_star),
        design=design,
        margin=margin,
        alpha=alpha,
        n_test=n_test,
        p_equivalent=p_equivalent,
        delta_star=delta_star,
        pairs=decided,
        problems=tuple(findings),
    )


def fewest_seeds(coupled: bool = True, alpha: float = 0.05) -> int:
    """The smallest number of seeds with which a two-sided permutation test can reach alpha.

    At 0.05 these are 6 coupled, 4 disjoint. With fewer, a t test's verdict would rest on the assumption of normality
    alone.
    """
    n = 2
    while 2 * (paired_exact_p(n) if coupled else independent_exact_p(n, n)) > alpha:
        n += 1
    return n


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted by Holm's method, in the order given."""
    return [float(p) for p in multitest.multipletests(p_values, method="holm")[1]] if p_values else []


def _right_answers(name: str, runs: Any, n_test: int) -> Floats:
    """The numbers of right answers, so that equal differences are exactly equal; NaN stays NaN.

    Raises ValueError where an accuracy is not one over n_test.
    """
    values = np.asarray(runs, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"{name}: accuracies must be one number per seed, got shape {values.shape}")
    finite = np.isfinite(values)
    values = np.where(finite, values, np.nan)
    counts = np.rint(values * n_test)
    off = np.abs(values - counts / n_test) > np.finfo(np.float32).eps  # accuracies may come in float32
    if (finite & (off | (values < 0) | (values > 1))).any():
        raise ValueError(f"{name}: an accuracy is not a number of right answers over n_test = {n_test}")
    return counts


def _unfinished(name: str, runs: Floats, planned: int) -> list[str]:
    found = []
    if bad := int((~np.isfinite(runs)).sum()):
        found.append(f"{bad} of {len(runs)} runs of {name} diverged or did not finish")
    if len(runs) < planned:
        found.append(f"{name} has only {len(runs)} of {planned} runs")
    return found


def _too_few(planned: int, coupled: bool, alpha: float) -> list[str]:
    least = fewest_seeds(coupled, alpha)
    if planned >= least:
        return []
    return [f"{planned} seeds are too few: no permutation test of fewer than {least} can reach {alpha:g}"]


def _measure(
    first: str,
    second: str,
    counts: Mapping[str, Floats],
    n_test: int,
    margin: float,
    coupled: bool,
    alpha: float,
) -> PairVerdict:
    """Everything about a pair but its outcome, which depends on the other pairs through Holm's correction."""
    x, y = counts[first], counts[second]
    if coupled:
        test = paired_tost((x - y) / n_test, margin, alpha)
    else:
        test = welch_tost(x / n_test, y / n_test, margin, alpha)
    n, deviation = test.n, test.standard_deviation
    return PairVerdict(
        first,
        second,
        Outcome.INCONCLUSIVE,
        "",
        test=test,
        superiority=effects.superiority(x, y, coupled),
        deviation_ratio=effects.deviation_ratio(x, y, coupled),
        power=power.tost_power(n, deviation, margin, 0.0, alpha, coupled),
        minimum_detectable_margin=power.minimum_detectable_margin(n, deviation, alpha=alpha, paired=coupled),
        minimum_detectable_difference=power.minimum_detectable_difference(n, deviation, alpha=alpha, paired=coupled),
    )


def _judge_all(pairs: Sequence[PairVerdict], alpha: float, coupled: bool) -> list[PairVerdict]:
    tests = [pair.test for pair in pairs if pair.test is not None]
    adjusted = iter(holm([test.p_different for test in tests]))

    def judge(pair: PairVerdict, test: Equivalence) -> PairVerdict:
        p_different = next(adjusted)
        outcome = _outcome(test, p_different <= alpha, coupled)
        seeds = None
        if outcome is Outcome.INCONCLUSIVE:
            deviation, difference = test.standard_deviation, test.difference
            seeds = power.seeds_to_decide(
                deviation, test.margin, difference, alpha=alpha, paired=coupled, pairs=len(tests)
            )
        judged = replace(pair, outcome=outcome, p_different_holm=p_different, seeds_to_decide=seeds)
        return replace(judged, reason=pair_reason(judged, test, p_different))

    return [pair if pair.test is None else judge(pair, pair.test) for pair in pairs]


def _outcome(test: Equivalence, different: bool, coupled: bool) -> Outcome:
    if coupled and test.difference == 0 and test.standard_deviation == 0:
        return Outcome.IDENTICAL
    if test.equivalent:
        return Outcome.NEGLIGIBLE if different else Outcome.EQUIVALENT
    return Outcome.DIFFERENT if different else Outcome.INCONCLUSIVE
