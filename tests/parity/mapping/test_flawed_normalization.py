"""The source course's batch normalisation, expressed by numpynet's: scalar gamma and beta, and no eps."""

from __future__ import annotations

import numpy as np
import pytest

from numpynet import Array, BatchNormalization, Scaling, Sequential
from parity.case import Case, Step
from parity.frameworks import available
from parity.ladder.judge import Judgement, judge


def flawed(dtype: str) -> Sequential:
    scaling = Scaling(1, dtype=dtype)
    scaling.gamma.value[:], scaling.beta.value[:] = 0.5, 0.25
    return Sequential(BatchNormalization(3, eps=0, dtype=dtype), scaling)


def judged(x: Array, dtype: str) -> Judgement:
    return judge(Case(flawed(dtype), [Step(x.astype(dtype), np.ones_like(x, dtype) + x.astype(dtype))]))


x = np.random.default_rng(0).standard_normal((8, 3))
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


@every_dtype
def test_all_compute_the_flawed_formula(dtype: str) -> None:
    judgement = judged(x, dtype)
    assert judgement.passed
    expected = 0.5 * (x - x.mean(axis=0)) / x.std(axis=0) + 0.25
    (output,) = (value for key, value in judgement.reference.items() if (key.layer, key.quantity) == ("", "output"))
    np.testing.assert_allclose(output.astype(float), expected, rtol=1e-5)  # x was rounded to the dtype


@every_dtype
def test_a_constant_feature_becomes_nan_in_all(dtype: str) -> None:
    dead = x * [1, 0, 1]
    judgement = judged(dead, dtype)
    assert judgement.passed
    assert set(judgement.traces) == {"numpynet", *available()}
    for record in judgement.traces.values():
        for key, value in record.items():
            if key.layer == "" and value.shape == x.shape:
                np.testing.assert_array_equal(np.isnan(value), dead == 0)
