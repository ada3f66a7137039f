"""What an activation does that is not one function of each element."""

from __future__ import annotations

import numpy as np

from numpynet import Maxout


def test_neighbours_in_maxout_are_pieces_of_one_unit_and_the_first_of_equal_ones_has_the_gradient() -> None:
    module = Maxout(2)
    np.testing.assert_array_equal(module(np.array([[1.0, 3.0, 2.0, 2.0]])), [[3, 2]])
    np.testing.assert_array_equal(module.backward(np.array([[5.0, 7.0]])), [[0, 5, 7, 0]])
