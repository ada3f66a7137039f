"""A model that was recorded is judged as the model itself would be, by a process that has nothing of its framework."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_study import ENVIRONMENT
from typer.testing import CliRunner

import numpynet as nn
import parity
from parity.cli import app
from parity.comparison.alignment import aligned
from parity.comparison.model import Unfit
from parity.comparison.pairing import paired
from parity.comparison.recording import HEADER
from parity.comparison.sides import side
from parity.frameworks import available
from parity.frameworks.lazy import keras, torch
from parity.rounding.errors import SLACK

X = np.random.default_rng(0).standard_normal((5, 6)).astype(np.float32)


def net(eps: float = 1e-3, rate: float = 0.25) -> nn.Module:
    rng = np.random.default_rng(1)
    return nn.Sequential(
        nn.Linear(6, 8, rng=rng),
        nn.BatchNormalization(8, eps=eps),
        nn.ReLU(),
        nn.Dropout(rate),
        nn.Linear(8, 3, rng=rng),
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("recorded") / "reference.parity"
    parity.record(net(), X, file, beside="numpynet")
    return file


def same(played: parity.Comparison, live: parity.Comparison) -> None:
    """Asserts that the same is said of both, but for the recording, and that what is inside uses the same share.

    A comparison stops looking where everything is inside, and a recording is all that was looked at: where nothing
    jumps, errors of opposite signs have the same effect up to a `SLACK`-th (`parity.rounding.allowance`). At what is
    outside a comparison looks again, and a recording cannot.
    """
    assert words(played) == words(live)
    assert inside(played) == pytest.approx(inside(live), rel=1 / SLACK)


def inside(found: parity.Comparison) -> list[float]:
    return [tensor.share for judged in found.judged.values() for tensor in judged if tensor.passed]


def words(found: parity.Comparison) -> list[str]:
    tensors = [f"{mode}: {tensor.name} {tensor.passed}" for mode in found.judged for tensor in found.judged[mode]]
    said = [line for line in str(found).split("\n") if "was recorded by" not in line]
    return [*(re.sub(r"\d+\.?\d*(e[+-]\d+)?", "#", line) for line in said), *tensors]


@pytest.mark.parametrize("wrong", [{}, {"eps": 1e-5}, {"rate": 0.5}])
def test_a_recording_is_compared_as_the_model_that_was_recorded(wrong: dict[str, float], recorded: Path) -> None:
    live, played = parity.compare(net(), net(**wrong), X), parity.compare(recorded, net(**wrong))
    same(played, live)
    assert played.passed is (not wrong)
    assert set(played.judged) == {"evaluation", "training"}
    assert "its allowances are those of one look" in str(played)


ALONE = """
import sys
import numpynet as nn
import parity
file, = sys.argv[1:]
print(parity.compare(file, nn.Sequential(nn.Linear(6, 4), nn.BatchNormalization(4, eps=1e-5), nn.Scaling(4), nn.ELU())))
print(*{"torch", "keras", "tensorflow"} & set(sys.modules))
"""


@pytest.mark.skipif("torch" not in available(), reason="the model is written in torch")
def test_a_torch_model_is_compared_without_torch(tmp_path: Path) -> None:
    layers = torch.nn.Linear(6, 4), torch.nn.BatchNorm1d(4), torch.nn.ELU()
    parity.record(torch.nn.Sequential(*layers), X, tmp_path / "r.parity", beside="numpynet")
    command = [sys.executable, "-c", ALONE, str(tmp_path / "r.parity")]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("numpynet computes what torch computes: ")
    assert done.stdout.endswith("\n\n")  # none of them was imported


@pytest.mark.skipif(len(available()) < 2, reason="the models are written in torch and in Keras")
@pytest.mark.parametrize("activation", ["elu", "tanh"])
def test_a_layer_that_applies_an_activation_has_the_own_error_of_both(activation: str, tmp_path: Path) -> None:
    def model() -> Any:
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.ELU(), torch.nn.Linear(4, 2))

    def port() -> Any:
        layers = [keras.layers.Dense(4, activation=activation), keras.layers.Dense(2)]
        return keras.Sequential([keras.Input((6,)), *layers], name="port")

    parity.record(model(), X, tmp_path / "r.parity")
    keras.utils.clear_session()
    live = parity.compare(model(), port(), X)
    keras.utils.clear_session()
    played = parity.compare(tmp_path / "r.parity", port())
    same(played, live)
    assert bool(played.faults) is (activation != "elu")


@pytest.mark.skipif(len(available()) < 2, reason="the models are written in torch and in Keras")
def test_an_activation_of_its_own_goes_with_the_layer_that_a_recorded_one_activates_itself() -> None:
    layers = [keras.layers.Dense(4, activation="elu"), keras.layers.Dense(2)]
    one = side(keras.Sequential([keras.Input((6,)), *layers], name="recorded"), "first")
    other = side(torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.ELU(), torch.nn.Linear(4, 2)), "second")
    found = paired(one, other, [X], {}).matching
    pairs = aligned(one.run([X], False), other.run([X], False), found, swapped=False)
    called = [(pair.last.layer.title, pair.other.site, pair.left.site) for pair in pairs]
    assert called == [("Dense", "0", "1"), ("Dense", "2", "2")]


# What is done to the entries of the zip file, and what is said of it.
Entries = dict[str, bytes]


def without(name: str) -> Callable[[Entries], object]:
    return lambda entries: entries.pop(name)


def renamed(name: str) -> Callable[[Entries], object]:
    return lambda entries: entries.update({"another.npy": entries.pop(name)})


def told_by_header(**changed: Any) -> Callable[[Entries], object]:
    def change(entries: Entries) -> None:
        entries[HEADER] = json.dumps(json.loads(entries[HEADER]) | changed).encode()

    return change


def pickled(entries: Entries) -> None:
    file = io.BytesIO()
    np.save(file, np.array([print], dtype=object), allow_pickle=True)
    entries["inputs/0.npy"] = file.getvalue()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without(HEADER), "is no recording of a model: it holds no header.json"),
        (told_by_header(format="safetensors"), "is no recording of a model: its header.json says nothing of a parity"),
        (
            told_by_header(version=3),
            r"is a recording of version 3, and this parity reads versions 1 and 2: install the parity",
        ),
        (told_by_header(layers=[{"name": 1}]), r"damaged \(header.json, layers.0.name: Input should be a valid string"),
        (without("weights/0/bias.npy"), r"damaged \(it holds \d+ of \d+ arrays\): copy it again, or record the"),
        (renamed("weights/0/bias.npy"), "it lacks weights/0/bias"),
        (renamed("training/reference/calls/1/outputs/0.npy"), "it lacks calls/1/outputs/0"),
        (renamed("training/masks/3.npy"), "it lacks training/masks/3"),
        (told_by_header(modes={}), "it lacks evaluation"),
        (pickled, "Object arrays cannot be loaded"),
    ],
)
def test_what_is_no_whole_recording_is_refused_and_says_why(
    change: Callable[[Entries], object], said: str, recorded: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(recorded) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    change(entries)
    with zipfile.ZipFile(tmp_path / "r.parity", "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    with pytest.raises(Unfit, match=said):
        parity.compare(tmp_path / "r.parity", net())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda whole: whole[:-2000], r"is cut short or damaged \(File is not a zip file\): copy it again"),
        (lambda whole: whole[:3000] + b"x" * 500 + whole[3500:], "is cut short or damaged"),
        (lambda whole: b"", "is no recording of a model: it is no zip file"),
        (lambda whole: b"first = torch.nn.Linear(1, 2)", "is no recording of a model: it is no zip file"),
        (None, "no recording can be read there .*`parity record FILE.py -o r.parity` makes one"),
    ],
)
def test_a_file_that_is_cut_short_or_another_is_refused_and_says_why(
    content: Callable[[bytes], bytes] | None, said: str, recorded: Path, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "r.parity").write_bytes(content(recorded.read_bytes()))
    with pytest.raises(Unfit, match=said):
        parity.compare(tmp_path / "r.parity", net())


def test_what_cannot_be_done_with_a_recording_is_said(recorded: Path, tmp_path: Path) -> None:
    said: dict[str, Callable[[], object]] = {
        "give it first, and the model that is compared with it second": lambda: parity.compare(net(), recorded, X),
        "answers for the inputs that it was recorded with alone": lambda: parity.compare(recorded, net(), X),
        "give a model, not a file": lambda: parity.record(recorded, X, tmp_path / "again"),
        "there is no framework called 'jax'": lambda: parity.record(net(), X, tmp_path / "r", beside="jax"),
        "the model does not run on inputs of shapes": lambda: parity.record(net(), X[:, 1:], tmp_path / "r"),
        "in float64 has its reference in a format that other machines lack": lambda: parity.record(
            net().astype(float), X, tmp_path / "r"
        ),
    }
    for text, make in said.items():
        with pytest.raises(Unfit) as raised:
            make()
        assert text in str(raised.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif("torch" not in available(), reason="a function of dropout is torch's")
def test_a_mode_that_was_not_recorded_and_formulas_that_were_not_are_named(tmp_path: Path) -> None:
    class Dropping(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.nn.functional.dropout(torch.nn.functional.elu(x), 0.5, self.training)

    told = parity.record(Dropping(), X, tmp_path / "r.parity")
    found = parity.compare(tmp_path / "r.parity", nn.ELU())
    assert found.passed
    assert set(found.judged) == {"evaluation"}
    assert "training mode was not looked at: the torch model answers differently when it is asked again" in told[0]
    assert told[0] in found.notes
    assert "Record the model with --beside numpynet" not in str(found)  # nobody is outside
    wrong = parity.compare(tmp_path / "r.parity", nn.ELU(0.5))
    assert not wrong.passed
    assert "Record the model with --beside numpynet" in str(wrong)


@pytest.mark.skipif("torch" not in available(), reason="models in float64, and their optimizers, are torch's")
def test_updates_are_compared_along_recorded_gradients_and_trainings_are_not(tmp_path: Path) -> None:
    def model() -> Any:
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))

    parity.record(model(), X, tmp_path / "r.parity", beside="torch")

    def descent(rate: float) -> Any:
        return lambda parameters: torch.optim.SGD(parameters, rate)

    more: dict[str, Any] = {"batches": [(X, X[:, :2])], "loss": (torch.nn.MSELoss(), torch.nn.MSELoss())}
    found = parity.compare(tmp_path / "r.parity", model(), optimizers=(descent(0.5), descent(0.25)), **more)
    assert found.same_function
    assert found.updates is not None
    assert [difference.mend for difference in found.updates.differences] == ["lr=0.5"]
    assert found.curves is None
    assert "curves were not looked at: a recording cannot be trained" in found.notes
    live = parity.compare(model().double(), model().double(), X.astype(float))
    parity.record(model().double(), X.astype(float), tmp_path / "wide.parity", beside="torch")
    same(parity.compare(tmp_path / "wide.parity", model().double()), live)


def test_the_command_line_records_and_compares(tmp_path: Path) -> None:
    source = """
import numpy as np
from numpynet import Linear, Sequential, Tanh
inputs = np.ones((2, 3), np.float32)
model = Sequential(Linear(3, 2, rng=np.random.default_rng(0)), {}())
"""
    right, wrong, out = tmp_path / "right.py", tmp_path / "wrong.py", tmp_path / "r.parity"
    right.write_text(source.format("Tanh"))
    wrong.write_text(source.format("Sequential"))
    done = CliRunner().invoke(app, ["record", str(right), "-o", str(out), "--beside", "numpynet", "--thorough"])
    assert done.exit_code == 0, done.output
    assert f"parity compare {out} FILE.py" in done.output
    same = CliRunner().invoke(app, ["compare", str(out), str(right)])
    assert same.exit_code == 0, same.output
    assert "its allowances are those of a second look" in same.output
    assert CliRunner().invoke(app, ["compare", str(out), str(wrong)]).exit_code == 1
    alone = CliRunner().invoke(app, ["compare", str(out)])
    assert "name the Python file that defines `second`, too" in alone.output
    two = CliRunner().invoke(app, ["compare", str(right), str(right)])
    assert "two files are a recording, and a Python file" in two.output
    assert (alone.exit_code, two.exit_code) == (2, 2)
