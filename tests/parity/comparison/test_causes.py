"""What an error probably is: settings tried where they are, and mistakes of the gallery told by layer and cause."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import parity
from numpynet import Array
from parity.comparison.gallery import MISTAKES, TWINS, Mistake
from parity.comparison.gallery.examining import TOLERANCES, examined
from parity.comparison.layers import keras as of_keras
from parity.comparison.layers import torch as of_torch
from parity.frameworks import available
from parity.frameworks.lazy import keras, tf, torch

pytestmark = pytest.mark.skipif(len(available()) < 2, reason="the models are written in torch and in Keras")

# Of some kinds of cause one that is tried nowhere else; `nox -s mistakes` plants them all.
TOLD = (
    "dense-not-transposed",
    "gelu-twice",
    "attention-key-dim",
    "ceil-mode-forgotten",
)


@pytest.mark.parametrize("name", TOLD)
def test_of_a_mistake_the_layer_and_the_cause_are_told_and_nothing_else_is_blamed(name: str) -> None:
    mistake = next(mistake for mistake in MISTAKES if mistake.name == name)
    found = examined(mistake)
    assert found.caught
    assert found.layer_right(mistake), found
    assert found.cause_right(mistake), found
    assert found.own_right(mistake), found
    assert set(found.accepted) == set(TOLERANCES)


def test_the_gallery_names_each_mistake_once_with_its_source() -> None:
    names = [mistake.name for mistake in MISTAKES]
    assert len(names) == len(set(names)) >= 40
    assert all(mistake.source.startswith("https://") for mistake in MISTAKES)
    ways = [(bool(one.changes), one.convert is not None, one.training is not None) for one in MISTAKES]
    assert all(sum(way) == 1 for way in ways)
    assert len(TWINS) >= 6


def layer_names(mistake: Mistake) -> set[str]:
    """The names of the layers of the port with the mistake, and of the modules of the original."""
    model, port = mistake.twin.both(**mistake.changes)
    return {layer.name for layer in port.layers} | {name for name, _ in model.named_modules()}


def test_the_gallery_blames_layers_that_there_are() -> None:
    known = {twin.name: set[str]() for twin in TWINS}
    for mistake in MISTAKES:
        names = known[mistake.twin.name]
        if mistake.layer not in names:
            names |= layer_names(mistake)
        assert mistake.layer in {*names, ""}, mistake.name


def counted(*shape: int) -> Array:
    """Small integers, whose sums and products are exact."""
    return np.arange(np.prod(shape)).reshape(shape).astype(np.float32) % 7 - 3


def convolution(**settings: Any) -> Any:
    return torch.nn.Conv2d(3, 2, 3, **settings)


# What torch computes, what Keras does, and the setting of the latter that is changed.
SETTINGS: list[tuple[Callable[[], Any], Callable[[], Any], str]] = [
    (lambda: convolution(stride=2, padding=1), lambda: keras.layers.Conv2D(2, 3, 2, "same"), "padding"),
    (lambda: convolution(stride=2, padding=1), lambda: keras.layers.Conv2D(2, 3, 1, "same"), "stride"),
    (lambda: torch.nn.MaxPool2d(3, 2, 1), lambda: keras.layers.MaxPooling2D(3, 1, "same"), "stride"),
    (lambda: convolution(padding=1), lambda: keras.layers.Conv2D(2, 3), "padding"),
    (lambda: convolution(dilation=2), lambda: keras.layers.Conv2D(2, 3), "dilation"),
    (lambda: torch.nn.MaxPool2d(3, 2, 1), lambda: keras.layers.MaxPooling2D(3, 2, "same"), "padding"),
    (lambda: torch.nn.MaxPool2d(3, 2, ceil_mode=True), lambda: keras.layers.MaxPooling2D(3, 2), "ceil mode"),
    (lambda: torch.nn.AvgPool2d(4, 3, ceil_mode=True), lambda: keras.layers.AveragePooling2D(4, 3), "ceil mode"),
    (lambda: torch.nn.MaxPool2d(2), lambda: keras.layers.AveragePooling2D(2), "pools"),
    (lambda: torch.nn.AdaptiveMaxPool2d(1), lambda: keras.layers.GlobalAveragePooling2D(keepdims=True), "pools"),
    (
        lambda: torch.nn.Upsample(scale_factor=2, mode="bilinear"),
        lambda: keras.layers.UpSampling2D(2),
        "interpolation",
    ),
    (
        lambda: torch.nn.ConvTranspose2d(3, 2, 3, 2, padding=1, output_padding=1),
        lambda: keras.layers.Conv2DTranspose(2, 3, 2, "same"),
        "cropping",
    ),
    (lambda: torch.nn.ReLU6(), lambda: keras.layers.ReLU(), "activation"),
]


@pytest.mark.parametrize(("ours", "theirs", "name"), SETTINGS)
def test_a_setting_that_is_tried_makes_the_layer_compute_what_the_original_does(
    ours: Callable[[], Any], theirs: Callable[[], Any], name: str
) -> None:
    module, layer, x = ours(), theirs(), 3 * counted(2, 3, 8, 8)
    there = tf.constant(x.transpose(0, 2, 3, 1))
    before = np.asarray(layer(there))
    for parameter in module.parameters():
        parameter.data = torch.from_numpy(counted(*parameter.shape))
    known, tried = of_torch.layer_of("ours", module), of_keras.layer_of("theirs", layer)
    for role, held in tried.held.items():
        values = counted(*known.held[role].tensors[0].shape)
        held.tensors[0].assign(held.from_one(values)[0])
    before = np.asarray(layer.call(there))
    setting, wanted = tried.settings[name], known.kind if name == "activation" else known.settings[name].value
    expected = module(torch.from_numpy(x)).detach().numpy().transpose(0, 2, 3, 1)
    assert not np.array_equal(before, expected)
    assert setting.change is not None
    setting.change(wanted)
    np.testing.assert_array_equal(np.asarray(layer.call(there)), expected)
    setting.change(setting.value)
    np.testing.assert_array_equal(np.asarray(layer.call(there)), before)


def test_of_a_stride_that_lies_in_another_convolution_of_the_block_both_are_told() -> None:
    """As in ResNet-50: torchvision's lies in the second, Keras' in the first, behind which images are smaller."""
    nn, layers = torch.nn, keras.layers
    model = nn.Sequential(
        nn.Conv2d(3, 4, 1),
        nn.BatchNorm2d(4, eps=1e-3),
        nn.Conv2d(4, 4, 3, stride=2, padding=1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    port = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 1, strides=2, name="first"),
            layers.BatchNormalization(momentum=0.9),
            layers.Conv2D(4, 3, padding="same", name="second"),
            layers.GlobalAveragePooling2D(),
        ]
    )
    found = parity.compare(model, port, np.random.default_rng(0).standard_normal((2, 3, 8, 8)).astype(np.float32))
    told = {fault.layer.rpartition("/")[2]: fault.cause.mend for fault in found.faults if fault.cause}
    assert told == {
        "first": "strides=(1, 1)",
        "second": "strides=(2, 2), padding='valid' behind keras.layers.ZeroPadding2D((1, 1))",
    }, str(found)


def test_weights_that_were_converted_wrongly_are_told_though_the_comparison_copies_its_own() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4))
    port = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4), keras.layers.Dense(4, name="second")])
    x = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    assert parity.compare(model, port, x).passed  # of weights that are none of the first's, nothing is said
    port.get_layer("second").kernel.assign(port.get_layer("second").kernel.numpy().T)
    found = parity.compare(model, port, x)
    assert not found.passed
    assert found.fault is not None
    assert found.fault.title == "Dense"
    assert "transposed: 1.weight" in str(found)
    assert parity.compare(model, port, x).passed
