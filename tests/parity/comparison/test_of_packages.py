"""What architectures of packages have in them: parallel branches, separable convolutions, inputs prepared inside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import parity
from numpynet import Array
from parity.comparison.layout import Flattened, Layout, closest
from parity.comparison.model import Unfit
from parity.frameworks import available
from parity.frameworks.lazy import keras, torch

pytestmark = pytest.mark.skipif(len(available()) < 2, reason="the models are written in torch and in Keras")
SHAPE = (2, 4, 7, 5)


def images() -> Array:
    return np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)


def ends(x: Any, outputs: Any) -> Any:
    """The Keras model that gives the mean over all places of what came out to a linear layer."""
    return keras.Model(x, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(outputs)))


def of_keras(layers: Any) -> Any:
    """The Keras model of these layers, and such an end."""
    x = keras.Input((*SHAPE[2:], SHAPE[1]))
    outputs = x
    for layer in layers:
        outputs = layer(outputs)
    return ends(x, outputs)


def of_torch(*modules: Any, width: int) -> Any:
    nn = torch.nn
    return nn.Sequential(*modules, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 3))


def branching() -> Any:
    """In torch: three convolutions of one shape that are given the same, two of which have another one behind them."""

    class Branching(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.alone, self.first, self.second = (torch.nn.Conv2d(SHAPE[1], 6, 1) for _ in range(3))
            self.behind_first = torch.nn.Conv2d(6, 6, 3, padding=1)
            self.behind_second = torch.nn.Conv2d(6, 5, 3, padding=1)
            self.head = torch.nn.Linear(17, 3)

        def forward(self, x: Any) -> Any:
            branches = [self.alone(x), self.behind_first(self.first(x)), self.behind_second(self.second(x))]
            return self.head(torch.cat(branches, 1).mean((2, 3)))

    return Branching()


def test_parallel_branches_are_told_apart_by_what_follows() -> None:
    layers = keras.layers
    x = keras.Input((*SHAPE[2:], SHAPE[1]))
    second = layers.Conv2D(6, 1, name="second")(x)  # in another order than torch's
    first = layers.Conv2D(6, 1, name="first")(x)
    behind_second = layers.Conv2D(5, 3, padding="same")(second)
    behind_first = layers.Conv2D(6, 3, padding="same")(first)
    alone = layers.Conv2D(6, 1, name="alone")(x)
    found = parity.compare(branching(), ends(x, layers.Concatenate()([alone, behind_first, behind_second])), images())
    assert found.passed, str(found)
    names = ("alone", "first", "second")
    assert {name: found.weights[f"{name}.weight"] for name in names} == {name: f"{name}/kernel" for name in names}


def separable(eps: float = 1e-5, padding: str = "same") -> Any:
    layers = keras.layers
    return of_keras(
        [
            layers.SeparableConv2D(6, 3, padding=padding, name="separable"),
            layers.BatchNormalization(epsilon=eps, momentum=0.9),
            layers.SeparableConv2D(5, 3, padding="same", depth_multiplier=2, activation="relu"),
        ]
    )


def separate() -> Any:
    nn = torch.nn
    return of_torch(
        *(nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False), nn.Conv2d(4, 6, 1), nn.BatchNorm2d(6)),
        *(nn.Conv2d(6, 12, 3, padding=1, groups=6, bias=False), nn.Conv2d(12, 5, 1), nn.ReLU()),
        width=5,
    )


def test_a_separable_convolution_is_the_two_that_torch_has() -> None:
    found = parity.compare(separate(), separable(), images())
    assert found.passed, str(found)
    assert set(found.judged) == {"evaluation", "training"}
    assert not found.alone


@pytest.mark.parametrize(
    ("change", "site", "mend"),
    [({"eps": 1e-3}, "batch_normalization", "epsilon=1e-05"), ({"padding": "valid"}, "separable_depthwise", "'same'")],
)
def test_what_is_wrong_in_or_behind_a_separable_convolution_is_named(
    change: dict[str, Any], site: str, mend: str
) -> None:
    found = parity.compare(separate(), separable(**change), images())
    assert [fault.layer.startswith(site) for fault in found.faults] == [True], str(found)
    assert found.fault is not None
    assert found.fault.cause is not None
    assert mend in found.fault.cause.mend


@pytest.mark.parametrize("preparing", ["rescaling", "normalization"])
def test_inputs_that_only_one_model_prepares_are_named(preparing: str) -> None:
    layers = keras.layers
    made = {
        "rescaling": [layers.Rescaling(1 / 255, name="prepares"), layers.Normalization()],  # which was not adapted
        "normalization": [layers.Normalization(mean=[0.5] * 4, variance=[2.0] * 4, name="prepares")],
    }
    port = of_keras([*made[preparing], layers.Conv2D(5, 1)])
    found = parity.compare(of_torch(torch.nn.Conv2d(4, 5, 1), width=5), port, images())
    assert [fault.layer for fault in found.faults] == ["prepares"], str(found)
    assert found.fault is not None
    assert found.fault.cause is not None
    assert found.fault.cause.mend == "leave prepares out, or do the same to the other's inputs"


def test_a_normalisation_that_activates_is_one_layer_and_its_eps_is_named() -> None:
    class Activating(torch.nn.BatchNorm2d):  # as timm has it
        def __init__(self, width: int) -> None:
            super().__init__(width)
            self.drop, self.act = torch.nn.Identity(), torch.nn.ReLU(inplace=True)

        def forward(self, x: Any) -> Any:
            return self.act(self.drop(super().forward(x)))

    def port(eps: float) -> Any:
        layers = keras.layers
        normalised = layers.BatchNormalization(epsilon=eps, momentum=0.9, name="norm")
        return of_keras([layers.Conv2D(5, 1), normalised, layers.ReLU()])

    model = of_torch(torch.nn.Conv2d(4, 5, 1), Activating(5), width=5)
    right = parity.compare(model, port(1e-5), images())
    assert right.passed, str(right)
    assert not right.alone
    wrong = parity.compare(model, port(1e-3), images())
    assert [(fault.layer, fault.cause and fault.cause.mend) for fault in wrong.faults] == [("norm", "epsilon=1e-05")]


def test_matrices_behind_images_of_other_sizes_are_told_so() -> None:
    nn, layers = torch.nn, keras.layers
    model = nn.Sequential(nn.Conv2d(4, 2, 1), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(8, 3))
    x = keras.Input((*SHAPE[2:], SHAPE[1]))
    port = keras.Model(x, layers.Dense(3, name="head")(layers.Flatten()(layers.Conv2D(2, 1)(x))))
    with pytest.raises(Unfit, match="3 takes 8 numbers, and head 70: behind a Flatten that is the size of the images"):
        parity.compare(model, port, images())


def hard(bound: float, shift: float) -> Any:
    """In Keras: ReLU(bound) of what comes and `shift`, a sixth of which is handed on."""
    x = keras.Input((*SHAPE[2:], SHAPE[1]))
    return ends(x, keras.layers.ReLU(bound)(keras.layers.Conv2D(5, 1)(x) + shift) * (1 / 6))


def test_a_hard_sigmoid_that_is_written_out_is_not_accused() -> None:
    model = of_torch(torch.nn.Conv2d(4, 5, 1), torch.nn.Hardsigmoid(), width=5)
    right = parity.compare(model, hard(6.0, 3.0), images())
    assert right.passed, str(right)
    wrong = parity.compare(model, hard(6.0, 2.0), images())
    assert not wrong.passed


def test_features_are_taken_for_a_flattened_image_only_where_that_is_much_nearer() -> None:
    values, shape = np.random.default_rng(0).standard_normal((3, 12)), (3, 2, 2)
    turned, before = Layout((0, 2, 3, 1), shape).there(values), Flattened([shape])
    nearest = closest(values, turned, before)
    assert nearest is not None
    assert nearest.before == shape
    by_chance = closest(values, 0.47 * values + 0.53 * turned, before)  # nine tenths as far as it lies
    assert by_chance == Layout((0, 1))
    behind_what_is_wrong = closest(values, 0.35 * values + 0.65 * turned, before)  # half as far
    assert behind_what_is_wrong == nearest


@pytest.mark.parametrize("turned", [True, False])
def test_features_that_are_all_equal_lie_as_images_do(turned: bool) -> None:
    before = Flattened([(3, 4, 4), (12, 2, 2)], turned)  # the last of which was flattened
    assert closest(np.ones((2, 48)), np.ones((2, 48)), before) == (
        Layout((0, 2, 3, 1), (12, 2, 2)) if turned else Layout((0, 1))
    )
