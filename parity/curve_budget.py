"""Rung 4's number of moved runs and its factor, derived from what right implementations need (`parity.curve_soak`).

A curve of a right implementation and the moved runs are draws from nearly the same law: rounding errors, carried on by
the same training. Divided by the envelope of M moved runs, a deviation is nearly a Student t of M degrees of freedom
(Student, Biometrika 6 (1908) 1-25), whose tail falls as the M-th power: P(|t| > f) = 1e-6 at f = 41 for M = 4, 13 for
8 and 9 for 12. That holds for one moment. The envelope is a running maximum, and weights that are moved before every
step bring in new errors at every step, as rounding does: it averages over many moments, and the tail is thinner by far
than the theory of one. So the factor is measured: of each curve the least factor that it needs, its tail beyond what
was seen by peaks over threshold (`parity.statistics.tails`), and from that the factor at which the budget is kept.

In single precision rounding may turn a ReLU on or off that all moved runs leave as it is, and two curves part for
good, by a hundred thousand envelopes. No factor allows for that: a curve that leaves its allowance is trained again
from the next seed, and is off if it leaves it from each of SEEDS. An implementation that is wrong is so from all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rich.table import Table

from parity.curve_soak import needed
from parity.curves import FACTOR, MOVED_RUNS, SEEDS
from parity.results import Record
from parity.statistics.tails import tail, upper_bound

BUDGET = 1e-6  # of calling a right curve wrong: in a year of daily runs of 38 curves on ten machines, once in seven
PARTED = (
    100.0  # envelopes: what needs more was parted by a ReLU (see above), and the rest needs less than a tenth of it
)


@dataclass(frozen=True)
class Budget:
    """What the soak says of judging by `moved` runs and `factor`.

    curves: how many there were
    largest: factor that one needed, of those that no ReLU parted
    strayed: how many left the allowance from their seed
    alarms: how many of these left it from SEEDS seeds in a row
    probability, upper: of leaving it from one seed, and the upper 95% bound; the tail's where there is one, and that of
        Clopper and Pearson's of what strayed
    of_alarm: the upper bound of leaving it from SEEDS seeds in a row
    """

    moved: int
    factor: float
    curves: int
    largest: float
    strayed: int
    alarms: int
    probability: float
    upper: float
    of_alarm: float


def budget(records: list[Record], moved: int = MOVED_RUNS, factor: float = FACTOR) -> Budget:
    """What the records of the soak say of `moved` runs and `factor`; ValueError where there is none."""
    found = np.array([needed(record, moved) for record in records])
    if not len(found):
        raise ValueError("no curve has been soaked")
    smooth = found[found <= PARTED]
    parted = len(found) - len(smooth)
    estimated = tail(smooth / factor)
    beyond = int(np.sum(smooth > factor))
    of_parting = upper_bound(parted, len(found))
    if estimated is None:
        probability, upper = (beyond + parted) / len(found), upper_bound(beyond + parted, len(found))
    else:
        probability, upper = estimated.probability + parted / len(found), estimated.upper + of_parting
    alarms = sum(record.get("alarm", False) for record in records)
    largest = float(smooth.max(initial=0))
    return Budget(moved, factor, len(found), largest, beyond + parted, alarms, probability, upper, upper**SEEDS)


def least_factor(records: list[Record], moved: int) -> float:
    """The least factor, in steps of a tenth, beyond which a curve that no ReLU parts is with a probability of at most
    the budget by the upper bound of the tail; infinity where there are too few curves to say."""
    found = np.array([needed(record, moved) for record in records])
    smooth = found[found <= PARTED]
    for factor in np.arange(1, PARTED, 0.1):
        estimated = tail(smooth / factor)
        if estimated is None:
            return np.inf
        if estimated.upper <= BUDGET:
            return float(factor)
    return np.inf


def table(records: list[Record]) -> Table:
    """What the soak says of every number of moved runs, by the factor in use and by the least that keeps the budget."""
    made = Table(
        "moved runs",
        "curves",
        "largest factor\nneeded",
        "least factor that\nkeeps the budget",
        f"left {FACTOR:g}\nenvelopes",
        "alarms",
        "probability from\none seed",
        "upper 95% bound",
        f"of an alarm\n({SEEDS} seeds)",
        title=f"rung 4: what right curves need ({MOVED_RUNS} moved runs, factor {FACTOR:g} are in use)",
    )
    for moved in range(1, len(next(iter(records[0]["factors"].values()))) + 1):
        found, least = budget(records, moved), least_factor(records, moved)
        made.add_row(
            str(moved),
            str(found.curves),
            f"{found.largest:.3g}",
            "too few curves" if least == np.inf else f"{least:.1f}",
            str(found.strayed),
            str(found.alarms) if moved == MOVED_RUNS else "",
            f"{found.probability:.1e}",
            f"{found.upper:.1e}",
            f"{found.of_alarm:.1e}",
        )
    return made
