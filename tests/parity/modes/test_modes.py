"""Every way of writing and running a model gives the same training, what parts is in the catalogue, and faults show."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from fnmatch import fnmatch
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from numpynet import Array, Dropout, ReLU
from parity.catalogue import catalogue
from parity.formats import DTYPES
from parity.frameworks import FRAMEWORKS, available
from parity.modes import FINDINGS, MODELS, Model, Row, run_modes
from parity.modes.models import classifier
from parity.modes.raw import operations
from parity.modes.record import Mode, NotHere, Seen, reference

needs_torch = pytest.mark.skipif("torch" not in available(), reason="torch is not installed")
needs_tensorflow = pytest.mark.skipif("tensorflow" not in available(), reason="tensorflow is not installed")

Only = Callable[..., ModuleType]
Statuses = Callable[..., dict[str, Row]]


@pytest.fixture(scope="module", autouse=True)
def judged_by_one_reference() -> Iterator[None]:
    """What numpynet computes of a model, and what rounding allows, is found out once for all tests."""
    known: dict[tuple[str, str, str], Any] = {}

    def once(model: Model, framework: str) -> Any:
        key = (model.name, model.dtype.name, framework)
        if key not in known:
            known[key] = reference(model, framework)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("parity.modes.table.reference", once)
        yield


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Only:
    """Leaves a framework these modes alone: compiling takes seconds."""

    def choose(framework: str, *wanted: str) -> ModuleType:
        home = importlib.import_module(f"parity.modes.{framework}")
        monkeypatch.setattr(home, "modes", lambda model: [tuple(each.split("/")) for each in wanted])
        return home

    return choose


@pytest.fixture
def statuses() -> Statuses:
    """The judged rows of a model, by mode and execution."""

    def judged(framework: str, model: str = "mlp", dtype: str = "float32") -> dict[str, Row]:
        rows = run_modes(model, dtype, framework)
        return {f"{row.mode}/{row.execution}": row for row in rows}

    return judged


@needs_tensorflow
def test_all_ways_of_the_tensorflow_notebook_agree_eagerly_as_a_graph_and_through_xla() -> None:
    rows = run_modes("mlp", "float32", "tensorflow")
    ways = ["raw", "subclass", "sequential", "functional", "fit"]
    assert [(r.mode, r.execution) for r in rows] == [(w, e) for w in ways for e in ("eager", "graph", "xla")]
    assert {row.status for row in rows} == {"agrees"}
    for row in rows:
        shown = {"loss", "parameter"} | ({"output", "parameter gradient"} if row.mode != "fit" else set())
        assert row.used.keys() == row.apart.keys() == shown
        assert max([*row.used.values(), *row.apart.values()]) <= 1
    record = rows[0].as_record()
    assert record.key == "mlp/float32/tensorflow/raw/eager"
    assert record.used == rows[0].used


@needs_torch
@pytest.mark.parametrize(("model", "dtype"), [("mlp", "float64"), ("normalized", "float32"), ("conv", "float32")])
def test_all_ways_of_torch_agree(model: str, dtype: str, only: Only, statuses: Statuses) -> None:
    only("torch", "functional/eager", "module/eager", "sequential/eager")
    found = statuses("torch", model, dtype)
    assert {row.status for row in found.values()} == {"agrees"}
    assert ("state" in found["functional/eager"].used) == (model == "normalized")


@needs_tensorflow
@pytest.mark.parametrize(("model", "dtype"), [("normalized", "float64"), ("conv", "float32")])
def test_raw_operations_agree_with_keras(model: str, dtype: str, only: Only, statuses: Statuses) -> None:
    only("tensorflow", "raw/eager", "raw/graph", "functional/graph", "fit/graph")
    assert {row.status for row in statuses("tensorflow", model, dtype).values()} == {"agrees"}


@needs_torch
def test_torch_compile_is_among_the_modes_and_not_run_without_a_compiler(
    monkeypatch: pytest.MonkeyPatch, statuses: Statuses
) -> None:
    monkeypatch.setattr("parity.modes.torch.compiler", lambda: None)
    row = statuses("torch")["module/compile"]
    assert (row.status, row.used) == ("not run", {})
    assert "needs a C++ compiler" in row.note


@needs_torch
def test_torch_that_does_not_compile_on_this_python_is_no_mode_that_is_off(
    monkeypatch: pytest.MonkeyPatch, statuses: Statuses
) -> None:
    def refuse(*_: Any) -> Any:
        raise RuntimeError("Dynamo is not supported on Python 3.12+")  # torch 2.2

    monkeypatch.setattr("parity.modes.torch.compiler", lambda: "g++")
    monkeypatch.setattr(importlib.import_module("torch"), "compile", refuse)
    row = statuses("torch")["module/compile"]
    assert (row.status, row.used) == ("not run", {})
    assert "does not compile here: Dynamo is not supported on Python 3.12+" in row.note


@needs_torch
def test_what_was_compiled_for_other_instructions_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's cache does not tell them apart."""
    torch = pytest.importorskip("torch")
    made = importlib.import_module("parity.modes.torch")
    monkeypatch.setattr(made, "compiler", lambda: "g++")
    caches: set[str] = set()
    for capability in ("DEFAULT", "AVX2", "AVX512"):
        monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "shared by all")  # as torch itself does when it is imported
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda capability=capability: capability)
        with suppress(NotHere):  # the cache is chosen before torch says that it does not compile on this Python
            made.make("module", "compile", MODELS["mlp"](np.dtype("float32")))
        caches.add(os.environ["TORCHINDUCTOR_CACHE_DIR"])
    assert len(caches - {"shared by all"}) == 3


@needs_tensorflow
def test_a_layer_without_raw_operations_is_not_run_raw(
    only: Only, statuses: Statuses, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_dropout(dtype: np.dtype[Any]) -> Model:
        model = MODELS["mlp"](dtype)
        layers = (*model.network.modules, Dropout(0.0))
        return classifier("dropout", *layers, shape=(1, 8, 8), criterion=model.criterion, dtype=dtype)

    monkeypatch.setitem(MODELS, "dropout", with_dropout)
    only("tensorflow", "raw/eager", "sequential/eager")
    found = statuses("tensorflow", "dropout")
    assert found["raw/eager"].status == "not run"
    assert found["raw/eager"].note == "no raw operations for Dropout"
    assert found["sequential/eager"].status == "agrees"


# What truly parts


def test_every_finding_is_measured_by_the_catalogue_and_has_its_rows() -> None:
    assert set(FINDINGS.values()) <= {entry.id for entry in catalogue()}
    homes = {name: importlib.import_module(f"parity.modes.{name}") for name in FRAMEWORKS}
    keys = [
        "/".join((name, dtype, framework, *each))
        for name, make in MODELS.items()
        for dtype in DTYPES
        for framework, home in homes.items()
        for each in home.modes(make(np.dtype(dtype)))
    ]
    for pattern in FINDINGS:
        assert any(fnmatch(key, pattern) for key in keys)


@needs_tensorflow
def test_probabilities_part_eager_from_graph_in_raw_operations_and_not_behind_keras_softmax(
    only: Only, statuses: Statuses
) -> None:
    only("tensorflow", "raw/eager", "raw/graph", "sequential/eager", "sequential/graph")
    found = statuses("tensorflow", "probabilities")
    assert {name: row.status for name, row in found.items()} == {
        "raw/eager": "finding",
        "raw/graph": "agrees",
        "sequential/eager": "agrees",
        "sequential/graph": "agrees",
    }
    assert found["raw/eager"].note.startswith("probabilities-eager-graph: ")


@needs_tensorflow
def test_fit_computes_a_float64_model_in_floatx(only: Only, statuses: Statuses) -> None:
    only("tensorflow", "raw/graph", "sequential/graph", "fit/graph", "fit at floatx float32/graph")
    found = statuses("tensorflow", "mlp", "float64")
    assert found["fit/graph"].status == "agrees"
    assert found["fit at floatx float32/graph"].status == "finding"
    # Not to the last bit of float32 wrong, but no better than float32 either.
    assert found["fit at floatx float32/graph"].used["loss"] > np.finfo(np.float32).eps / np.finfo(np.float64).eps / 1e3


# Faults


class Slipped:
    """A mode of which one array is off by `share` of itself."""

    def __init__(self, mode: Mode, what: str, share: float) -> None:
        self.mode, self.what, self.share = mode, what, share

    def step(self, inputs: Array) -> Seen:
        seen = self.mode.step(inputs)
        changed = dict(vars(seen))
        values = changed[self.what]
        if isinstance(values, dict):
            name = next(iter(values))
            changed[self.what] = values | {name: values[name] * values[name].dtype.type(1 + self.share)}
        else:
            changed[self.what] = values * values.dtype.type(1 + self.share)
        return Seen(**changed)


@needs_torch
@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("output", "output"),
        ("loss", "loss"),
        ("gradients", "parameter gradient of 1.weight"),
        ("arrays", "parameter of 1.weight"),
    ],
)
def test_a_small_slip_in_any_array_of_one_mode_shows_there_and_nowhere_else(
    what: str, said: str, only: Only, statuses: Statuses, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = only("torch", "functional/eager", "module/eager", "sequential/eager")
    make = home.make

    def slipping(mode: str, execution: str, model: Model) -> Mode:
        made = make(mode, execution, model)
        return Slipped(made, what, 2.0**-12) if mode == "module" else made

    monkeypatch.setattr(home, "make", slipping)
    found = statuses("torch")
    assert [row.status for row in found.values()] == ["agrees", "off", "agrees"]
    assert found["module/eager"].note.startswith(f"parts from the other modes: {said}, step ")


@needs_torch
def test_what_all_modes_of_a_framework_have_in_common_parts_from_numpynet(
    only: Only, statuses: Statuses, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = only("torch", "functional/eager", "module/eager", "sequential/eager")
    make = home.make
    monkeypatch.setattr(home, "make", lambda *given: Slipped(make(*given), "loss", 2.0**-12))
    for row in statuses("torch").values():
        assert row.status == "off"
        assert row.note.startswith("parts from numpynet: loss, step ")


@needs_tensorflow
def test_a_wrong_raw_operation_is_seen_in_the_raw_modes_alone(only: Only, statuses: Statuses) -> None:
    import tensorflow as tf

    only("tensorflow", "raw/eager", "sequential/eager", "functional/graph", "fit/graph")
    right = operations.dispatch(ReLU)
    operations.register(ReLU, lambda module, input: tf.maximum(input, 2.0**-10 * input))
    try:
        found = statuses("tensorflow")
    finally:
        operations.register(ReLU, right)
    assert [row.status for row in found.values()] == ["off", "agrees", "agrees", "agrees"]


@needs_tensorflow
def test_a_number_that_a_graph_has_kept_from_its_trace_is_seen(
    only: Only, statuses: Statuses, monkeypatch: pytest.MonkeyPatch
) -> None:
    from parity.modes.tensorflow import RawOperations

    right = RawOperations.update

    def counting(self: Any, gradients: list[Any]) -> None:
        self.calls = getattr(self, "calls", 0) + 1  # Python's: traced once
        right(self, [gradient * (1 + 2.0**-10 * (self.calls == 1)) for gradient in gradients])

    monkeypatch.setattr(RawOperations, "update", counting)
    only("tensorflow", "raw/graph", "sequential/eager", "sequential/graph")
    assert [row.status for row in statuses("tensorflow").values()] == ["off", "agrees", "agrees"]


@needs_torch
def test_a_mode_that_crashes_loses_an_array_or_bends_its_shape_is_off(
    only: Only, statuses: Statuses, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = only("torch", "functional/eager", "module/eager", "sequential/eager")
    make = home.make

    class Lossy:
        def __init__(self, mode: Mode, kept: Callable[[dict[str, Array]], dict[str, Array]]) -> None:
            self.mode, self.kept = mode, kept

        def step(self, inputs: Array) -> Seen:
            seen = self.mode.step(inputs)
            return Seen(seen.loss, self.kept(seen.arrays), seen.output, seen.gradients)

    def broken(mode: str, execution: str, model: Model) -> Mode:
        made = make(mode, execution, model)
        if mode == "functional":
            raise MemoryError("out of it")
        if mode == "module":
            return Lossy(made, lambda arrays: {n: v for n, v in arrays.items() if n != "3.bias"})
        return Lossy(made, lambda arrays: arrays | {"3.bias": arrays["3.bias"][None]})

    monkeypatch.setattr(home, "make", broken)
    found = statuses("torch")
    assert [row.status for row in found.values()] == ["off"] * 3
    assert found["functional/eager"].note == "MemoryError: out of it"
    assert "3.bias" in found["sequential/eager"].note


@needs_torch
def test_torch_alone_is_enough() -> None:
    code = """
import sys
sys.modules["tensorflow"] = sys.modules["keras"] = None
import parity.modes.torch
parity.modes.torch.compiler = lambda: None
from parity.modes import run_modes
rows = run_modes("mlp", "float32", "torch")
print([row.status for row in rows])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['agrees', 'agrees', 'agrees', 'not run']"
