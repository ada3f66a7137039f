"""The statistics of the study: equivalence, power, proportions, effects, margins, provenance and the verdict.

Results are frozen dataclasses; `dataclasses.asdict` makes them ready for JSON.
"""

from parity.statistics.calibration import Cell, calibrate
from parity.statistics.effects import Effect, deviation_ratio, superiority
from parity.statistics.equivalence import Equivalence, paired_tost, welch_tost
from parity.statistics.margins import margin, seed_noise
from parity.statistics.outcome import Outcome, PairVerdict, Verdict
from parity.statistics.power import (
    difference_power,
    minimum_detectable_difference,
    minimum_detectable_margin,
    seeds_to_decide,
    tost_power,
)
from parity.statistics.proportions import (
    McNemar,
    PairedTable,
    churn,
    mcnemar,
    newcombe_interval,
    tango_equivalence_p,
    tango_interval,
    tango_z,
)
from parity.statistics.provenance import Provenance, provenance_problems, trend_problems
from parity.statistics.verdict import decide, fewest_seeds, holm
from parity.statistics.wording import points

__all__ = [
    "Cell",
    "Effect",
    "Equivalence",
    "McNemar",
    "Outcome",
    "PairVerdict",
    "PairedTable",
    "Provenance",
    "Verdict",
    "calibrate",
    "churn",
    "decide",
    "deviation_ratio",
    "difference_power",
    "fewest_seeds",
    "holm",
    "margin",
    "mcnemar",
    "minimum_detectable_difference",
    "minimum_detectable_margin",
    "newcombe_interval",
    "paired_tost",
    "points",
    "provenance_problems",
    "seed_noise",
    "seeds_to_decide",
    "superiority",
    "tango_equivalence_p",
    "tango_interval",
    "tango_z",
    "tost_power",
    "trend_problems",
    "welch_tost",
]
