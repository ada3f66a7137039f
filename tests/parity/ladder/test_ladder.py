"""Rungs 1 to 3: every pair, both dtypes, against every framework that is installed."""

from __future__ import annotations

import os

import numpy as np
import pytest

import numpynet
from parity.case import Case, Step
from parity.formats import DTYPES
from parity.frameworks import available
from parity.ladder.judge import judge
from parity.ladder.proving import Report, prove, targets
from parity.mapping.pair import registry

EXAMPLES = int(os.environ.get("PARITY_EXAMPLES", "5"))  # the first of the 60 of the main job, which CI runs in full


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("target", targets(), ids=lambda target: target.__name__)
def test_every_implementation_stays_within_its_allowance(target: type, dtype: str) -> None:
    report = prove(target, dtype, examples=EXAMPLES)
    assert report.failure is None, report.failure
    assert report.examples >= EXAMPLES // 2
    assert report.frameworks == available()


def test_an_example_whose_numbers_leave_the_range_at_once_is_counted_apart() -> None:
    report = Report("LeakyReLU", "float32", [])
    for size in (1.0, 1e30):
        x = np.full((2, 2), size, np.float32)
        report.count(judge(Case(numpynet.LeakyReLU(), [Step(x, x)]), []))
    assert (report.examples, report.beyond) == (1, 1)


def test_every_public_class_that_computes_has_a_pair() -> None:
    abstract = {numpynet.Module, numpynet.Criterion, numpynet.Optimizer}
    computing = [
        value
        for value in vars(numpynet).values()
        if isinstance(value, type) and hasattr(value, "forward" if hasattr(value, "forward") else "step")
    ]
    missing = [c.__name__ for c in computing if c not in abstract and c not in registry()]
    assert not missing, f"no pair for {', '.join(missing)}"
