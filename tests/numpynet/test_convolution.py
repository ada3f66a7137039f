"""The contract of convolution; that it computes what torch and TensorFlow do is parity's to prove."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from drawn import images, rng

from numpynet import SGD, Array, Conv2d, CrossEntropyCriterion, Flatten, Linear, MaxPool2d, Module, ReLU, Sequential
from numpynet.initializers import he_normal, zeros


class TestConvolution:
    def test_it_is_the_sum_in_its_documentation(self) -> None:
        layer = Conv2d(4, 6, (2, 3), stride=(2, 1), padding=(1, 2), dilation=(3, 2), groups=2, dtype="float64")
        x = images(2, 4, 6, 5, dtype="float64")
        padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (2, 2)])
        assert layer.bias is not None
        weight, bias = layer.weight.value, layer.bias.value
        y = layer(x)
        assert y.shape == (2, 6, 3, 5)
        for n, o, r, c in np.ndindex(*y.shape):
            seen = padded[n, 2 * (o // 3) : 2 * (o // 3) + 2, 2 * r : 2 * r + 4 : 3, c : c + 5 : 2]
            expected = bias[o] + np.sum(weight[o] * seen)  # 13 terms near 1: 3e-15 by their order
            assert math.isclose(y[n, o, r, c], expected, rel_tol=1e-12, abs_tol=1e-12)

    def test_as_many_groups_as_channels_make_it_depthwise(self) -> None:
        layer, x = Conv2d(3, 3, 3, groups=3, bias=False, dtype="float64"), images(2, 3, 5, 5, dtype="float64")
        for channel in range(3):
            single = Conv2d(1, 1, 3, bias=False, dtype="float64")
            single.weight.value = layer.weight.value[channel : channel + 1]
            np.testing.assert_allclose(layer(x)[:, channel : channel + 1], single(x[:, channel : channel + 1]))

    def test_gradients_accumulate_and_accumulate_alone_leaves_out_the_inputs(self) -> None:
        layer, x = Conv2d(2, 3, 2), images(2, 2, 4, 4)
        cotangent = images(2, 3, 3, 3)
        layer(x)
        layer.backward(cotangent)
        once = {name: parameter.grad.copy() for name, parameter in layer.named_parameters().items()}
        layer.accumulate(cotangent)
        for name, parameter in layer.named_parameters().items():
            np.testing.assert_array_equal(parameter.grad, 2 * once[name])

    def test_weight_and_bias_start_as_in_pytorch(self) -> None:
        layer = Conv2d(8, 64, 5, groups=2, rng=rng())
        bound = 1 / math.sqrt(4 * 25)
        assert layer.weight.value.shape == (64, 4, 5, 5)
        for parameter in layer.parameters():
            assert bound / 2 < np.max(np.abs(parameter.value)) <= bound

    def test_beside_another_initialiser_the_bias_starts_at_zero(self) -> None:
        layer = Conv2d(3, 32, 5, init=he_normal, rng=rng())
        assert layer.bias is not None
        assert not np.any(layer.bias.value)
        # Of 2,400 numbers the standard deviation is known to 1.4 %, a standard error: 1 / sqrt(2 * 2400).
        assert math.isclose(layer.weight.value.std(), math.sqrt(2 / 75), rel_tol=0.05)
        assert not np.any(Conv2d(3, 2, 2, init=zeros).weight.value)

    def test_equal_generators_draw_equal_weights(self) -> None:
        for one, other in zip(
            Conv2d(2, 3, 3, rng=rng()).parameters(), Conv2d(2, 3, 3, rng=rng()).parameters(), strict=True
        ):
            np.testing.assert_array_equal(one.value, other.value)

    @pytest.mark.parametrize(
        ("written", "layer"),
        [
            ("Conv2d(3, 8, 5, padding=2)", Conv2d(3, 8, 5, padding=2)),
            ("Conv2d(3, 8, 5, padding=2)", Conv2d(3, 8, (5, 5), (1, 1), [2, 2])),
            ("Conv2d(4, 8, (1, 3), groups=4, bias=False)", Conv2d(4, 8, (1, 3), groups=4, bias=False)),
        ],
    )
    def test_repr_is_short(self, written: str, layer: Module) -> None:
        assert repr(layer) == written

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"in_channels": 0}, "at least one channel"),
            ({"groups": 3}, "groups that divide the channels, got 4 and 6 channels in 3 groups"),
            ({"kernel_size": 0}, "kernel_size is an integer of at least 1, or .rows, columns. of them, got 0"),
            ({"stride": (1, 0)}, r"stride .* got \(1, 0\)"),
            ({"padding": -1}, "padding is an integer of at least 0"),
            ({"padding": 0.5}, "padding .* got 0.5"),
            ({"dilation": (1, 1, 1)}, "dilation"),
        ],
    )
    def test_what_makes_no_sense_is_refused_by_name(self, arguments: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=f"Conv2d.*{message}"):
            Conv2d(**{"in_channels": 4, "out_channels": 6, "kernel_size": 3, **arguments})

    @pytest.mark.parametrize(
        ("x", "message"),
        [
            (images(1, 3, 5, 5), r"takes float32 of shape \(N, 2, H, W\), got float32 of shape \(1, 3, 5, 5\)"),
            (images(1, 2, 5, 5, dtype="float64"), "got float64"),
            (images(1, 2, 2, 5), r"no window fits into images of shape \(1, 2, 2, 5\)"),
        ],
    )
    def test_images_that_do_not_fit_are_refused_by_name(self, x: Array, message: str) -> None:
        with pytest.raises(ValueError, match=f"Conv2d.*{message}"):
            Conv2d(2, 3, 3)(x)

    def test_windows_that_see_nothing_but_padding_return_the_bias_and_send_nothing_back(self) -> None:
        layer = Conv2d(1, 2, 1, stride=2, padding=1)
        output = layer(images(1, 1, 1, 1))
        assert layer.bias is not None
        np.testing.assert_array_equal(output[0, :, 0, 0], layer.bias.value)
        np.testing.assert_array_equal(layer.backward(np.ones_like(output)), np.zeros((1, 1, 1, 1)))


def test_a_convolutional_network_learns_to_tell_rows_from_columns() -> None:
    random = rng()
    x = np.zeros((64, 1, 6, 6), np.float32)
    targets = random.integers(0, 2, 64)
    for image, target in zip(x, targets, strict=True):
        line = random.integers(0, 6)
        image[(0, line) if target else (0, slice(None), line)] = 1
    net = Sequential(Conv2d(1, 4, 3, rng=random), ReLU(), MaxPool2d(2), Flatten(), Linear(16, 2, rng=random))
    criterion, optimizer = CrossEntropyCriterion(), SGD(net.parameters(), 0.5, momentum=0.5)
    for _ in range(60):
        optimizer.zero_grad()
        criterion(net(x), targets)
        net.accumulate(criterion.backward())
        optimizer.step()
    assert np.mean(net(x).argmax(axis=1) == targets) == 1
