"""The contract of every layer that looks at images through windows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from drawn import every_dtype, images

import numpynet
from numpynet import (
    AvgPool2d,
    Conv2d,
    GlobalAveragePool2d,
    MaxPool2d,
    Module,
    ZeroPad2d,
)

LAYERS: list[Callable[[str], Module]] = [
    lambda dtype: Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(2, 1), dilation=(1, 2), groups=2, dtype=dtype),
    lambda dtype: Conv2d(2, 3, 3, bias=False, dtype=dtype),
    lambda dtype: MaxPool2d(3, stride=2, padding=1),
    lambda dtype: AvgPool2d((2, 3), count_include_pad=False),
    lambda dtype: GlobalAveragePool2d(),
    lambda dtype: ZeroPad2d((1, 0, 2, 0)),
]
every_layer = pytest.mark.parametrize("make", LAYERS, ids=lambda make: repr(make("float32"))[:20])


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
