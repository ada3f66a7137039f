"""What one stack computes and takes: measured on the toy framework, once as it is and once for each planted drift."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from enum import Enum
from pathlib import Path

import numpy as np
import pytest

from parity.drift.calling import signature
from parity.drift.comparing import drift
from parity.drift.document import Drift, Step
from parity.drift.fingerprint import computed, counts
from parity.drift.packing import packed, unit_in_the_last_place, unpacked
from parity.drift.signatures import named, parameters, read
from parity.frameworks import available
from parity.frameworks.lazy import torch
from parity.results.records import Json

TOY = Path(__file__).parents[1] / "frameworks" / "toy"
# Every planted drift in one process, since starting takes longer than all that is measured.
SCRIPT = """
import json
import warnings

import numpy as np
import parity.frameworks.toy.framework as toy
from numpynet.module import each
from parity.cli import app, command
from parity.drift import fingerprint
from parity.items.classes import ClassName
from parity.results import planning
from parity.results.packages import environment
from parity.results.store import Results
from typer.testing import CliRunner

RIGHT = toy.ToySubject

def moved(change):
    class Moved(RIGHT):
        def forward(self, input):
            return each(change, super().forward(input))
    return Moved

class Refusing(RIGHT):
    def forward(self, input):
        raise TypeError(f"no input of {input.shape} is taken")

class Warning(RIGHT):
    def forward(self, input):
        warnings.warn(f"forward is deprecated, see {id(self):#x}", DeprecationWarning)
        return super().forward(input)

def up(values):
    return np.nextafter(values, np.inf, dtype=values.dtype)

PLANTED = {
    "right": RIGHT, "again": RIGHT, "ulp": moved(up), "far": moved(lambda values: values * (1 + 1e-6)),
    "refusing": Refusing, "warning": Warning,
}
for name, toy.ToySubject in PLANTED.items():
    results = Results(name)
    results.write_environment(environment())
    for dtype in ("float32", "float64") if name in ("right", "far") else ("float32",):
        for record in fingerprint.measure(ClassName("Sigmoid"), dtype, ["toy"], 2, 0):
            results.append("tensors", record["key"], record)

class Here:
    # What stands in for a pool: another process would import everything once more.
    def __init__(self, workers):
        pass
    def __enter__(self):
        return self
    def __exit__(self, *_):
        pass
    def run(self, calls):
        return ((call, call.work(*call.arguments)) for call in calls)

command.Pool, planning.whole = Here, str
COMMAND = ["fingerprint", "--pair", "Sigmoid", "--framework", "toy", "--examples", "1", "--results", "by command"]
done = [CliRunner().invoke(app, COMMAND) for _ in range(2)]
print(json.dumps([[each.exit_code, each.output] for each in done]))
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the toy's results, one for each planted drift."""
    folder = tmp_path_factory.mktemp("planted")
    (folder / "script.py").write_text(SCRIPT)
    path = os.pathsep.join([str(TOY), os.environ.get("PYTHONPATH", str(Path(__file__).parents[3]))])
    env = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (folder / "said.json").write_text(done.stdout)
    return folder


def since(measured: Path, planted: str) -> Step:
    """The step from the toy as it is to the one with a drift planted."""
    found: Drift = drift([measured / "right", measured / planted])
    return found.steps[0]


def record(folder: Path, dtype: str = "float32") -> Json:
    lines = map(json.loads, (folder / "tensors.jsonl").read_text().splitlines())
    return next(each for each in lines if each["dtype"] == dtype)


def test_the_same_stack_measured_again_has_not_moved(measured: Path) -> None:
    step = since(measured, "again")
    assert not step.numbers
    assert not step.behaviour
    assert step.compared.tensors == step.compared.of_tensors > 0


def test_one_unit_in_the_last_place_is_found_and_named(measured: Path) -> None:
    (move,) = since(measured, "ulp").numbers
    assert (move.of, move.pair, move.dtype) == ("toy", "Sigmoid", "float32")
    assert move.tensor.startswith("example ")
    assert move.tensor.endswith("output, step 1")
    # In units of the tensor's largest value, the last place of a smaller one is a fraction of one.
    assert 0 < move.ulps <= 1  # type: ignore[operator]
    assert not move.beyond
    assert since(measured, "ulp").status == "incomplete"  # nothing else was recorded


def test_what_leaves_its_allowance_is_classed_as_numbers(measured: Path) -> None:
    step = since(measured, "far")
    (move,) = [move for move in step.numbers if move.dtype == "float64"]
    assert (move.of, move.beyond, move.reference, step.status) == ("toy", True, "worse", "numbers")
    assert "Sigmoid moves" in step.sentence
    assert "beyond what rounding allows" in step.sentence


def test_what_an_implementation_begins_to_refuse_is_classed_as_behaviour(measured: Path) -> None:
    step = since(measured, "refusing")
    assert {(each.kind, each.of, each.what, each.harmless) for each in step.behaviour} == {
        ("examples", "toy", "appeared", False)
    }
    assert step.behaviour[0].key == "Sigmoid/float32, example 1"
    assert step.behaviour[0].after.startswith("raises no input of (")
    assert step.status == "behaviour"


def test_a_new_deprecation_is_told_once_and_without_its_addresses(measured: Path) -> None:
    (change,) = since(measured, "warning").behaviour
    assert (change.kind, change.key, change.of) == ("warnings", "Sigmoid", "toy")
    assert change.after == "DeprecationWarning: forward is deprecated, see ..."


def test_a_record_holds_each_tensor_of_each_implementation_with_its_error(measured: Path) -> None:
    found = record(measured / "right")
    assert found["frameworks"] == ["toy"]
    assert found["found"].keys() == {"numpynet", "toy"}
    for trace in found["found"].values():
        assert len(trace["used"]) == len(trace["errors"]) == len(found["tensors"]) - len(trace["without"])
    assert found["found"]["numpynet"]["bits"] == found["found"]["toy"]["bits"]  # the toy computes the very same
    assert found["digest"] == record(measured / "far")["digest"]


def test_the_command_measures_what_is_not_there(measured: Path) -> None:
    (first, said), (second, again) = json.loads((measured / "said.json").read_text())
    assert (first, second) == (0, 0)
    assert "tensors of 2 classes and dtypes were measured, those of 0 were there" in said
    assert "tensors of 0 classes and dtypes were measured, those of 2 were there" in again
    assert record(measured / "by command")["examples"] == 1


def test_the_script_of_a_move_prints_the_value_that_was_measured(
    measured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (move,) = since(measured, "ulp").numbers
    exec(move.script.replace("'toy'", "'numpynet'"))  # which computes the very same, and is here
    assert float(capsys.readouterr().out) == move.before
    with pytest.raises(LookupError, match="numpynet has no tensor 'example 1, output, step 9' of Sigmoid in float32"):
        computed("Sigmoid", "float32", "numpynet", "example 1, output, step 9")


def test_what_was_measured_otherwise_does_not_count(measured: Path) -> None:
    found = record(measured / "right")
    assert counts(found, ["toy"], 2, 0)
    assert counts(found, [], 2, 0)
    otherwise: list[Json] = [{"code": ""}, {"examples": 3}, {"seed": 1}, {"frameworks": []}, {"status": "crashed"}]
    for others in otherwise:
        assert not counts(found | others, ["toy"], 2, 0)


@pytest.mark.parametrize("dtype", [np.dtype(np.float32), np.dtype(np.float64)])
def test_arrays_are_unpacked_as_they_were_to_the_bit(dtype: np.dtype[np.floating]) -> None:
    arrays = [np.array([[np.nan, -0.0], [np.inf, 1e-40]], dtype), np.array(0.1, dtype), np.empty((0, 3), dtype)]
    found = list(unpacked(packed(arrays), [each.shape for each in arrays], dtype))
    assert [each.shape for each in found] == [each.shape for each in arrays]
    assert [each.tobytes() for each in found] == [each.tobytes() for each in arrays]


def test_a_text_that_was_cut_is_not_unpacked() -> None:
    with pytest.raises(ValueError, match="buffer"):
        list(unpacked(packed([np.zeros(3, np.float32)]), [(4,)], np.dtype(np.float32)))


def test_the_unit_is_that_of_the_largest_finite_value() -> None:
    f32 = np.dtype(np.float32)
    assert unit_in_the_last_place(np.array([0.3, -1.5, np.inf, np.nan]), f32) == 2.0**-23
    assert unit_in_the_last_place(np.zeros(2), f32) == 2.0**-149
    assert unit_in_the_last_place(np.array([3e38]), f32) == 2.0**103


def test_parameters_are_read_with_their_defaults() -> None:
    def function(first, second=0.5, *rest, third=len, **more):  # type: ignore[no-untyped-def]
        pass

    known = {"first": "", "second": "0.5", "*rest": "", "third": "<built-in function len>", "**more": ""}
    assert parameters(function) == known
    assert parameters(lambda first, *, second=1: first) == {"first": "", "*": "", "second": "1"}
    assert parameters(object()) is None
    assert parameters(Enum("Of", "A B")) is None  # which Python gives others from release to release


@pytest.mark.skipif("torch" not in available(), reason="it is torch's default")
def test_a_default_that_a_framework_changed_is_found_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(self: object, negative_slope: float = 0.02, inplace: bool = False) -> None:
        pass

    old = {record["key"]: record for record in read("torch")}
    monkeypatch.setattr(torch.nn.LeakyReLU, "__init__", init)
    new = {record["key"]: record for record in read("torch")}
    assert old.keys() == new.keys()
    (change,) = [each for key in old for each in signature(old[key], new[key])]
    assert (change.kind, change.key, change.of) == ("signatures", "torch.nn.LeakyReLU", "torch")
    assert (change.before, change.after, change.harmless) == ("negative_slope=0.01", "negative_slope=0.02", False)


@pytest.mark.parametrize(
    ("framework", "expected"),
    [
        (
            "torch",
            {"torch.nn.LeakyReLU", "torch.nn.functional.huber_loss", "torch.optim.Adam", "torch.nn.init.normal_"},
        ),
        ("tensorflow", {"keras.layers.Dense", "keras.losses.Huber", "keras.optimizers.SGD", "tensorflow.nn.conv2d"}),
    ],
)
def test_what_counterparts_are_made_of_is_read_from_the_source(framework: str, expected: set[str]) -> None:
    found = named(framework)
    assert expected <= set(found)
    assert found == sorted(found)
