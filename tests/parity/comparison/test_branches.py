"""Parallel branches that hold arrays of equal shapes: which layer is which, though another one is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import parity
from numpynet import Array
from parity.comparison.proposing import proposed
from parity.frameworks import available
from parity.frameworks.lazy import keras, torch

pytestmark = pytest.mark.skipif(len(available()) < 2, reason="the models are written in torch and in Keras")
SIDE, CHANNELS, CLASSES = 5, 4, 3
HEADS, WAYS = ("left", "right"), ("wide", "high")


def images() -> Array:
    return np.random.default_rng(0).standard_normal((2, CHANNELS, SIDE, SIDE)).astype(np.float32)


def blocks_in_torch(faint: float = 1.0) -> Any:
    """Two blocks of a pooled branch and two others, each of which parts in two convolutions; then a linear layer.

    The weights of the blocks are drawn as usual, and `faint` times as large.
    """
    nn = torch.nn

    class Blocks(nn.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            for block in range(2):
                self.add_module(f"pooled{block}", nn.Conv2d(CHANNELS, CHANNELS, 1))
                self.add_module(f"left{block}", nn.Conv2d(CHANNELS, CHANNELS, 1))
                self.add_module(f"right{block}_narrow", nn.Conv2d(CHANNELS, CHANNELS - 1, 1))
                self.add_module(f"right{block}", nn.Conv2d(CHANNELS - 1, CHANNELS, 3, padding=1))
                for name in HEADS:
                    self.add_module(f"{name}{block}_wide", nn.Conv2d(CHANNELS, CHANNELS, (1, 3), padding=(0, 1)))
                    self.add_module(f"{name}{block}_high", nn.Conv2d(CHANNELS, CHANNELS, (3, 1), padding=(1, 0)))
                self.add_module(f"joined{block}", nn.Conv2d(5 * CHANNELS, CHANNELS, 1))
            with torch.no_grad():
                for values in self.parameters():
                    values *= faint
            self.head = nn.Linear(CHANNELS, CLASSES)

        def forward(self, x: Any) -> Any:
            modules = dict(self.named_children())
            for block in range(2):
                left = torch.relu(modules[f"left{block}"](x))
                right = torch.relu(modules[f"right{block}"](modules[f"right{block}_narrow"](x)))
                made = zip(HEADS, (left, right), strict=True)
                found = [modules[f"{name}{block}_{way}"](y) for name, y in made for way in WAYS]
                pooled = modules[f"pooled{block}"](nn.functional.avg_pool2d(x, 3, 1, 1))
                x = torch.relu(modules[f"joined{block}"](torch.cat([*found, pooled], 1)))
            return self.head(x.mean((2, 3)))

    return Blocks()


def blocks(counted: bool = True) -> Any:
    """The same in Keras, the right branch ahead of the left one.

    Its average poolings count the padding as torch's do, or do not.
    """
    layers = keras.layers
    x = given = keras.Input((SIDE, SIDE, CHANNELS))
    for block in range(2):
        made: dict[str, Any] = {}
        for name in reversed(HEADS):
            narrow = layers.Conv2D(CHANNELS - 1, 1, name=f"right{block}_narrow")(x) if name == "right" else x
            side = 3 if name == "right" else 1
            y = layers.ReLU()(layers.Conv2D(CHANNELS, side, padding="same", name=f"{name}{block}")(narrow))
            for way, window in zip(WAYS, ((1, 3), (3, 1)), strict=True):
                made[name + way] = layers.Conv2D(CHANNELS, window, padding="same", name=f"{name}{block}_{way}")(y)
        ahead = layers.ZeroPadding2D(1)(x) if counted else x
        average = layers.AveragePooling2D(3, 1, "valid" if counted else "same", name=f"average{block}")(ahead)
        pooled = layers.Conv2D(CHANNELS, 1, name=f"pooled{block}")(average)
        found = [made[name + way] for name in HEADS for way in WAYS]
        x = layers.ReLU()(layers.Conv2D(CHANNELS, 1, name=f"joined{block}")(layers.Concatenate()([*found, pooled])))
    return keras.Model(given, layers.Dense(CLASSES, name="head")(layers.GlobalAveragePooling2D()(x)))


def by_name(found: Mapping[str, str]) -> bool:
    """Tells whether every array was matched with that of the layer of its own name."""
    return all(one.split(".")[0] == other.split("/")[0] for one, other in found.items())


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("faint", [1.0, 0.05])
def test_branches_are_matched_whole_whatever_the_order_of_calls_and_though_a_layer_is_wrong(
    counted: bool, faint: float
) -> None:
    torch.manual_seed(0)
    assert by_name(proposed(blocks_in_torch(faint), blocks(counted), images()).matching.table())


def test_a_layer_that_is_wrong_at_the_head_of_a_branch_is_named_and_the_port_is_within_once_it_is_mended() -> None:
    torch.manual_seed(0)
    wrong = parity.compare(blocks_in_torch(), blocks(counted=False), images())
    assert [(fault.layer, fault.cause and fault.cause.name) for fault in wrong.faults] == [
        ("average0", "counted"),
        ("average1", "counted"),
    ]
    right = parity.compare(blocks_in_torch(), blocks(), images())
    assert right.passed, str(right)


def twins_in_torch(summed: bool = False) -> Any:
    """A pooling, and two branches behind it of the same shapes throughout, side by side or summed."""
    nn = torch.nn

    class Twins(nn.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.average = nn.AvgPool2d(3, 1, 1)
            for name in HEADS:
                self.add_module(name, nn.Conv2d(CHANNELS, CHANNELS, 1))
                self.add_module(f"{name}_behind", nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1))
            self.head = nn.Linear(CHANNELS if summed else 2 * CHANNELS, CLASSES)

        def forward(self, x: Any) -> Any:
            modules, x = dict(self.named_children()), self.average(x)
            left, right = (modules[f"{name}_behind"](torch.relu(modules[name](x))) for name in HEADS)
            return self.head(torch.relu(left + right if summed else torch.cat([left, right], 1)).mean((2, 3)))

    return Twins()


def twins(counted: bool = True, summed: bool = False) -> Any:
    """The same in Keras, the heads in another order, but not what is behind them."""
    layers = keras.layers
    given = keras.Input((SIDE, SIDE, CHANNELS))
    ahead = layers.ZeroPadding2D(1)(given) if counted else given
    x = layers.AveragePooling2D(3, 1, "valid" if counted else "same", name="average")(ahead)
    made = {name: layers.Conv2D(CHANNELS, 1, activation="relu", name=name)(x) for name in reversed(HEADS)}
    found = [layers.Conv2D(CHANNELS, 3, padding="same", name=f"{name}_behind")(made[name]) for name in HEADS]
    both = layers.ReLU()(layers.Add()(found) if summed else layers.Concatenate()(found))
    return keras.Model(given, layers.Dense(CLASSES, name="head")(layers.GlobalAveragePooling2D()(both)))


@pytest.mark.parametrize("counted", [True, False])
def test_branches_of_the_same_shapes_throughout_are_told_apart_by_where_they_are_joined(counted: bool) -> None:
    torch.manual_seed(0)
    found = parity.compare(twins_in_torch(), twins(counted), images())
    assert by_name(found.weights)
    assert found.passed == counted
    assert [fault.layer for fault in found.faults] == ([] if counted else ["average"])


def said(found: parity.Comparison) -> list[str]:
    return [note for note in found.notes if note.startswith("weights: ")]


def test_branches_are_ambiguous_where_nothing_that_is_near_tells_them_apart() -> None:
    torch.manual_seed(0)
    wrong = said(parity.compare(twins_in_torch(), twins(counted=False), images()))
    assert len(wrong) == 1
    assert wrong[0].startswith("weights: left and right are given the same")
    assert not said(parity.compare(twins_in_torch(), twins(), images()))


def test_branches_that_are_summed_are_not_ambiguous_since_either_order_computes_the_same() -> None:
    torch.manual_seed(0)
    assert not said(parity.compare(twins_in_torch(summed=True), twins(counted=False, summed=True), images()))


def side_by_side(*branches: Any) -> Any:
    """A module of several branches, concatenated."""

    class Joined(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.branches = torch.nn.ModuleList(branches)

        def forward(self, x: Any) -> Any:
            return torch.cat([branch(x) for branch in self.branches], -1)

    return Joined()


def joined(*branches: Any) -> Any:
    """The same in Keras, the last branch computed first."""
    given = keras.Input((6,))
    left: list[Any] = []
    for branch in reversed(branches):
        x = given
        for layer in branch:
            x = layer(x)
        left.insert(0, x)
    return keras.Model(given, keras.layers.Concatenate()(left))


def rows(number: int = 3) -> Array:
    return np.random.default_rng(0).standard_normal((number, 6)).astype(np.float32)


@pytest.mark.parametrize("rates", [(0.25, 0.5), (0.5, 0.5)])
def test_dropouts_that_are_given_the_same_are_told_apart_by_what_comes_back(rates: tuple[float, float]) -> None:
    """Seeds 28 and 194 of the random pairs: in evaluation mode they hand on what they take."""
    nn, layers = torch.nn, keras.layers
    model = side_by_side(
        nn.Sequential(nn.Dropout(rates[0]), nn.LayerNorm(6, eps=1e-3)), nn.Sequential(nn.Dropout(rates[1]), nn.Tanh())
    )
    port = joined(
        [layers.Dropout(rates[0]), layers.LayerNormalization()], [layers.Dropout(rates[1]), layers.Activation("tanh")]
    )
    found = parity.compare(model, port, rows())
    found.check()
    assert list(found.judged) == ["evaluation", "training"]


def test_layers_that_hold_nothing_are_told_apart_by_what_they_compute() -> None:
    """Seed 16: two branches of the same two layers, one in the other order."""
    nn, layers = torch.nn, keras.layers
    model = side_by_side(nn.Sequential(nn.SiLU(), nn.ELU()), nn.Sequential(nn.ELU(), nn.SiLU()))
    port = joined([layers.Activation("silu"), layers.ELU()], [layers.ELU(), layers.Activation("silu")])
    parity.compare(model, port, rows()).check()


def test_of_two_branches_the_layer_that_is_wrong_is_named() -> None:
    nn, layers = torch.nn, keras.layers
    model = side_by_side(nn.Sequential(nn.SiLU(), nn.ELU()), nn.Sequential(nn.ELU(), nn.SiLU()))
    port = joined([layers.Activation("silu"), layers.ELU(0.5)], [layers.ELU(), layers.Activation("silu")])
    (fault,) = parity.compare(model, port, rows()).faults
    assert (fault.beside, fault.cause and fault.cause.mend) == ("branches.0.1", "alpha=1.0")


@pytest.mark.parametrize("behind", [True, False])
def test_images_that_were_flattened_before_they_were_concatenated_lie_otherwise(behind: bool) -> None:
    """Seeds 27 and 160."""
    nn, layers = torch.nn, keras.layers
    model = nn.Sequential(nn.Flatten(), side_by_side(nn.Tanh(), nn.SiLU()))
    given = keras.Input((SIDE, SIDE, CHANNELS))
    x = layers.Flatten()(given)
    x = layers.Concatenate()([layers.Activation("tanh")(x), layers.Activation("silu")(x)])
    if behind:
        model.append(nn.Linear(2 * CHANNELS * SIDE * SIDE, CLASSES))
        x = layers.Dense(CLASSES)(x)
    found = parity.compare(model, keras.Model(given, x), images())
    found.check()
    assert behind or "flattened from axes (0, 1, 3, 4, 2) of (2, 4, 5, 5)" in str(found)
