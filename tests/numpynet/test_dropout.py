"""The contract of dropout."""

from __future__ import annotations

import numpy as np
from drawn import batch, rng

from numpynet import Dropout


def test_dropout_draws_equal_masks_from_equal_generators_and_nothing_in_evaluation() -> None:
    first, second = (Dropout(0.5, rng=rng()) for _ in range(2))
    np.testing.assert_array_equal(first(batch()), second(batch()))
    np.testing.assert_array_equal(first.evaluate()(batch()), batch())
    assert first.rng.bit_generator.state == second.rng.bit_generator.state
