"""What the normalisations are of each other."""

from __future__ import annotations

import numpy as np
from drawn import batch

from numpynet import BatchNormalization, GroupNormalization, LayerNormalization, Scaling

IMAGES = np.random.default_rng(1).standard_normal((3, 4, 2, 5))


def test_layer_normalisation_is_batch_normalisation_of_the_transpose() -> None:
    x = batch("float64")
    transposed = BatchNormalization(6, dtype=np.float64)(x.T).T
    np.testing.assert_allclose(LayerNormalization()(x), transposed, rtol=1e-13)  # sums of other order


def test_one_group_is_layer_normalisation_of_the_whole_image() -> None:
    np.testing.assert_array_equal(GroupNormalization(1)(IMAGES), LayerNormalization(3)(IMAGES))


def test_as_many_groups_as_features_normalise_each_feature_of_each_image() -> None:
    by_feature = LayerNormalization(2)(IMAGES)
    np.testing.assert_array_equal(GroupNormalization(4)(IMAGES), by_feature)


def test_one_gamma_and_beta_serve_all_features() -> None:
    one, many = Scaling(1, dtype=np.float64), Scaling(4, dtype=np.float64)
    for scaling in (one, many):
        scaling.gamma.value[:], scaling.beta.value[:] = 2, 1
        np.testing.assert_array_equal(scaling(IMAGES), 2 * IMAGES + 1)
        scaling.backward(IMAGES)
    np.testing.assert_allclose(one.gamma.grad, many.gamma.grad.sum(keepdims=True), rtol=1e-13)
    np.testing.assert_allclose(one.beta.grad, many.beta.grad.sum(keepdims=True), rtol=1e-11)
