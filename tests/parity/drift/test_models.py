"""A maintainer's own models, recorded before an upgrade and after it: what moved is found, named and classed."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import numpynet as nn
import parity
from numpynet import Array
from parity.cli import app
from parity.comparison.formats import NARROW
from parity.comparison.recording import VERSION_NARROW, read, write
from parity.drift.document import Step
from parity.drift.models import drift

X = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
Change = Callable[[Array], Array]


class Softened(nn.ReLU):
    """A layer of a package that is to be upgraded; `change` is what its next release does otherwise."""

    change: Change = staticmethod(lambda values: values)

    def forward(self, input: Array) -> Array:
        return self.change(super().forward(input))


def net(eps: float = 1e-3, seed: int = 1) -> nn.Module:
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        nn.Linear(3, 4, rng=rng), nn.BatchNormalization(4, eps=eps), Softened(), nn.Linear(4, 2, rng=rng)
    )


def recorded(folder: Path, model: nn.Module, seed: int = 0, **training: Any) -> Path:
    folder.mkdir(exist_ok=True)
    parity.record(model, X, folder / "net.parity", beside="numpynet", seed=seed, **training)
    return folder


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(tmp_path_factory.mktemp("models") / "before", net())


def played(before: Path, folder: Path, change: Callable[[dict[str, Array]], None], **header: Any) -> Path:
    """The recording with its arrays changed, and parts of its header, made where nothing else was installed."""
    folder.mkdir()
    known, arrays = read(before / "net.parity")
    change(arrays)
    write(folder / "net.parity", replace(known, arrays=len(arrays), **{"installed": {}, **header}), arrays)
    return folder


def step_from(before: Path, after: Path) -> Step:
    return drift(before, after).steps[0]


TORCH = {"made_by": {"torch": "2.9.1", "python": "3.11.9"}}


def test_the_same_model_recorded_again_has_not_moved(before: Path, tmp_path: Path) -> None:
    step = step_from(before, recorded(tmp_path / "after", net()))
    assert (step.status, step.numbers, step.behaviour, step.missing) == ("safe", [], [], [])
    assert step.compared.tensors > 30
    assert step.headline == "the same packages: safe."


@pytest.mark.parametrize(
    ("ulps", "status"), [(1, "safe"), (1000, "numbers")], ids=["within rounding", "beyond what rounding allows"]
)
def test_an_output_that_moved_is_named_with_a_script(
    ulps: int, status: str, before: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def up(arrays: dict[str, Array]) -> None:
        output = arrays["evaluation/computed/outputs/0"]
        output[1, 0] += np.float32(ulps) * np.spacing(np.abs(output).max())

    step = step_from(before, played(before, tmp_path / "after", up))
    (move,) = step.numbers
    assert (move.pair, move.moved, move.tensors, move.element) == ("outputs of net, evaluation", 1, 1, [1, 0])
    assert move.tensor == "evaluation, outputs/0"
    assert move.ulps == ulps
    assert step.status == status
    exec(move.script)
    assert [np.float32(line) for line in capsys.readouterr().out.split()] == [
        np.float32(move.before),
        np.float32(move.after),
    ]


def test_of_16_bits_units_are_its_own_and_what_is_beyond_the_range_is_not_judged(before: Path, tmp_path: Path) -> None:
    half = {"narrow": "float16", "version": VERSION_NARROW, **TORCH}
    name, beyond = "evaluation/computed/outputs/0", "evaluation/beyond/outputs/0"
    unit = NARROW["float16"].unit_in_the_last_place(read(before / "net.parity")[1][name])

    def mark(arrays: dict[str, Array]) -> None:
        arrays[beyond] = np.zeros(arrays[name].shape, bool)
        arrays[beyond][1, 0] = True

    def infinite(arrays: dict[str, Array]) -> None:
        mark(arrays)
        arrays[name][1, 0] = np.inf

    def moved(arrays: dict[str, Array]) -> None:
        infinite(arrays)
        arrays[name][2, 1] += unit

    old = played(before, tmp_path / "old", mark, **half)
    assert step_from(old, played(before, tmp_path / "same", mark, **half)).status == "safe"
    step = step_from(old, played(before, tmp_path / "infinite", infinite, **half))
    assert (step.status, step.numbers) == ("incomplete", [])
    assert step.missing[0].why == "of net, elements beyond the range of float16 moved, which nothing can be judged of"
    assert step.missing[0].keys == ["evaluation, outputs/0"]
    (move,) = step_from(old, played(before, tmp_path / "moved", moved, **half)).numbers
    assert (move.dtype, move.element) == ("float16", [2, 1])
    assert move.ulps == pytest.approx(1, rel=1e-3)


def test_a_layer_that_computes_otherwise_is_seen_in_outputs_and_gradients(
    before: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Softened, "change", staticmethod(lambda values: values * values.dtype.type(1 + 1e-4)))
    step = step_from(before, recorded(tmp_path / "after", net()))
    moved = {move.pair for move in step.numbers}
    assert step.status == "numbers"
    assert {"outputs of net, evaluation", "outputs of net, training", "parameter gradients of net, training"} <= moved


def test_a_default_that_changed_is_behaviour_and_comes_with_its_layer(before: Path, tmp_path: Path) -> None:
    step = step_from(before, recorded(tmp_path / "after", net(eps=1e-5)))
    assert (step.status, [each.kind for each in step.behaviour]) == ("behaviour", ["settings"])
    assert step.behaviour[0].key.startswith("net, ")
    assert (step.behaviour[0].before, step.behaviour[0].after) == ("eps=0.001", "eps=1e-05")


@pytest.mark.parametrize(
    ("model", "seed", "said"),
    [
        (functools.partial(net, seed=2), 0, "the weights are not the same: an initialiser or its seed draws otherwise"),
        (net, 1, "the seed of the two is not the same"),
    ],
    ids=["weights", "seed"],
)
def test_what_was_given_otherwise_is_not_compared(
    model: Callable[[], nn.Module], seed: int, said: str, before: Path, tmp_path: Path
) -> None:
    step = step_from(before, recorded(tmp_path / "after", model(), seed))
    assert (step.status, step.compared.tensors) == ("incomplete", 0)
    assert step.missing[0].why.startswith(said)


def test_another_machine_and_other_packages_at_once_are_not_compared(before: Path, tmp_path: Path) -> None:
    old = played(before, tmp_path / "old", lambda arrays: None, **TORCH)
    made_by = {"torch": "2.13.0", "python": "3.11.9"}
    step = step_from(old, played(before, tmp_path / "new", lambda arrays: None, made_by=made_by))
    assert (step.headline, step.compared.tensors > 30) == ("torch 2.9.1 to 2.13.0: safe.", True)
    machine = {"processor": "another"}
    step = step_from(old, played(before, tmp_path / "far", lambda arrays: None, made_by=made_by, machine=machine))
    assert (step.status, step.compared.tensors) == ("incomplete", 0)
    assert "the machine changed with the packages" in step.missing[0].why


def test_a_package_of_the_maintainer_s_own_is_named_where_no_framework_changed(before: Path, tmp_path: Path) -> None:
    folders = [
        played(before, tmp_path / version, lambda arrays: None, installed={"softened": version})
        for version in ("1.0", "2.0")
    ]
    step = step_from(*folders)
    assert (step.title, step.packages, [each.name for each in step.others]) == ("softened 1.0 to 2.0", [], ["softened"])


def test_a_model_that_is_refused_now_is_behaviour_with_what_was_said(before: Path, tmp_path: Path) -> None:
    after = recorded(tmp_path / "after", net())
    (after / "net.parity").rename(after / "other.parity")
    step = step_from(before, after)
    assert [each.why for each in step.missing] == ["after has none of this model", "before has none of this model"]
    (after / "net.txt").write_text("Traceback\nTypeError: no input of this shape is taken\n")
    (change,) = step_from(before, after).behaviour
    assert (change.key, change.before, change.after) == (
        "net",
        "recorded",
        "TypeError: no input of this shape is taken",
    )
    assert step_from(after, before).behaviour[0].harmless
    (after / "other.parity").unlink()  # and nothing else is recorded there
    assert step_from(before, after).status == "behaviour"


def test_a_framework_is_called_by_its_package_whatever_distribution_brings_it(before: Path, tmp_path: Path) -> None:
    folders = [
        played(before, tmp_path / version, lambda arrays: None, installed={"tensorflow-cpu": version})
        for version in ("2.20.0", "2.21.0")
    ]
    assert step_from(*folders).title == "tensorflow 2.20.0 to 2.21.0"


BATCHES = [(X, np.full((4, 2), float(step), np.float32)) for step in range(4)]
TRAINED: dict[str, Any] = {
    "optimizer": lambda parameters: nn.SGD(parameters, lr=0.1),
    "loss": nn.MSECriterion(),
    "batches": BATCHES,
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(tmp_path_factory.mktemp("trained") / "before", net(), **TRAINED)


def test_the_same_training_is_compared_and_has_not_moved(trained: Path, tmp_path: Path) -> None:
    step = step_from(trained, recorded(tmp_path / "after", net(), **TRAINED))
    assert (step.status, step.curves, step.behaviour, step.compared.curves) == ("safe", [], [], 1)
    assert "1 curves compared" not in step.details
    assert "1 curve compared" in step.details


@pytest.mark.parametrize(("factor", "status"), [(0.5, "safe"), (2.0, "numbers")])
def test_losses_that_part_are_told_with_their_step_and_judged(
    factor: float, status: str, trained: Path, tmp_path: Path
) -> None:
    def part(arrays: dict[str, Array]) -> None:
        arrays["curve/losses"][2] += factor * arrays["curve/allowed"][2]

    step = step_from(trained, played(trained, tmp_path / "after", part))
    (curve,) = step.curves
    assert (curve.key, curve.of, curve.step, step.status) == ("net", "numpynet", 3, status)
    assert curve.used_after == pytest.approx(factor, rel=1e-3)
    said = "beyond what rounding allows" if status == "numbers" else "within rounding"
    assert f"losses of net, numpynet part{'' if status == 'numbers' else ','} {said}" in step.details


def test_what_rounding_alone_parts_is_not_judged(trained: Path, tmp_path: Path) -> None:
    def part(arrays: dict[str, Array]) -> None:
        arrays["curve/losses"][2] *= 2

    known = read(trained / "net.parity")[0].curve
    assert known is not None
    chaotic = {"curve": replace(known, compared=2)}
    old = played(trained, tmp_path / "old", lambda arrays: None, **chaotic)
    step = step_from(old, played(trained, tmp_path / "after", part, **chaotic))
    assert [(curve.step, curve.beyond) for curve in step.curves] == [(3, False)]
    assert step.status == "safe"


def test_a_setting_of_the_optimizer_that_changed_is_behaviour_and_a_new_one_is_harmless(
    trained: Path, tmp_path: Path
) -> None:
    known = read(trained / "net.parity")[0].curve
    assert known is not None

    def from_settings(**settings: str) -> Step:
        optimizer = replace(known.optimizer, settings={**known.optimizer.settings, **settings})
        folder = tmp_path / "-".join(settings)
        return step_from(trained, played(trained, folder, lambda _: None, curve=replace(known, optimizer=optimizer)))

    step = from_settings(lr="lr=0.2")
    (found,) = step.behaviour
    assert (found.key, found.before, found.after) == ("net, optimizer lr", "lr=0.1", "lr=0.2")
    assert step.status == "behaviour"
    step = from_settings(cautious="cautious=False")
    assert ([each.harmless for each in step.behaviour], step.status) == ([True], "safe")


def test_a_training_that_one_of_the_two_lacks_is_missing_evidence(before: Path, trained: Path, tmp_path: Path) -> None:
    step = step_from(trained, before)
    assert [(each.what, each.why) for each in step.missing] == [("curves", "one of the two has no training")]
    assert step.status == "incomplete"
    why = {"curve": None, "uncurved": "curves were not recorded: it draws"}
    untold = [played(before, tmp_path / name, lambda arrays: None, **why) for name in ("old", "new")]
    assert [each.why for each in step_from(*untold).missing] == ["curves were not recorded: it draws"]
    other = played(trained, tmp_path / "other", lambda arrays: arrays["curve/batches/1/target"].fill(9))
    assert step_from(trained, other).missing[0].why.startswith("the batches are not the same")


def test_a_mode_that_neither_of_the_two_was_run_in_is_told(before: Path, tmp_path: Path) -> None:
    why = {"untrained": "training mode was not looked at: it draws"}
    folders = [played(before, tmp_path / name, lambda arrays: None, **why) for name in ("old", "new")]
    assert step_from(*folders).notes == ["net: training mode was not looked at: it draws"]


def run(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["drift", *map(str, words)])
    return done.exit_code, done.output


def test_the_command_writes_a_summary_of_the_models(before: Path, tmp_path: Path) -> None:
    folders = [played(before, tmp_path / name, lambda arrays: None) for name in ("before", "after")]
    code, said = run(*folders, "--out", tmp_path / "out")
    assert (code, said.startswith("the same packages: safe. No tensor moved; no behaviour changed; ")) == (0, True)
    assert " 0 " not in said.partition("\n")[0]  # what there is nothing of is not told
    assert "safe" in (tmp_path / "out" / "drift.md").read_text().partition("\n")[0]
    assert json.loads((tmp_path / "out" / "drift.json").read_text())["stacks"] == ["before", "after"]


def test_what_cannot_be_compared_ends_in_one_line(before: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    code, said = run(before, tmp_path / "none")
    assert (code, "holds no recording" in said) == (3, True)
    (tmp_path / "cut").mkdir()
    whole = (before / "net.parity").read_bytes()
    (tmp_path / "cut" / "net.parity").write_bytes(whole[: len(whole) // 2])
    code, said = run(before, tmp_path / "cut")
    assert (code, "is cut short or damaged" in said) == (3, True)
    assert run(before, before, before)[0] == 2
