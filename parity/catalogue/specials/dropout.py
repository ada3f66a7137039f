"""Special values in dropout."""

from __future__ import annotations

import numpy as np

from numpynet import Dropout
from parity.catalogue.deviation import Deviation, flushed
from parity.catalogue.example import PROBABILITIES, layer

EXAMPLES = [layer(Dropout(0.5, rng=np.random.default_rng(0)), PROBABILITIES)]  # the first is kept, the last dropped

KNOWN: list[Deviation] = [
    flushed("Dropout", "subnormal", "output", ("training", "first")),
]
