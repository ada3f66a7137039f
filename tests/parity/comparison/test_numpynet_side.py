"""A numpynet module as one of the two models: against torch, Keras, and another numpynet module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import numpynet as nn
import parity
from parity.comparison.model import Unfit
from parity.frameworks import available
from parity.frameworks.lazy import keras, torch

pytestmark = pytest.mark.skipif(len(available()) < 2, reason="the models are written in torch and in Keras, too")


def in_numpynet(eps: float = 1e-3) -> nn.Module:
    """A network whose layers torch and Keras have, two of them in one."""
    rng = np.random.default_rng(1)
    batch, affine = nn.BatchNormalization(4, eps=eps), nn.Scaling(4)
    batch.running_mean, batch.running_var = (values.astype(np.float32) for values in rng.uniform(0.5, 1, (2, 4)))
    affine.gamma.value = rng.standard_normal(4).astype(np.float32)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, rng=rng),
        batch,
        affine,
        nn.GELU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(64, 8, rng=rng),
        nn.LayerNormalization(),
        nn.Scaling(8, axis=-1),
        nn.ELU(),
        nn.Linear(8, 3, rng=rng),
    )


def in_torch(eps: float = 1e-3) -> Any:
    own = torch.nn
    return own.Sequential(
        own.Conv2d(3, 4, 3, padding=1),
        own.BatchNorm2d(4, eps=eps),
        own.GELU(),
        own.MaxPool2d(2),
        own.Dropout(0.25),
        own.Flatten(),
        own.Linear(64, 8),
        own.LayerNorm(8, eps=nn.LayerNormalization().eps),
        own.ELU(),
        own.Linear(8, 3),
    )


def in_keras(eps: float = 1e-3) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, padding="same"),
            layers.BatchNormalization(epsilon=eps, momentum=0.9),
            layers.Activation("gelu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(8),
            layers.LayerNormalization(epsilon=nn.LayerNormalization().eps),
            layers.ELU(),
            layers.Dense(3),
        ]
    )


OTHERS: dict[str, Callable[..., Any]] = {"torch": in_torch, "keras": in_keras, "numpynet": in_numpynet}
IMAGES = np.random.default_rng(0).standard_normal((5, 3, 8, 8)).astype(np.float32)
# Of the model that is not the reference, which torch's is beside numpynet's.
MENDS = {"torch": "eps=1e-05", "keras": "epsilon=0.001", "numpynet": "eps=0.001"}


@pytest.mark.parametrize("name", OTHERS)
def test_a_right_port_is_within_what_rounding_allows(name: str) -> None:
    found = parity.compare(in_numpynet(), OTHERS[name](), IMAGES)
    assert found.passed, str(found)
    assert found.reference == ("torch" if name == "torch" else "numpynet")
    assert found.fault is None
    assert found.itself <= 1
    assert len(found.weights) == 12
    assert set(found.judged) == {"evaluation", "training"}


@pytest.mark.parametrize("name", OTHERS)
def test_of_a_wrong_port_the_layer_and_the_cause_are_named(name: str) -> None:
    found = parity.compare(in_numpynet(), OTHERS[name](1e-5), IMAGES)
    assert not found.passed
    assert found.fault is not None
    assert found.fault.title.startswith("BatchNorm")
    assert found.fault.cause is not None, str(found)
    assert found.fault.cause.mend == MENDS[name]


def test_layers_that_are_called_twice_and_sums_are_followed_in_a_graph() -> None:
    class Twice(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.own, self.last = torch.nn.Linear(4, 4), torch.nn.Linear(4, 2)

        def forward(self, x: Any) -> Any:
            return self.last(x + torch.relu(self.own(torch.relu(self.own(x)))))

    graph = nn.Graph(
        {"x": (4,)},
        {
            "a": (nn.Linear(4, 4), "x"),
            "b": (nn.ReLU(), "a"),
            "c": ("a", "b"),
            "d": ("b", "c"),
            "e": (nn.Sum(), "x", "d"),
            "f": (nn.Linear(4, 2), "e"),
        },
        ["f"],
    )
    before = {name: values.copy() for name, values in graph.state_dict().items()}
    found = parity.compare(graph, Twice(), IMAGES[0, 0, :, :4])
    assert found.passed, str(found)
    assert found.weights["a.weight"] == "own.weight"
    assert {"output of own", "output of own (call 2)"} <= {tensor.name for tensor in found.judged["evaluation"]}
    assert all(np.array_equal(values, before[name]) for name, values in graph.state_dict().items())


def test_an_array_that_no_layer_holds_is_a_reason_to_refuse() -> None:
    class Shifted(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(nn.Linear(4, 2))
            self.shift = nn.Parameter(np.zeros(2, np.float32))

    with pytest.raises(Unfit, match="shift of the numpynet model belongs to no layer"):
        parity.compare(Shifted(), torch.nn.Linear(4, 2), IMAGES[0, 0, :, :4])
