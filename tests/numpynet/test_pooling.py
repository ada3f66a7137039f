"""The contract of pooling and padding; that they compute what torch and TensorFlow do is parity's to prove."""

from __future__ import annotations

import numpy as np
import pytest
from drawn import images

from numpynet import AvgPool2d, Conv2d, GlobalAveragePool2d, MaxPool2d, Sequential, ZeroPad2d


class TestPooling:
    def test_of_equal_elements_the_first_is_the_largest(self) -> None:
        layer = MaxPool2d(2, stride=1)
        layer(np.zeros((1, 1, 2, 3), np.float32))
        gradient = layer.backward(np.array([[[[1, 10]]]], np.float32))
        np.testing.assert_array_equal(gradient[0, 0], [[1, 10, 0], [0, 0, 0]])

    def test_padding_is_never_the_largest(self) -> None:
        x = np.full((1, 1, 2, 2), -3, np.float32)
        np.testing.assert_array_equal(MaxPool2d(2, padding=1)(x), np.full((1, 1, 2, 2), -3))

    def test_the_gradient_of_a_window_with_a_nan_goes_to_it(self) -> None:
        x = np.array([[[[1, np.nan, 3]]]], np.float32)
        layer = MaxPool2d((1, 3))
        assert np.isnan(layer(x)).all()
        np.testing.assert_array_equal(layer.backward(np.ones((1, 1, 1, 1), np.float32)), [[[[0, 1, 0]]]])

    def test_overlapping_windows_add_their_gradients(self) -> None:
        for layer, expected in ((MaxPool2d((1, 2), 1), [0, 2, 0]), (AvgPool2d((1, 2), 1), [0.5, 1, 0.5])):
            layer(np.array([[[[0, 1, 0]]]], np.float32))
            gradient = layer.backward(np.ones((1, 1, 1, 2), np.float32))
            np.testing.assert_array_equal(gradient[0, 0, 0], expected)

    @pytest.mark.parametrize(("counted", "corner"), [(True, 0.25), (False, 1.0)])
    def test_an_average_counts_the_padding_or_does_not(self, counted: bool, corner: float) -> None:
        layer = AvgPool2d(2, stride=1, padding=1, count_include_pad=counted)
        output = layer(np.ones((1, 1, 2, 2), np.float32))
        assert output[0, 0, 0, 0] == corner
        assert output[0, 0, 1, 1] == 1

    def test_the_global_average_leaves_channels(self) -> None:
        x = images(2, 3, 4, 5, dtype="float64")
        layer = GlobalAveragePool2d()
        np.testing.assert_allclose(layer(x), x.reshape(2, 3, 20).mean(axis=2))
        gradient = layer.backward(np.ones((2, 3)))
        np.testing.assert_allclose(gradient, np.full(x.shape, 1 / 20))
        assert gradient.flags.writeable

    def test_a_stride_that_is_the_window_is_not_shown(self) -> None:
        assert repr(MaxPool2d(2)) == repr(MaxPool2d((2, 2), 2)) == "MaxPool2d(2)"
        assert repr(AvgPool2d(3, 2, 1, False)) == "AvgPool2d(3, stride=2, padding=1, count_include_pad=False)"

    def test_padding_by_more_than_half_a_window_is_refused_by_name(self) -> None:
        with pytest.raises(ValueError, match="MaxPool2d takes a padding of at most half of the window, got 2 for 3"):
            MaxPool2d(3, padding=2)

    def test_integers_are_refused_by_name(self) -> None:
        with pytest.raises(ValueError, match=r"MaxPool2d.* takes a floating array, got int64"):
            MaxPool2d(2)(np.zeros((1, 1, 2, 2), np.int64))


class TestZeroPadding:
    def test_widths_are_left_right_top_bottom(self) -> None:
        output = ZeroPad2d((1, 2, 3, 4))(np.ones((1, 1, 2, 2), np.float32))
        assert output.shape == (1, 1, 9, 5)
        assert output.sum() == output[..., 3:5, 1:3].sum() == 4

    def test_it_expresses_tensorflows_same_with_stride_two(self) -> None:
        """Padded by one on the right and below alone, 8 pixels make 4 windows of 3."""
        net = Sequential(ZeroPad2d((0, 1, 0, 1)), Conv2d(1, 1, 3, stride=2, bias=False))
        assert net(images(1, 1, 8, 8)).shape == (1, 1, 4, 4)

    @pytest.mark.parametrize("widths", [(1, 2), -1, (0, 0, 0, -1)])
    def test_other_widths_are_refused_by_name(self, widths: int | tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match=r"ZeroPad2d: padding is an integer of at least 0, or .left, right"):
            ZeroPad2d(widths)
