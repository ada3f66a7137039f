"""The outcomes that a study can have, about one pair of implementations and about all of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from parity.statistics.effects import Effect
from parity.statistics.equivalence import Equivalence


class Outcome(str, Enum):
    """The outcomes of a study, from best to worst; a study is as good as its worst pair."""

    IDENTICAL = "identical"
    EQUIVALENT = "equivalent"
    NEGLIGIBLE = "different but negligible"
    INCONCLUSIVE = "inconclusive"
    DIFFERENT = "different (material)"
    INVALID = "invalid"

    @property
    def differs(self) -> bool:
        """Tells whether the implementations were found to differ by more than the margin."""
        return self is Outcome.DIFFERENT

    @property
    def exit_code(self) -> int:
        """The exit code: 0 identical, equivalent or negligible; 1 different; 2 inconclusive; 3 invalid."""
        return {Outcome.DIFFERENT: 1, Outcome.INCONCLUSIVE: 2, Outcome.INVALID: 3}.get(self, 0)


@dataclass(frozen=True)
class PairVerdict:
    """The finding about accuracy(first) - accuracy(second); the numbers are None where the data are invalid.

    `power` is that of this study to show equivalence at the observed SD if there is no difference,
    `minimum_detectable_margin` and `minimum_detectable_difference` what it had a power of 0.8 for; `seeds_to_decide` is
    given for an inconclusive pair, if the truth is what was observed.
    """

    first: str
    second: str
    outcome: Outcome
    reason: str
    test: Equivalence | None = None
    p_different_holm: float | None = None
    superiority: Effect | None = None
    deviation_ratio: Effect | None = None
    power: float | None = None
    minimum_detectable_margin: float | None = None
    minimum_detectable_difference: float | None = None
    seeds_to_decide: int | None = None


@dataclass(frozen=True)
class Verdict:
    """The study's answer; `p_equivalent` and `delta_star` are the pairs' largest (intersection-union)."""

    outcome: Outcome
    exit_code: int
    reason: str
    design: str
    margin: float
    alpha: float
    n_test: int
    p_equivalent: float | None
    delta_star: float | None
    pairs: tuple[PairVerdict, ...]
    problems: tuple[str, ...]
