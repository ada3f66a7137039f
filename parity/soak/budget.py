"""Rung 4's number of moved runs and its factor, derived from what right implementations need (`parity.soak.curves`).

A curve of a right implementation and the moved runs are draws from nearly the same law: rounding errors, carried on by
the same training. Divided by the envelope of M moved runs, a deviation is nearly a Student t of M degrees of freedom
(Student, Biometrika 6 (1908) 1-25), whose tail falls as the M-th power: P(|t| > f) = 1e-6 at f = 41 for M = 4, 13 for 8
and 9 for 12. That holds for one moment. The envelope is a running maximum, and weights that are moved before every step
bring in new errors at every step, as rounding does: it averages over many moments, and the tail is thinner by far than
the theory of one. So the factor is measured, by the least factor that each curve needs.

In single precision rounding may turn a ReLU on or off that all moved runs leave as it is, and two curves part for good,
by a hundred thousand envelopes. No factor allows for that: a curve that leaves its allowance is trained again from
other seeds, and is off if it leaves it from each of SEEDS. An implementation that is wrong leaves it from all.

Networks differ in how often their curves leave the allowance, so that alarms are counted network by network and dtype
by dtype: where a network's curves left it k times in n, an alarm is that they do so the next SEEDS times. The rate is
taken from a beta distribution whose mean is the rate p of all networks, and which weighs as much as one curve: Beta(p,
1 - p) before these curves, and Beta(p + k, 1 - p + n - k) after them.

    Efron and Morris, J. Amer. Statist. Assoc. 70 (1975) 311-319: empirical Bayes;
    Gelman et al., Bayesian Data Analysis, 3rd ed. (2014), 2.4 and 5.3: the beta-binomial model.
"""

from __future__ import annotations

import bisect
import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
from rich.table import Table

from parity.results.records import Json
from parity.soak.curves import needed
from parity.training.curves import FACTOR, MOVED_RUNS, SEEDS

BUDGET = 1e-6  # of calling a right curve wrong: in a year of daily runs of 36 curves on ten machines, once in eight
PARTED = 100.0  # envelopes: what needs more was parted by a ReLU (see above), and the rest needs a tenth of it at most


@dataclass(frozen=True)
class Budget:
    """The consequences of judging curves by `moved` runs and `factor`, by the soak.

    curves: the number of curves that were soaked
    largest: the largest factor that a curve needed, those left out that a ReLU parted
    strayed: the number of curves that left the allowance from their seed
    alarms: the number of these that left it from SEEDS seeds in a row, when they were soaked
    of_alarm: the probability that a curve does, by the counts of strayed curves, network by network
    """

    moved: int
    factor: float
    curves: int
    largest: float
    strayed: int
    alarms: int
    of_alarm: float


def budget(records: list[Json], moved: int = MOVED_RUNS, factor: float = FACTOR, seeds: int = SEEDS) -> Budget:
    """The `Budget` of `moved` runs, `factor` and `seeds`, by the records of the soak; ValueError where it has none."""
    found = np.array([needed(record, moved) for record in records])
    if not len(found):
        raise ValueError("no curve has been soaked")
    networks = [(record["name"], record["dtype"]) for record in records]
    curves = Counter(networks)
    strayed = Counter(network for network, factors in zip(networks, found, strict=True) if factors > factor)
    usual = strayed.total() / len(found)
    of_alarm = np.mean([all_strayed(strayed[network], number, seeds, usual) for network, number in curves.items()])
    return Budget(
        moved,
        factor,
        len(found),
        float(found[found <= PARTED].max(initial=0)),
        strayed.total(),
        sum(record["passed"] is False for record in records),
        float(of_alarm),
    )


def all_strayed(strayed: int, curves: int, seeds: int, usual: float) -> float:
    """The probability that a network's next `seeds` curves all leave the allowance, after `strayed` of `curves` did.

    `usual` is the rate of all networks: this is the moment of order `seeds` of the posterior beta distribution.
    """
    return math.prod((usual + strayed + i) / (1 + curves + i) for i in range(seeds))


def least_factor(records: list[Json], moved: int, seeds: int = SEEDS) -> float:
    """The least factor, in steps of a tenth, that keeps the budget, as all larger ones do; infinity if none does."""
    tenths = range(10, int(10 * PARTED))
    kept = bisect.bisect_left(tenths, True, key=lambda f: budget(records, moved, f / 10, seeds).of_alarm <= BUDGET)
    return tenths[kept] / 10 if kept < len(tenths) else math.inf


def table(records: list[Json]) -> Table:
    """The table of the soak's findings for each number of moved runs.

    It gives the counts with the factor in use, and the least factor that keeps the budget.
    """
    made = Table(
        "moved runs",
        "curves",
        "largest factor\nneeded",
        "least factor that\nkeeps the budget",
        f"left {FACTOR:g}\nenvelopes",
        "alarms",
        f"probability of an\nalarm ({SEEDS} seeds)",
        title=f"rung 4: what right curves need ({MOVED_RUNS} moved runs, factor {FACTOR:g} are in use)",
    )
    for moved in range(1, len(next(iter(records[0]["factors"].values()))) + 1):
        found, least = budget(records, moved), least_factor(records, moved)
        made.add_row(
            str(moved),
            str(found.curves),
            f"{found.largest:.3g}",
            "none" if math.isinf(least) else f"{least:.1f}",
            str(found.strayed),
            str(found.alarms) if moved == MOVED_RUNS else "",
            f"{found.of_alarm:.1e}",
        )
    return made
