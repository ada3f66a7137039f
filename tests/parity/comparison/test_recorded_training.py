"""The training of a model is recorded, in each framework: its losses, and how far rounding alone may part others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import numpynet as nn
import parity
from numpynet import Array
from parity.cli import app
from parity.comparison.model import Unfit
from parity.comparison.recording import Header, read
from parity.frameworks import available
from parity.frameworks.lazy import keras, torch

RNG = np.random.default_rng(0)
X = RNG.standard_normal((5, 6)).astype(np.float32)
BATCHES = [(RNG.standard_normal((8, 6)).astype(np.float32), RNG.integers(0, 3, 8)) for _ in range(10)]
Given = Mapping[str, Any]


def of_numpynet() -> tuple[Any, Given]:
    rng = np.random.default_rng(1)
    first, last = nn.Linear(6, 8, rng=rng), nn.Linear(8, 3, rng=rng)
    model = nn.Sequential(first, nn.BatchNormalization(8), nn.ReLU(), nn.Dropout(0.25), last, nn.LogSoftMax())
    return model, {"optimizer": lambda parameters: nn.Adam(parameters, lr=0.01), "loss": nn.NLLCriterion()}


def of_torch() -> tuple[Any, Given]:
    torch.manual_seed(0)
    own = torch.nn
    model = own.Sequential(own.Linear(6, 8), own.BatchNorm1d(8), own.ReLU(), own.Dropout(0.25), own.Linear(8, 3))
    return model, {"optimizer": torch.optim.Adam(model.parameters(), 0.01), "loss": own.CrossEntropyLoss()}


def of_keras() -> tuple[Any, Given]:
    keras.utils.set_random_seed(0)
    own = keras.layers
    model = keras.Sequential([keras.Input((6,)), own.Dense(8), own.BatchNormalization(), own.ReLU(), own.Dropout(0.25)])
    model.add(own.Dense(3))
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 5, 0.5)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return model, {"optimizer": keras.optimizers.SGD(schedule, momentum=0.9), "loss": loss}


MADE: dict[str, tuple[Callable[[], tuple[Any, Given]], str]] = {
    "numpynet": (of_numpynet, "lr=0.01"),
    "torch": (of_torch, "betas=(0.9, 0.999)"),
    "tensorflow": (of_keras, "momentum=0.9"),
}


def recorded(file: Path, model: Any, **given: Any) -> tuple[Header, dict[str, Array]]:
    parity.record(model, X, file, beside="numpynet", **given)
    return read(file)


@pytest.mark.parametrize("framework", ["numpynet", *available()])
def test_a_training_with_dropout_is_recorded_with_what_rounding_allows_it(framework: str, tmp_path: Path) -> None:
    make, setting = MADE[framework]
    model, given = make()
    before = [np.array(values) for values in weights(model)]
    header, arrays = recorded(tmp_path / "a.parity", model, batches=BATCHES, **given)
    assert all(np.array_equal(*pair) for pair in zip(before, weights(model), strict=True))
    assert header.curve is not None
    assert (header.curve.steps, header.uncurved) == (len(BATCHES), "")
    assert setting in header.curve.optimizer.settings.values()
    losses, allowed = arrays["curve/losses"], arrays["curve/allowed"]
    assert losses.shape == allowed.shape == (len(BATCHES),)
    assert np.all((allowed > 0) & (allowed < 1e-3 * losses))
    assert np.ptp(losses) > 0.1
    assert np.array_equal(arrays["curve/batches/9/inputs/0"], BATCHES[9][0])
    assert np.array_equal(arrays["curve/batches/9/target"], BATCHES[9][1])
    masks = [values for name, values in arrays.items() if name.startswith("curve/masks/")]
    assert len(masks) == len(BATCHES)
    assert 0 < sum(float(mask.mean()) for mask in masks) / len(masks) < 1
    again, same = recorded(tmp_path / "b.parity", make()[0], batches=BATCHES, **make()[1])
    assert again.curve == header.curve
    assert np.array_equal(same["curve/losses"], losses)


def weights(model: Any) -> list[Array]:
    if isinstance(model, nn.Module):
        return list(model.state_dict().values())
    return (
        model.get_weights() if hasattr(model, "get_weights") else [one.numpy() for one in model.state_dict().values()]
    )


def test_its_first_loss_is_the_criterion_s_own(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(6, 3, rng=np.random.default_rng(0)), nn.LogSoftMax())
    given = {"optimizer": lambda parameters: nn.SGD(parameters, lr=0.5), "loss": nn.NLLCriterion()}
    _, arrays = recorded(tmp_path / "a.parity", model, batches=BATCHES, **given)
    inputs, target = BATCHES[0]
    assert arrays["curve/losses"][0] == float(nn.NLLCriterion()(model(inputs), target))


@pytest.mark.parametrize("left_out", ["optimizer", "loss", "batches"])
def test_what_a_training_lacks_is_asked_for(left_out: str, tmp_path: Path) -> None:
    model, given = of_numpynet()
    some = {name: value for name, value in {**given, "batches": BATCHES}.items() if name != left_out}
    with pytest.raises(Unfit, match="give all three"):
        recorded(tmp_path / "a.parity", model, **some)


def test_an_optimizer_that_is_none_is_refused(tmp_path: Path) -> None:
    model, given = of_numpynet()
    with pytest.raises(Unfit, match="'adam' makes none of numpynet"):
        recorded(tmp_path / "a.parity", model, batches=BATCHES, **{**given, "optimizer": "adam"})


def test_losses_that_grow_without_bound_end_it(tmp_path: Path) -> None:
    model = nn.Linear(6, 3, rng=np.random.default_rng(0))
    given = {"optimizer": lambda parameters: nn.SGD(parameters, lr=1e30), "loss": nn.MSECriterion()}
    batches = [(x, np.ones((8, 3), np.float32)) for x, _ in BATCHES]
    with pytest.raises(Unfit, match="give a smaller rate"), np.errstate(all="ignore"):
        recorded(tmp_path / "a.parity", model, batches=batches, **given)


def test_a_training_that_cannot_be_repeated_is_said_and_the_rest_recorded(tmp_path: Path) -> None:
    class Wandering(nn.NLLCriterion):
        def forward(self, input: Array, target: Array) -> Any:
            return super().forward(input, target) * RNG.random()

        __call__ = forward

    model, given = of_numpynet()
    told = parity.record(
        model, X, tmp_path / "a.parity", beside="numpynet", batches=BATCHES, **{**given, "loss": Wandering()}
    )
    header, arrays = read(tmp_path / "a.parity")
    assert told == ["curves were not recorded: the same training has other losses when it is done again"]
    assert (header.curve, header.uncurved) == (None, told[0])
    assert "curve/losses" not in arrays
    assert "training/computed/outputs/0" in arrays


FILE = """import numpy as np
import numpynet as nn

rng = np.random.default_rng(0)
model = nn.Sequential(nn.Linear(6, 3, rng=rng), nn.LogSoftMax())
inputs = rng.standard_normal((5, 6)).astype("float32")
{training}
batches = [(inputs, np.arange(5) % 3)] * 3
"""


@pytest.mark.parametrize(
    "training",
    [
        "optimizer, loss = (lambda parameters: nn.SGD(parameters, lr=0.5)), nn.NLLCriterion()",
        "optimizers, loss = (lambda parameters: nn.SGD(parameters, lr=0.5), None), (nn.NLLCriterion(), None)",
    ],
    ids=["its own", "the first of two, as a comparison has them"],
)
def test_the_command_trains_the_model_where_the_file_says_by_what(training: str, tmp_path: Path) -> None:
    file, out = tmp_path / "model.py", tmp_path / "new" / "model.parity"
    file.write_text(FILE.format(training=training))
    done = CliRunner().invoke(app, ["record", str(file), "-o", str(out)])
    assert done.exit_code == 0, done.output
    header, _ = read(out)
    assert header.curve is not None
    assert (header.curve.steps, header.curve.loss.title) == (3, "NLLCriterion")
