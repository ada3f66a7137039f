"""Rungs 1 to 3: every pair, both dtypes, against every framework that is installed."""

from __future__ import annotations

import os

import numpy as np
import pytest

import numpynet
from numpynet import Linear
from parity.case import Case, Step
from parity.formats import DTYPES
from parity.frameworks import available
from parity.ladder.judge import errors, judge
from parity.ladder.proving import Report, prove, targets
from parity.ladder.trace import STEP
from parity.mapping.pair import registry

EXAMPLES = int(os.environ.get("PARITY_EXAMPLES", "3"))  # the first of the 60 of the main job, which CI runs in full


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


@pytest.mark.parametrize("scale", [1.0, 2.0**-30])
def test_an_update_is_judged_however_small_its_gradient_is(scale: float) -> None:
    """That it is nothing but rounding is a matter of what it is made of, not of its size."""
    rng = np.random.default_rng(1)
    input, cotangent = (rng.standard_normal(shape).astype(np.float32) for shape in ((5, 3), (5, 2)))
    judgement = judge(Case(Linear(3, 2), [Step(input, np.float32(scale) * cotangent)], arguments={}), frameworks=[])
    assert STEP in {key.rung for key in judgement.reference}


def test_the_same_infinity_or_nan_is_no_error_and_another_is_an_infinite_one() -> None:
    expected = np.array([np.inf, np.nan, 1, 1, np.inf, np.inf, 1])
    actual = np.array([np.inf, np.nan, np.inf, np.nan, 1, -np.inf, 1.5], np.float32)
    np.testing.assert_array_equal(errors(actual, expected), [0, 0, np.inf, np.inf, np.inf, np.inf, 0.5])
    np.testing.assert_array_equal(errors(actual[-1:], expected[-1:]), [0.5])
