"""Two models: right ports are within what rounding allows; of wrong ones the layer at fault and the cause are named."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ports import PORTS, Port
from typer.testing import CliRunner

import parity
from parity.cli import app
from parity.comparison.model import Unfit
from parity.frameworks import available
from parity.frameworks.lazy import keras, torch

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.skipif(len(available()) < 2, reason="the models are written in torch and in Keras")


def compared(name: str, **changes: Any) -> parity.Comparison:
    port = PORTS[name]
    return parity.compare(*port.both(**changes), port.inputs(np.random.default_rng(0)))


@pytest.mark.parametrize("name", PORTS)
def test_a_right_port_is_within_what_rounding_allows(name: str) -> None:
    found = compared(name)
    assert found.passed, str(found)
    assert found.itself <= 1
    assert found.fault is None
    assert not found.alone
    assert not found.unmodelled
    assert set(found.judged) == {"evaluation", "training"}
    found.check()


@pytest.mark.parametrize("name", ["convolutional", "recurrent"])  # whose arrays lie otherwise in the other
def test_so_is_the_model_that_was_ported_and_a_copy_of_it(name: str) -> None:
    model, port = PORTS[name].both()
    inputs = PORTS[name].inputs(np.random.default_rng(0))
    back = parity.compare(port, model, PORTS[name].there(inputs))
    assert back.passed, str(back)
    assert (back.first, back.second, back.reference) == ("keras", "torch", "torch")
    assert parity.compare(model, PORTS[name].torch(), inputs).passed


# What is changed in the port, the class of the layer at fault, and what is said to mend it.
MISTAKES: list[tuple[str, dict[str, Any], str, str]] = [
    ("mlp", {"eps": 1e-6}, "LayerNormalization", "epsilon=1e-05"),
    ("mlp", {"gelu": lambda x: keras.activations.gelu(x, approximate=True)}, "Dense", "approximate=False"),
    ("convolutional", {"eps": 1e-3}, "BatchNormalization", "epsilon=1e-05"),
    ("convolutional", {"momentum": 0.99}, "BatchNormalization", "momentum=0.9"),
    ("convolutional", {"rate": 0.4}, "Dropout", "rate=0.5"),
    ("residual", {"same": True}, "Conv2D", "padding='valid' behind keras.layers.ZeroPadding2D((1, 1))"),
    ("transformer", {"gelu": "relu"}, "Dense", "activation='gelu'"),
]


@pytest.mark.parametrize(("name", "change", "title", "mend"), MISTAKES)
def test_of_a_wrong_port_the_layer_at_fault_and_its_cause_are_named(
    name: str, change: dict[str, Any], title: str, mend: str
) -> None:
    found = compared(name, **change)
    assert not found.passed
    assert found.fault is not None, str(found)
    assert found.fault.title == title
    assert found.fault.cause is not None, str(found)
    assert mend in found.fault.cause.mend
    with pytest.raises(parity.ParityError, match=f"At fault: .*{title}"):
        found.check()


def test_an_activation_that_was_forgotten_is_named_with_the_layer_that_it_belongs_behind() -> None:
    found = compared("residual", active=False)
    assert not found.passed
    assert found.fault is not None, str(found)
    assert (found.fault.title, found.fault.beside) == ("GroupNormalization", "norm and relu")
    assert found.fault.cause is not None
    assert found.fault.cause.mend == "keras.layers.Activation('relu') behind it"


def test_a_sum_that_was_forgotten_is_no_layers_fault() -> None:
    found = compared("residual", skip=False)
    assert not found.passed
    assert found.fault is None


def test_a_gradient_that_does_not_come_back_is_no_right_one() -> None:
    found = compared("mlp", twist=lambda x: keras.ops.stop_gradient(x))
    assert not found.passed
    missing = [tensor.name for tensor in found.judged["evaluation"] if not tensor.passed]
    assert "input gradient" in missing
    assert "parameter gradient of 0.weight" in missing
    with pytest.raises(parity.ParityError) as raised:
        found.check()
    assert (raised.value.rung, raised.value.module) == (2, None)


def test_what_is_wrong_between_layers_is_no_layers_fault() -> None:
    model, port = PORTS["mlp"].both()

    class Halved(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.of = model

        def forward(self, x: Any) -> Any:
            return self.of(x) / 2

    found = parity.compare(Halved(), port, PORTS["mlp"].inputs(np.random.default_rng(0)))
    assert not found.passed
    assert found.fault is None
    assert "is at fault, given the same input" in str(found)


def test_the_first_model_is_left_as_it_was() -> None:
    port = PORTS["convolutional"]
    model, other = port.both()
    before = {name: held.clone() for name, held in model.state_dict().items()}
    model.eval()
    parity.compare(model, other, port.inputs(np.random.default_rng(0)))
    assert not model.training
    assert all(torch.equal(held, before[name]) for name, held in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_reference_is_in_float64_where_a_model_holds_nothing() -> None:
    model, port = torch.nn.Sequential(torch.nn.Softmax(1), torch.nn.Tanh()), torch.nn.Sequential(torch.nn.Softmax(1))
    x = PORTS["mlp"].inputs(np.random.default_rng(0))
    assert parity.compare(model, model, x).itself > 0
    assert not parity.compare(model, port, x).passed


def mixed() -> Port:
    """Linear layers of one shape in torch, and in Keras in the order in which they are called."""

    def in_torch() -> Any:
        return torch.nn.Sequential(*(torch.nn.Linear(4, 4) for _ in range(3)))

    def in_keras() -> Any:
        return keras.Sequential([keras.Input((4,)), *(keras.layers.Dense(4) for _ in range(3))])

    return Port(in_torch, in_keras, lambda rng: rng.standard_normal((3, 4)).astype(np.float32))


def test_square_matrices_are_told_apart_and_turned() -> None:
    port = mixed()
    found = parity.compare(*port.both(), port.inputs(np.random.default_rng(0)))
    assert found.passed, str(found)
    assert len(found.weights) == 6


def test_a_mapping_that_is_given_is_kept_to() -> None:
    port = mixed()
    model, other = port.both()
    names = [layer.kernel.path for layer in other.layers]
    given = {"0.weight": names[1], "1.weight": names[0]}
    found = parity.compare(model, other, port.inputs(np.random.default_rng(0)), weights=given)
    assert not found.passed
    assert found.weights["0.weight"] == names[1]


def unfit(make: Callable[[], Any]) -> str:
    with pytest.raises(Unfit) as raised:
        make()
    return str(raised.value)


def test_what_cannot_be_compared_is_said_with_what_to_do() -> None:
    model, port = PORTS["mlp"].both()
    x = PORTS["mlp"].inputs(np.random.default_rng(0))
    nan = np.full_like(x, np.nan)
    nn = torch.nn
    said = {
        "give a torch.nn.Module, a keras.Model": lambda: parity.compare(np.tanh, port, x),
        "is not built: call it once": lambda: parity.compare(model, keras.Sequential([keras.layers.Dense(3)]), x),
        "holds NaN or an infinity, from which": lambda: parity.compare(model, port, nan),
        "only real numbers": lambda: parity.compare(model, port, x.astype(complex)),
        "inputs: give an array": lambda: parity.compare(model, port, {"x": x}),
        "does not run on inputs of shapes [(5, 7)]": lambda: parity.compare(model, port, np.ones((5, 7), np.float32)),
        "no counterpart was found": lambda: parity.compare(nn.Sequential(nn.Linear(6, 3)), port, x),
        "the models are not in one format: 0.weight of the first": lambda: parity.compare(
            PORTS["mlp"].torch().double(), port, x
        ),
        "the first model holds no '0.wait'; it holds 0.weight": lambda: parity.compare(
            model, port, x, weights={"0.wait": "dense/kernel"}
        ),
        "answers differently when it is asked again": lambda: parity.compare(random_model(), port, x),
    }
    for text, make in said.items():
        assert text in unfit(make)


def random_model() -> Any:
    class Random(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return x + torch.rand(())

    return Random()


FILE = """
import keras, numpy as np, torch
torch.manual_seed(0)
keras.utils.clear_session()  # so that names are the same again
first = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.{0}())
second = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="tanh")])
inputs = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
"""


def test_readme_prints_what_the_command_says_of_the_example() -> None:
    printed = re.findall(r"```\n(keras does not.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    keras.utils.clear_session()
    said = CliRunner().invoke(app, ["compare", str(ROOT / "examples" / "port.py")]).output
    assert [without_numbers(text) for text in printed] == [without_numbers(said[said.index("keras does not") :])]


def without_numbers(text: str) -> str:
    """The text without the numbers that depend on the machine's kernels."""
    return re.sub(r"\d+\.?\d*(e[+-]\d+)?", "#", text)


def test_a_file_is_compared_by_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "port.py"
    file.write_text(FILE.format("Tanh"))
    right = CliRunner().invoke(app, ["compare", str(file), "--all"])
    assert right.exit_code == 0, right.output
    assert "keras computes what torch computes" in right.output
    mapping = CliRunner().invoke(app, ["compare", str(file), "--print-weights"]).stdout
    assert "0.weight" in mapping
    (tmp_path / "weights.json").write_text(mapping)
    file.write_text(FILE.format("Sigmoid"))
    wrong = CliRunner().invoke(app, ["compare", str(file), "--weights", str(tmp_path / "weights.json")])
    assert wrong.exit_code == 1
    assert "Mend: activation='sigmoid'" in wrong.output
    file.write_text("first = 1")
    unnamed = CliRunner().invoke(app, ["compare", str(file)])
    assert unnamed.exit_code == 3
    assert "defines no second, no inputs" in unnamed.output
