"""Calibration: simulated studies whose truth is known show whether the procedures keep what they promise.

Type-I error: the true difference lies exactly on the margin (TOST) or at 0 (tests of a difference), so any claim is
false and may be made in at most alpha of the studies. Power: the share of passing studies is held against the integral
of `power`. The laws are those of one implementation's accuracies around their mean, in units of the margin; all
procedures are the shipped functions, run on many studies at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from parity.statistics.equivalence import (
    Floats,
    Summary,
    difference_p,
    equivalence_p,
    paired_summary,
    welch_summary,
)
from parity.statistics.margins import LARGEST_MARGIN
from parity.statistics.power import tost_power
from parity.statistics.proportions import PairedTable, mcnemar, tango_equivalence_p

TYPICAL_ACCURACY = 0.9
MONTE_CARLO_ERRORS = 3  # standard errors of a simulated rate that are put down to chance
Law = Callable[[np.random.Generator, tuple[int, ...], float], Floats]


@dataclass(frozen=True)
class Cell:
    """One simulated rate: of false claims (`kind` "type I") or of passes ("power"), with what it may be.

    `size` is the number of seeds, or of test examples for the tests of one 2x2 table; `noise` the SD of the difference
    over the margin, or the churn.
    """

    kind: str
    procedure: str
    law: str
    size: int
    noise: float
    difference_over_margin: float
    replications: int
    rate: float
    expected: float
    lowest: float
    highest: float

    @property
    def passed(self) -> bool:
        return self.lowest <= self.rate <= self.highest


def normal(rng: np.random.Generator, shape: tuple[int, ...], deviation: float) -> Floats:
    return deviation * rng.standard_normal(shape)


def lattice(rng: np.random.Generator, shape: tuple[int, ...], deviation: float) -> Floats:
    """Accuracies in steps of half a margin, the coarsest that `margins.margin` admits (2 test examples)."""
    return np.rint(2 * normal(rng, shape, deviation)) / 2


def binomial(rng: np.random.Generator, shape: tuple[int, ...], deviation: float) -> Floats:
    """Accuracies of as many independent test examples as give this SD at the largest margin, around their mean."""
    p = TYPICAL_ACCURACY
    n_test = math.ceil(p * (1 - p) / (deviation * LARGEST_MARGIN) ** 2)
    return np.asarray((rng.binomial(n_test, p, shape) / n_test - p) / LARGEST_MARGIN)


def heavy_tailed(rng: np.random.Generator, shape: tuple[int, ...], deviation: float) -> Floats:
    """Accuracies by Student's t with 3 degrees of freedom, the fewest (whole) with a finite SD, which is sqrt(3)."""
    return np.asarray(deviation / math.sqrt(3) * rng.standard_t(3, shape))


LAWS: dict[str, Law] = {
    "normal": normal,
    "discrete, 2 examples a margin": lattice,
    "discrete, binomial": binomial,
    "heavy-tailed, t(3)": heavy_tailed,
}


def calibrate(
    replications: int = 20_000,
    seeds: Sequence[int] = (6, 10, 30),
    noises: Sequence[float] = (0.25, 0.5, 1.0, 2.0),
    laws: Sequence[str] = tuple(LAWS),
    n_tests: Sequence[int] = (360, 10_000),
    churns: Sequence[float] = (0.02, 0.1),
    alpha: float = 0.05,
    seed: int = 0,
) -> list[Cell]:
    """All simulated rates: for each number of seeds, noise and law, and for each number of test examples and churn."""
    rng = np.random.default_rng(seed)
    cells: list[Cell] = []
    for law, n, noise in product(laws, seeds, noises):
        cells += _study_cells(rng, replications, law, n, noise, alpha)
    for n_test, churn in product(n_tests, churns):
        cells += _table_cells(rng, replications, n_test, churn, alpha)
    return cells


def _study_cells(
    rng: np.random.Generator, replications: int, law: str, n: int, noise: float, alpha: float
) -> Iterator[Cell]:
    def cell(kind: str, procedure: str, shift: float, p: Floats, expected: float) -> Cell:
        return _cell(kind, procedure, law, n, noise, shift, p <= alpha, expected)

    arms = LAWS[law](rng, (3, replications, n), noise / math.sqrt(2))
    yield cell("type I", "paired t test", 0.0, difference_p(paired_summary(arms[0] - arms[1])), alpha)
    yield cell("type I", "Welch t test", 0.0, difference_p(welch_summary(arms[0], arms[1])), alpha)
    for shift in (-1.0, 1.0):
        shifted = arms + shift * np.array([1.0, 0.5, 0.0])[:, None, None]
        for procedure, summarise in (("paired TOST", _paired), ("Welch TOST", welch_summary)):
            pairs = [equivalence_p(summarise(x, y), 1.0) for x, y in combinations(shifted, 2)]
            on_margin = pairs[1]  # first against third
            yield cell("type I", procedure, shift, on_margin, alpha)
            yield cell("type I", f"{procedure}, three pairs", shift, np.maximum.reduce(pairs), alpha)
    if law == "normal":
        for shift in (0.0, 0.5):
            p = equivalence_p(_paired(arms[0] + shift, arms[1]), 1.0)
            yield cell("power", "paired TOST", shift, p, tost_power(n, noise, 1.0, shift, alpha))


def _paired(first: Floats, second: Floats) -> Summary:
    return paired_summary(first - second)


def _table_cells(
    rng: np.random.Generator, replications: int, n_test: int, churn: float, alpha: float
) -> Iterator[Cell]:
    """Yields the rates of the tests of one 2x2 table.

    The true difference is the margin (half the churn) for TOST, 0 for McNemar.
    """
    margin = churn / 2
    tests: list[tuple[str, float, Callable[[PairedTable], float]]] = [
        ("Tango TOST", 1.0, lambda table: tango_equivalence_p(table, margin)),
        ("McNemar exact", 0.0, lambda table: mcnemar(table, "exact").p),
        ("McNemar corrected", 0.0, lambda table: mcnemar(table, "corrected").p),
        ("McNemar mid-p", 0.0, lambda table: mcnemar(table, "mid-p").p),
        ("McNemar asymptotic (Tango)", 0.0, lambda table: mcnemar(table, "asymptotic").p),
    ]
    for procedure, shift, p_of in tests:
        only_first, only_second = (churn + shift * margin) / 2, (churn - shift * margin) / 2
        cells = rng.multinomial(n_test, [only_first, only_second, 1 - churn], replications)
        distinct, index = np.unique(cells, axis=0, return_inverse=True)
        p = np.array([p_of(PairedTable(rest, b, c, 0)) for b, c, rest in distinct.tolist()])
        claimed = (p <= alpha)[index.reshape(-1)]
        yield _cell("type I", procedure, "multinomial", n_test, churn, shift, claimed, alpha)


def _cell(
    kind: str,
    procedure: str,
    law: str,
    size: int,
    noise: float,
    shift: float,
    claimed: np.ndarray,
    expected: float,
) -> Cell:
    chance = MONTE_CARLO_ERRORS * math.sqrt(expected * (1 - expected) / claimed.size)
    return Cell(
        kind=kind,
        procedure=procedure,
        law=law,
        size=size,
        noise=noise,
        difference_over_margin=shift,
        replications=claimed.size,
        rate=float(claimed.mean()),
        expected=expected,
        lowest=expected - chance if kind == "power" else 0.0,
        highest=expected + chance,
    )
