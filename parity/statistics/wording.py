"""Verdicts in plain sentences, which say what was shown and how surely; never that an unseen difference is none."""

from __future__ import annotations

from collections.abc import Sequence

from parity.statistics import power
from parity.statistics.equivalence import Equivalence, Interval
from parity.statistics.outcome import Outcome, PairVerdict


def pair_reason(pair: PairVerdict, test: Equivalence, p_different: float) -> str:
    ahead, behind = (pair.first, pair.second) if test.difference > 0 else (pair.second, pair.first)
    within = f"within ±{points(test.margin)}"
    shown = f"90% interval {_span(test.interval_90)}, TOST p = {test.p_equivalent:.2g}, {test.n} seeds"
    lead = f"{ahead} is {points(abs(test.difference))} more accurate than {behind}"
    evidence = f"95% interval {_span(test.interval_95)}, p = {p_different:.2g} after Holm's correction"
    if pair.outcome is Outcome.IDENTICAL:
        same = f"identical: {pair.first} and {pair.second} had the same accuracy in each of {test.n} seeds"
        varied = pair.deviation_ratio is not None
        return same if varied else f"{same}, which is one for all seeds: this task tells little apart"
    if pair.outcome is Outcome.EQUIVALENT:
        return (
            f"equivalent {within}: {pair.first} minus {pair.second} is {points(test.difference)} ({shown}); "
            f"any margin above {points(test.delta_star or 0.0)} would have passed"
        )
    if pair.outcome is Outcome.NEGLIGIBLE:
        return f"different but negligible: {lead} ({evidence}), yet the difference lies {within} ({shown})"
    if pair.outcome is Outcome.DIFFERENT:
        beyond = min(abs(limit) for limit in test.interval_95) > test.margin
        size = f"more than the margin of ±{points(test.margin)}" if beyond else f"and was not shown to lie {within}"
        return f"different: {lead}, {size} ({evidence})"
    needed = f"about {pair.seeds_to_decide}" if pair.seeds_to_decide else f"more than {power.LARGEST_STUDY}"
    return (
        f"inconclusive: neither equivalence {within} nor a difference was shown ({shown}); "
        f"{needed} seeds would decide with probability {power.CUSTOMARY_POWER:g} if difference and SD are as "
        "observed, in a newly registered study"
    )


def study_reason(
    outcome: Outcome,
    pairs: Sequence[PairVerdict],
    findings: Sequence[str],
    margin: float,
    p_equivalent: float | None,
    delta_star: float | None,
) -> str:
    if outcome is Outcome.INVALID:
        return "invalid, nothing was decided: " + "; ".join(findings)
    if outcome is Outcome.IDENTICAL:
        return "all implementations had the same accuracy in every seed"
    if outcome is Outcome.EQUIVALENT:
        return (
            f"every pair is equivalent within ±{points(margin)} (intersection-union test, "
            f"p = {p_equivalent:.2g}); any margin above {points(delta_star or 0.0)} would have passed"
        )
    return "; ".join(f"{pair.first} and {pair.second}: {pair.reason}" for pair in pairs if pair.outcome is outcome)


def points(difference: float) -> str:
    """A difference of accuracies in points, hundredths of 1."""
    return f"{_hundredths(difference)} points"


def _span(interval: Interval) -> str:
    return f"{_hundredths(interval[0])} to {points(interval[1])}"


def _hundredths(value: float) -> str:
    """The value in points, to four decimals as in the report's tables."""
    return f"{round(100 * value, 4) + 0.0:g}"  # without the sign of zero
