"""The contract of convolution, pooling and padding; what they compute is parity's to prove."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import numpynet
from numpynet import (
    Array,
    AvgPool2d,
    Conv2d,
    CrossEntropyCriterion,
    Flatten,
    GlobalAveragePool2d,
    Linear,
    MaxPool2d,
    Module,
    ReLU,
    Sequential,
    ZeroPad2d,
)
from numpynet.initializers import he_normal, zeros


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def images(*shape: int, dtype: str = "float32") -> Array:
    return rng().standard_normal(shape).astype(dtype)


LAYERS: list[Callable[[str], Module]] = [
    lambda dtype: Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(2, 1), dilation=(1, 2), groups=2, dtype=dtype),
    lambda dtype: Conv2d(2, 3, 3, bias=False, dtype=dtype),
    lambda dtype: MaxPool2d(3, stride=2, padding=1),
    lambda dtype: AvgPool2d((2, 3), count_include_pad=False),
    lambda dtype: GlobalAveragePool2d(),
    lambda dtype: ZeroPad2d((1, 0, 2, 0)),
]
every_layer = pytest.mark.parametrize("make", LAYERS, ids=lambda make: repr(make("float32"))[:20])
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64", "longdouble"])


class TestEveryLayer:
    @every_layer
    @every_dtype
    def test_output_and_gradients_have_the_dtype_of_the_input(self, make: Callable[[str], Module], dtype: str) -> None:
        layer = make(dtype)
        output = layer(images(3, 2, 5, 6, dtype=dtype))
        gradient = layer.backward(np.ones_like(output))
        assert gradient.shape == (3, 2, 5, 6)
        assert {values.dtype for values in (output, gradient, *(p.grad for p in layer.parameters()))} == {
            np.dtype(dtype)
        }

    @every_layer
    def test_repr_reads_as_the_constructor_call(self, make: Callable[[str], Module]) -> None:
        layer = make("float64")
        rebuilt = eval(repr(layer), vars(numpynet))
        assert repr(rebuilt) == repr(layer)
        assert {name: values.shape for name, values in rebuilt.state_dict().items()} == {
            name: values.shape for name, values in layer.state_dict().items()
        }

    @every_layer
    @pytest.mark.parametrize("shape", [(2, 5, 6), (3, 2, 5, 6, 1), (3, 2, 0, 6)])
    def test_what_is_no_batch_of_images_is_refused_by_name(
        self, make: Callable[[str], Module], shape: tuple[int, ...]
    ) -> None:
        with pytest.raises(ValueError, match=f"{type(make('float32')).__name__}.*shape"):
            make("float32")(np.zeros(shape, np.float32))

    @every_layer
    def test_an_empty_batch_goes_through_and_leaves_zero_gradients(self, make: Callable[[str], Module]) -> None:
        layer = make("float32")
        output = layer(images(0, 2, 5, 6))
        assert len(output) == 0
        assert layer.backward(output).shape == (0, 2, 5, 6)
        assert not any(np.any(parameter.grad) for parameter in layer.parameters())

    @every_layer
    def test_an_image_does_not_depend_on_the_others_in_its_batch(self, make: Callable[[str], Module]) -> None:
        layer, batch = make("float64"), images(4, 2, 5, 6, dtype="float64")
        whole = layer(batch)
        alone = np.concatenate([layer(batch[i : i + 1]) for i in range(4)])
        np.testing.assert_array_equal(whole, alone)

    @every_layer
    def test_nan_spreads_to_the_windows_that_see_it_and_no_further(self, make: Callable[[str], Module]) -> None:
        layer, batch = make("float32"), images(2, 2, 5, 6)
        clean = layer(batch)
        batch[0, 0, 1, 1] = np.nan
        spoilt = layer(batch)
        assert np.isnan(spoilt[0]).any()
        assert not np.isnan(spoilt[1]).any()
        known = ~np.isnan(spoilt)
        np.testing.assert_array_equal(spoilt[known], clean[known])


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


def test_a_convolutional_network_learns_to_tell_rows_from_columns() -> None:
    random = rng()
    x = np.zeros((64, 1, 6, 6), np.float32)
    targets = random.integers(0, 2, 64)
    for image, target in zip(x, targets, strict=True):
        line = random.integers(0, 6)
        image[(0, line) if target else (0, slice(None), line)] = 1
    net = Sequential(Conv2d(1, 4, 3, rng=random), ReLU(), MaxPool2d(2), Flatten(), Linear(16, 2, rng=random))
    criterion, optimizer = CrossEntropyCriterion(), numpynet.SGD(net.parameters(), 0.5, momentum=0.5)
    for _ in range(60):
        optimizer.zero_grad()
        criterion(net(x), targets)
        net.accumulate(criterion.backward())
        optimizer.step()
    assert np.mean(net(x).argmax(axis=1) == targets) == 1
