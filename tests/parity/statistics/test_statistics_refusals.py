"""What is no study's data is refused by a message that says what was wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from parity.statistics import decide
from parity.statistics.power import tost_power
from parity.statistics.proportions import PairedTable, mcnemar

UNKNOWN: Any = "bayes"
MATRIX = np.full((3, 2), 0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: PairedTable.of_predictions([[0], [1]], [[0], [1]], [[0], [1]]), "class indices of one shape"),
        (lambda: mcnemar(PairedTable(3, 2, 1, 4), UNKNOWN), "asymptotic, corrected, exact or mid-p, got 'bayes'"),
        (lambda: tost_power(1, 0.01, 0.005), "at least 2 seeds, got 1"),
        (lambda: decide({"a": MATRIX, "b": MATRIX}, n_test=10, margin=0.1), "one number per seed, got shape"),
    ],
)
def test_it_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
