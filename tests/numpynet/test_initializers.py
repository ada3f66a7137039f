"""The contract of initialisers: the distributions as published, and equal weights from equal generators."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from drawn import every_dtype, rng

from numpynet import Array, Linear
from numpynet.initializers import fans, glorot_uniform, he_normal, smart, standard_normal, uniform_fan_in, zeros


class TestInitializers:
    shape = (200, 300)

    @pytest.mark.parametrize(
        ("initializer", "deviation"),
        [
            (standard_normal, 1),
            (he_normal, math.sqrt(2 / 300)),
            (glorot_uniform, math.sqrt(2 / 500)),
            (uniform_fan_in, math.sqrt(1 / 300 / 3)),
        ],
    )
    def test_mean_is_zero_and_deviation_as_published(self, initializer: Callable[..., Array], deviation: float) -> None:
        values = initializer(self.shape, rng(), np.float64)
        count = values.size
        assert abs(values.mean()) < 5 * deviation / math.sqrt(count)  # five standard errors
        assert abs(values.std() / deviation - 1) < 5 / math.sqrt(2 * count)

    @pytest.mark.parametrize(
        ("initializer", "bound"), [(glorot_uniform, math.sqrt(6 / 500)), (uniform_fan_in, 1 / math.sqrt(300))]
    )
    def test_uniform_draws_fill_their_bounds(self, initializer: Callable[..., Array], bound: float) -> None:
        largest = np.abs(initializer(self.shape, rng(), np.float64)).max()
        assert 0.999 * bound < largest <= bound

    @every_dtype
    def test_equal_generators_draw_equal_weights_of_the_asked_dtype(self, dtype: str) -> None:
        for initializer in (standard_normal, he_normal, glorot_uniform, uniform_fan_in, zeros):
            first, second = (initializer((3, 2), rng(), dtype) for _ in range(2))
            assert first.dtype == np.dtype(dtype)
            np.testing.assert_array_equal(first, second)

    def test_the_bias_starts_as_in_torch_beside_the_default_and_at_zero_beside_any_other(self) -> None:
        default, he = Linear(9, 50, rng=rng()), Linear(9, 50, init=he_normal, rng=rng())
        assert default.bias is not None
        assert he.bias is not None
        assert 0 < np.abs(default.bias.value).max() <= 1 / 3
        assert np.all(he.bias.value == 0)

    def test_fans_count_the_receptive_field(self) -> None:
        assert fans((8, 3, 5, 5)) == (75, 200)
        with pytest.raises(ValueError, match="two dimensions"):
            fans((3,))

    def test_smart_chooses_by_activation(self) -> None:
        assert [smart(name) for name in ("Sigmoid", "relu", "tanh")] == [glorot_uniform, he_normal, standard_normal]
