"""Random inputs of declared shapes and ranges: those on which two models differ are found, shrunk, and written down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import numpynet as nn
import parity
from numpynet import Array
from parity import inputs
from parity.cli import app
from parity.comparison.randomly import taken_for
from parity.frameworks import available
from parity.frameworks.lazy import keras, torch
from parity.inputs import Floats, Inputs, Integers, Size, Truths, largest

RNG = np.random.default_rng(0)
N, H, W = Size(1, 5), Size(2, 7), Size(2, 7)
both = pytest.mark.skipif(len(available()) < 2, reason="the models are written in torch and in Keras")
of_torch = pytest.mark.skipif("torch" not in available(), reason="the models are written in torch")


def linear(seed: int = 0, after: Any = None) -> nn.Module:
    return nn.Sequential(nn.Linear(6, 4, rng=np.random.default_rng(seed)), after or nn.ReLU())


def written(found: parity.Comparison) -> list[Array]:
    """The arrays that the code makes which is told."""
    assert found.random is not None
    made: list[Array] = eval(found.random.written, vars(inputs))
    assert all(np.array_equal(*pair) for pair in zip(made, found.random.inputs, strict=True))
    return made


@both
def test_a_right_port_computes_the_same_of_all_of_them() -> None:
    torch.manual_seed(0)
    own, layers = torch.nn, keras.layers
    model = own.Sequential(
        own.Conv2d(3, 4, 3, padding=1), own.BatchNorm2d(4), own.ReLU(), own.AdaptiveAvgPool2d(1), own.Flatten()
    )
    port = keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(4, 3, padding="same")])
    port.add(layers.BatchNormalization(epsilon=1e-5, momentum=0.9))
    port.add(layers.ReLU())
    port.add(layers.GlobalAveragePooling2D())
    found = parity.compare(model, port, draws=Floats(N, 3, H, W), examples=6)
    assert found.passed, str(found)
    assert found.random is not None
    assert (found.random.examples, found.random.failed) == (6, None)
    assert 0 < found.random.share <= 1
    assert "On 6 random inputs the largest share is" in str(found)


@of_torch
def test_what_differs_at_odd_sizes_alone_is_found_shrunk_and_its_setting_named() -> None:
    def model(ceil: bool) -> Any:
        return torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3, padding=1), torch.nn.MaxPool2d(2, ceil_mode=ceil))

    given = RNG.standard_normal((2, 3, 4, 8)).astype(np.float32)
    assert parity.compare(model(True), model(False), given).passed
    found = parity.compare(model(True), model(False), given, draws=Floats(1, 3, 4, W))
    assert not found.passed
    assert found.random is not None
    assert found.random.failed is not None
    (array,) = written(found)
    assert array.shape == (1, 3, 4, 3)  # of odd widths the least that both take
    assert "not of the same shapes" in found.random.refused
    assert str(found).startswith("On random inputs the two do not compute the same: the models' outputs are not of")
    with pytest.raises(parity.ParityError) as raised:
        found.check()
    assert raised.value.rung == 1


def test_what_differs_in_a_part_of_the_range_alone_is_found_with_its_layer() -> None:
    given = np.full((2, 6), 0.25, np.float32)
    clipped, wrong = linear(after=nn.HardSigmoid()), linear(after=Straight())
    assert parity.compare(clipped, wrong, given).passed
    found = parity.compare(clipped, wrong, given, draws=Floats(N, 6, low=-32, high=32))
    assert not found.passed
    assert [fault.title for fault in found.faults] == ["Straight"]
    (array,) = written(found)
    assert array.shape == (1, 6)
    assert "That is on random inputs, example" in str(found)
    assert not parity.compare(clipped, wrong, array).passed  # which is the script


def test_an_activation_too_many_is_named_though_the_first_inputs_do_not_show_it() -> None:
    def positive(*after: nn.Module) -> nn.Module:
        layer = nn.Linear(6, 4, bias=False, rng=np.random.default_rng(0))
        layer.weight.value[...] = np.abs(layer.weight.value)
        return nn.Sequential(layer, *after, nn.Linear(4, 3, rng=np.random.default_rng(1)))

    given = np.ones((2, 6), np.float32)
    assert parity.compare(positive(), positive(nn.ReLU()), given).passed
    found = parity.compare(positive(), positive(nn.ReLU()), given, draws=Floats(N, 6))
    assert not found.passed
    assert [fault.title for fault in found.faults] == ["ReLU"]


class Straight(nn.HardSigmoid):
    """A hard sigmoid that is not clipped."""

    def forward(self, input: Array) -> Array:
        return self.remember((input + 3) / 6, input + 3)

    def backward(self, grad_output: Array) -> Array:
        self.recall(grad_output)
        return grad_output / 6


class Picky(nn.ReLU):
    """A layer that takes no odd number of rows."""

    def forward(self, input: Array) -> Array:
        if len(input) % 2:
            raise ValueError("an even number of rows is taken")
        return super().forward(input)


def test_inputs_that_the_first_refuses_are_counted_and_those_that_the_second_refuses_are_a_difference() -> None:
    given, draws = np.ones((2, 6), np.float32), Floats(N, 6)
    found = parity.compare(linear(after=Picky()), linear(), given, draws=draws)
    assert found.passed
    assert found.random is not None
    assert 0 < found.random.examples < 20
    assert found.random.examples + found.random.rejected == 20
    assert "random inputs were none that the first model takes: the first model does not run on inputs" in str(found)
    found = parity.compare(linear(), linear(after=Picky()), given, draws=draws)
    assert not found.passed
    assert [array.shape for array in written(found)] == [(1, 6)]
    assert "the second model does not run on inputs of shapes [(1, 6)]: ValueError: an even number" in str(found)


def test_a_size_is_the_same_wherever_it_stands() -> None:
    draws = [Floats(N, H, 2), Integers(N, low=1, high=H), Truths(N, H)]
    for sizes in ({N: 3, H: 4}, {N: 1, H: 2}):
        tokens, lengths, mask = (each.with_sizes(sizes).of("uniform", 0) for each in draws)
        assert (tokens.shape, lengths.shape, mask.shape) == ((sizes[N], sizes[H], 2), (sizes[N],), (sizes[N], sizes[H]))
        assert [array.dtype.name for array in (tokens, lengths, mask)] == ["float32", "int64", "bool"]
    (highest,) = largest(draws[1:2]).arrays
    assert highest.shape == (5,)
    assert draws[1].with_sizes({N: 3, H: 4}).of("highest", 0).tolist() == [4, 4, 4]


@pytest.mark.parametrize("of", [Floats(50, 40, low=-1, high=3), Integers(50, 40, low=-2, high=5), Truths(50, 40)])
def test_every_kind_stays_in_the_range_and_is_another(of: Inputs) -> None:
    made = {kind: of.of(kind, 1) for kind in of.kinds}
    low, high = getattr(of, "low", False), getattr(of, "high", True)
    assert all(low <= array.min() <= array.max() <= high for array in made.values())
    assert len({array.tobytes() for array in made.values()}) == len(made)
    assert np.array_equal(made["uniform"], eval(repr(of), vars(inputs)).of("uniform", 1))
    assert not np.array_equal(made["uniform"], of.of("uniform", 2))
    wide = made["uniform"].astype(float)
    assert (wide.min(), wide.max()) == pytest.approx((float(low), float(high)), abs=0.01)


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        (lambda: Size(0, 3), "from 1 on, the smallest first"),
        (lambda: Size(4, 3), "from 1 on, the smallest first"),
        (lambda: Floats(2, low=1, high=-1), "of finite numbers, the smallest first"),
        (lambda: Floats(2, high=np.inf), "of finite numbers"),
        (lambda: Integers(2, low=3, high=2), "of integers, the smallest first"),
        (lambda: taken_for([]), "for each input"),
        (lambda: taken_for((2, 6)), "for each input"),
    ],
)
def test_what_cannot_be_drawn_is_refused(declared: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        declared()


FILE = """import numpy as np
import numpynet as nn
from parity.inputs import Floats, Size

first = nn.Sequential(nn.Linear(6, 4, rng=np.random.default_rng(0)), nn.ReLU())
second = nn.Sequential(nn.Linear(6, 4, rng=np.random.default_rng(1)), nn.ReLU())
draws = [Floats(Size(1, 8), 6)]
"""


def test_a_file_may_declare_them_instead_of_inputs(tmp_path: Path) -> None:
    file = tmp_path / "port.py"
    file.write_text(FILE)
    done = CliRunner().invoke(app, ["compare", str(file), "--examples", "3"])
    assert done.exit_code == 0, done.output
    assert "On 3 random inputs the largest share is" in done.output
    file.write_text(FILE.replace("draws = ", "neither = "))
    done = CliRunner().invoke(app, ["compare", str(file)])
    assert (done.exit_code, "defines no inputs or draws" in done.output) == (3, True)
