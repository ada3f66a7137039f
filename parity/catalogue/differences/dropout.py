"""Differences of dropout."""

from __future__ import annotations

import math

import numpy as np

from numpynet import Array, Dropout
from parity.catalogue.difference import Claim, Demonstration, avoided, difference, exactly
from parity.frameworks.lazy import keras, torch
from parity.mapping.convert import to_tensorflow, to_torch

TORCH = "https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html"
KERAS = "https://keras.io/api/layers/regularization_layers/dropout/"

SIGMAS = 6  # of a share that is random: one false alarm in 10^9 seeds, and the seed is fixed


def dropped(x: Array, p: float) -> dict[str, Array]:
    """The outputs of each framework's own dropout for x, all seeded alike."""
    torch.manual_seed(0)
    return {
        "torch": torch.nn.Dropout(p)(torch.from_numpy(x)).numpy(),
        "keras": keras.layers.Dropout(p, seed=0)(x, training=True).numpy(),
    }


@difference(
    "dropout-masks",
    does={
        "torch": "its own generator",
        "keras": "its own generator, and another on each Keras backend",
        "tensorflow": "as Keras",
    },
    mapping="the counterparts draw their masks from a copy of numpynet's generator",
    sources=(TORCH, KERAS),
)
def dropout_masks() -> Demonstration:
    """Equal seeds draw unequal masks: as far as they agree, they agree by chance, unless nothing is dropped."""
    ones, p = np.ones((64, 64), np.float32), 0.25
    ours = Dropout(p, rng=np.random.default_rng(0))
    kept = ours(ones) > 0
    chance = p**2 + (1 - p) ** 2
    allowed = SIGMAS * math.sqrt(chance * (1 - chance) / ones.size)
    layer = Dropout(p, rng=np.random.default_rng(0))
    shared = {
        "torch": to_torch(layer)(torch.from_numpy(ones)).numpy(),
        "keras": to_tensorflow(layer)(ones, training=True).numpy(),
    }
    same = {"numpynet": exactly(1.0, 1.0)}
    naive = {who: np.mean((values > 0) == kept) for who, values in dropped(ones, p).items()}
    mapped = {who: np.mean((values > 0) == kept) for who, values in shared.items()}
    return Demonstration(
        same | {who: exactly(share, chance, allowed) for who, share in naive.items()},
        same | {who: exactly(share, 1.0) for who, share in mapped.items()},
        same | {who: exactly(np.mean(values > 0), 1.0) for who, values in dropped(ones, 0.0).items()},
    )


@difference(
    "dropout-division",
    does={
        "torch": "x * (mask * 1/(1-p)), the factor rounded to float32 once",
        "keras": "x * 1/(1-p) where kept",
        "tensorflow": "as Keras",
    },
    mapping="multiply by 1/(1-p) in the input's format, as numpynet does; x/(1-p) differs in the last bit",
    sources=(TORCH, KERAS),
)
def dropout_division() -> Demonstration:
    """Dividing by 1-p, as the formula is usually written, is not what the frameworks do; of p = 0.5 it is the same."""
    x = np.random.default_rng(0).uniform(1, 2, (64, 64)).astype(np.float32)

    def shown(p: float) -> tuple[dict[str, Claim], Claim, Claim]:
        """The claims on the elements that both frameworks keep: theirs, those of dividing, and numpynet's."""
        divided, multiplied = x / np.float32(1 - p), x * np.float32(1 / (1 - p))
        kept = np.logical_and(*(values != 0 for values in dropped(x, p).values()))
        ours = Dropout(p, rng=np.random.default_rng(0))(x)
        again = np.where(ours != 0, ours, multiplied)[kept]
        theirs = {who: exactly(values[kept], multiplied[kept]) for who, values in dropped(x, p).items()}
        return theirs, exactly(divided[kept], divided[kept]), exactly(again, multiplied[kept])

    frameworks, dividing, numpynet = shown(0.3)
    halved, dividing_by_half, _ = shown(0.5)
    return Demonstration(
        frameworks | {"dividing": dividing},
        frameworks | {"numpynet": numpynet},
        halved | {"dividing": dividing_by_half},
    )


@difference(
    "dropout-infinite",
    does={
        "torch": "inf * 0: NaN",
        "keras": "selects: 0",
        "tensorflow": "as Keras",
    },
    mapping="finite inputs; numpynet multiplies, as torch does",
    sources=("https://github.com/pytorch/pytorch/issues/59421",),
)
def dropout_infinite() -> Demonstration:
    """A dropped infinity is NaN or 0."""

    def where_dropped(value: float) -> dict[str, Array]:
        x = np.full(64, value, np.float32)
        found = dropped(x, 0.5) | {"numpynet": Dropout(0.5, rng=np.random.default_rng(0))(x)}
        return {who: values[values != 2 * value][:1] for who, values in found.items()}

    infinite, finite = where_dropped(math.inf), where_dropped(1.0)
    return avoided(
        {who: exactly(values, 0 if who == "keras" else math.nan) for who, values in infinite.items()},
        {who: exactly(values, 0) for who, values in finite.items()},
    )
