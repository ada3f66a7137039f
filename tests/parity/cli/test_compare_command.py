"""`parity compare` writes what it found as a record, a page and a mapping; what a file lacks is one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from parity.cli import app
from parity.results.records import current
from parity.results.store import Results

PORT = """
import numpy as np
from numpynet import Linear, Sequential, Tanh, ReLU
rng = np.random.default_rng(0)
first = Sequential(Linear(3, 3, rng=rng), Tanh(), Linear(3, 3, rng=rng))
second = Sequential(Linear(3, 3, rng=rng), {}(), Linear(3, 3, rng=rng))
inputs = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
"""


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "port.py").write_text(PORT.format("Tanh"))
    return tmp_path / "port.py"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["compare", *arguments])


@pytest.mark.parametrize("activation", ["Tanh", "ReLU"])
def test_what_was_found_is_a_record_a_page_and_one_of_the_results(activation: str, port: Path) -> None:
    port.write_text(PORT.format(activation))
    found = run("port.py", "--json", "new/found.json", "--html", "new/found.html", "--results", "results")
    passed = activation == "Tanh"
    assert found.exit_code == (not passed), found.output
    record = json.loads(Path("new/found.json").read_text())
    assert (record["key"], record["passed"], record["headline"]) == ("port.py", passed, record["told"][0])
    assert record["told"] == found.output.rstrip("\n").split("\n")[-len(record["told"]) :]
    assert f"<h1>{record['headline']}</h1>" in Path("new/found.html").read_text()
    (stored,) = Results("results").read("comparisons")
    assert {**stored, "plan": ""} == current("comparisons", record)
    assert [layer["title"] for layer in record["layers"]] == ["Linear", "Tanh", "Linear"]
    errors = [layer["error"] for layer in record["layers"]]
    assert errors == (["", "", ""] if passed else ["inherited", "own", "inherited"])
    assert len(record["tensors"]) == 2 * 12


def test_the_mapping_that_is_printed_is_read(port: Path) -> None:
    printed = run("port.py", "--print-weights")
    assert printed.exit_code == 0
    mapping = json.loads(printed.stdout)
    assert mapping["0.weight"] == "0.weight"
    turned = {name: other.translate(str.maketrans("02", "20")) for name, other in mapping.items()}
    Path("weights.json").write_text(json.dumps(turned))
    given = run("port.py", "--print-weights", "--weights", "weights.json")
    assert json.loads(given.stdout) == turned
    assert run("port.py", "--weights", "weights.json").exit_code == 1  # which computes something else


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "first = 1",
            "port.py defines no second, no inputs or draws: it has to define `first` and `second` and `inputs`",
        ),
        ("import nothing_of_the_kind", "port.py cannot be imported: ModuleNotFoundError: No module named"),
        ("first = (", "port.py cannot be imported: SyntaxError: '(' was never closed"),
        ("raise SystemExit(2)", "port.py cannot be imported: SystemExit: 2"),
        ("first = second = inputs = 1", "the first model is a builtins.int: give a torch.nn.Module, a keras.Model"),
        (PORT.format("Tanh") + "inputs = {'x': inputs}", "inputs: give an array, or a sequence of the arrays"),
        (PORT.format("Tanh") + "weights = {'0.wait': '0.weight'}", "weights: the first model holds no '0.wait'"),
        (PORT.format("Tanh") + "weights = ['0.weight']", "weights: give a dict"),
        (PORT.format("Tanh") + "optimizers = (1, 2)", "optimizers: those of numpynet models are not compared"),
        (PORT.format("Tanh") + "batches = []", "batches: models are trained by a loss and an optimizer"),
        (PORT.format("Tanh") + "first = Linear(2, 2, rng=rng)", "the first model does not run on inputs of shapes"),
    ],
)
def test_a_file_that_does_not_define_what_is_needed_is_one_line_and_exit_code_3(
    text: str, said: str, port: Path
) -> None:
    port.write_text(text)
    found = run("port.py", "--results", "results")
    assert (found.exit_code, found.stdout) == (3, "")
    assert said in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [("[1]", "has to hold one object"), ("{", "holds no JSON"), (None, "holds no JSON: [Errno 2]")],
)
def test_a_mapping_that_is_none_is_one_line(text: str | None, said: str, port: Path) -> None:
    if text is not None:
        Path("weights.json").write_text(text)
    found = run("port.py", "--weights", "weights.json")
    assert found.exit_code == 3
    assert said in found.stderr
