"""Models in formats of 16 bits, under autocast or a policy: right ones are within their rounding, wrong ones not."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from old_releases import needs_float16_in_layer_norm

import parity
from numpynet import Array
from parity.comparison.formats import NARROW, Arithmetic
from parity.comparison.model import Unfit
from parity.comparison.narrowing import SLACK_NARROW
from parity.comparison.records import record_of
from parity.frameworks import available
from parity.frameworks.lazy import keras, torch
from parity.ladder.trace import GRADIENT

pytestmark = pytest.mark.skipif(len(available()) < 2, reason="the models are written in torch and in Keras")
FORMATS = [
    pytest.param(form, marks=[needs_float16_in_layer_norm] if form == "float16" else [], id=form) for form in NARROW
]
every_format = pytest.mark.parametrize("form", FORMATS)
WIDTH = 12


def vectors() -> Array:
    return np.random.default_rng(0).standard_normal((6, WIDTH)).astype(np.float32)


def in_torch(eps: float = 1e-5, activation: str = "GELU", factor: float = 1.0) -> Any:
    """A network with the same weights each time; `factor` is what the output of its activation is multiplied by."""
    nn = torch.nn
    torch.manual_seed(0)

    class Scale(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return x * factor

    first, last = nn.Linear(WIDTH, 16), nn.Linear(16, 5)
    return nn.Sequential(first, nn.LayerNorm(16, eps=eps), getattr(nn, activation)(), Scale(), last)


def in_keras(dtype: str, eps: float = 1e-5, activation: str = "gelu") -> Any:
    layers = keras.layers
    x = keras.Input((WIDTH,), dtype="float32" if "mixed" in dtype else dtype)
    y = layers.LayerNormalization(epsilon=eps, dtype=dtype)(layers.Dense(16, dtype=dtype)(x))
    return keras.Model(x, layers.Dense(5, dtype=dtype)(layers.Activation(activation, dtype=dtype)(y)))


def under_autocast(model: Any, form: str) -> Any:
    class Autocast(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: Any) -> Any:
            with torch.autocast("cpu", dtype=getattr(torch, form)):
                return self.model(x)

    return Autocast()


def whole(form: str, **changes: Any) -> Any:
    return in_torch(**changes).to(getattr(torch, form))


def cast(form: str, **changes: Any) -> Any:
    return under_autocast(in_torch(**changes), form)


WAYS: dict[str, Callable[..., Any]] = {"whole": whole, "autocast": cast}
every_way = pytest.mark.parametrize("way", WAYS)
each_way_with_a_format = pytest.mark.parametrize(
    ("form", "way"),
    [
        pytest.param(*form.values, way, marks=form.marks, id=f"{form.id}-{way}")
        for form, way in zip(FORMATS, WAYS, strict=True)
    ],
)


@every_format
@every_way
def test_a_right_one_is_within_what_rounding_to_its_format_allows(form: str, way: str) -> None:
    found = parity.compare(WAYS[way](form), WAYS[way](form), vectors())
    assert found.passed, str(found)
    assert 1e-3 < found.itself <= 1  # by allowances of the format: those of float32 would not do
    assert set(found.judged) == {"evaluation", "training"}


@each_way_with_a_format
@pytest.mark.parametrize(
    ("change", "layer"), [({"eps": 0.1}, "1"), ({"activation": "ReLU"}, "2"), ({"factor": 1.05}, "3")]
)
def test_a_mistake_is_seen_and_its_layer_named(form: str, way: str, change: dict[str, Any], layer: str) -> None:
    found = parity.compare(WAYS[way](form), WAYS[way](form, **change), vectors())
    assert [fault.layer.removeprefix("model.") for fault in found.faults] == [layer], str(found)


@every_format
def test_one_rounding_of_the_format_is_no_mistake(form: str) -> None:
    factor = 1 + 2 * NARROW[form].unit  # the next number
    assert parity.compare(whole(form), whole(form, factor=factor), vectors()).passed


@every_format
def test_a_model_in_float32_is_the_reference_of_what_it_is_under_autocast(form: str) -> None:
    found = parity.compare(in_torch(), cast(form), vectors())
    assert found.passed, str(found)
    assert found.itself < 0.1  # of an allowance of 16 bits


def test_what_autocast_leaves_in_float32_is_judged_in_float32() -> None:
    def normalised(eps: float) -> Any:
        nn = torch.nn
        torch.manual_seed(0)
        return under_autocast(nn.Sequential(nn.LayerNorm(WIDTH, eps=eps), nn.Linear(WIDTH, 3)), "bfloat16")

    found = parity.compare(normalised(1e-5), normalised(1e-4), vectors())
    (mode,) = {tensors[0].name: tensors[0] for tensors in found.judged.values()}.values()
    assert mode.name == "output of model.0"
    assert mode.share > 1  # a tenth of a rounding of bfloat16


@pytest.mark.parametrize("policy", [*FORMATS, "mixed_float16", "mixed_bfloat16"])
def test_a_port_to_keras_is_judged_by_its_policy(policy: str) -> None:
    model = in_torch() if "mixed" in policy else whole(policy)
    found = parity.compare(model, in_keras(policy), vectors())
    assert found.passed, str(found)
    wrong = parity.compare(model, in_keras(policy, eps=0.1), vectors())
    assert wrong.fault is not None, str(wrong)
    assert wrong.fault.cause is not None
    assert (wrong.fault.title, wrong.fault.cause.mend) == ("LayerNormalization", "epsilon=1e-05")


def test_what_cannot_be_judged_is_said() -> None:
    with pytest.raises(Unfit, match=r"not in one format: 0\.weight of the first model is bfloat16, .* float16"):
        parity.compare(whole("bfloat16"), whole("float16"), vectors())
    with pytest.raises(Unfit, match=r"not in one format: .* is float64, .* float16"):
        parity.compare(in_torch().double(), whole("float16"), vectors())


@needs_float16_in_layer_norm
def test_updates_are_judged_in_the_format_of_the_parameters_and_losses_are_not() -> None:
    def descent(parameters: Any) -> Any:
        return torch.optim.SGD(parameters, 0.5, momentum=0.9)

    more: dict[str, Any] = {
        "batches": [(vectors(), vectors()[:, :5])],
        "loss": (torch.nn.MSELoss(), torch.nn.MSELoss()),
    }
    for model, form in ((whole("float16"), "float16"), (cast("float16"), "float32")):
        found = parity.compare(model, model, vectors(), optimizers=(descent, descent), **more)
        assert found.passed, str(found)
        assert found.updates is not None
        assert found.updates.form == form
        assert found.curves is None
        assert "curves were not looked at: how far rounding to float16 parts two trainings is not known" in str(found)
        assert ("loss scaling is not judged" in str(found)) is (form == "float16")
    port = in_keras("mixed_float16")
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5, momentum=0.9))
    judged = parity.compare(in_torch(), port, vectors(), optimizers=(descent, scaled)).updates
    assert judged is not None
    assert (judged.passed, judged.form) == (True, "float32")


@needs_float16_in_layer_norm
def test_what_goes_beyond_the_largest_number_is_said() -> None:
    def beyond() -> Any:
        nn = torch.nn
        torch.manual_seed(0)
        scaled = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 8), nn.Tanh(), nn.Linear(8, 3))
        scaled[1].weight.data *= 1e5
        return scaled.half()

    found = parity.compare(beyond(), beyond(), 2 * vectors())
    assert any("1 goes beyond 65504, the largest number of float16" in note for note in found.notes), str(found)


@each_way_with_a_format
def test_a_recording_is_judged_as_the_model_that_was_recorded(form: str, way: str, tmp_path: Path) -> None:
    file, inputs = tmp_path / "half.parity", Arithmetic(np.dtype(np.float32), NARROW[form]).of(vectors())
    parity.record(WAYS[way](form), inputs, file, beside="torch")
    wrong = {"eps": 0.1}
    for changes in ({}, wrong):
        live = parity.compare(WAYS[way](form), WAYS[way](form, **changes), inputs)
        played = parity.compare(file, WAYS[way](form, **changes))
        assert [fault.layer for fault in played.faults] == [fault.layer for fault in live.faults], str(played)
        shares = [[each.share for tensors in found.judged.values() for each in tensors] for found in (played, live)]
        inside = [pair for pair in zip(*shares, strict=True) if max(pair) <= 1]
        assert [one for one, _ in inside] == pytest.approx([other for _, other in inside], rel=1 / SLACK_NARROW)
        assert played.form == form
    other = next(name for name in NARROW if name != form)
    with pytest.raises(Unfit, match=f"not in one format: .* is {form}, .* {other}"):
        parity.compare(file, whole(other))


@every_format
def test_a_plain_reader_finds_the_numbers_of_a_recording_of_16_bits(form: str, tmp_path: Path) -> None:
    model = torch.nn.Linear(WIDTH, 2).to(getattr(torch, form))
    parity.record(model, vectors(), tmp_path / "half.parity", beside="torch")
    with np.load(tmp_path / "half.parity") as arrays:
        weight = arrays["weights/Linear/weight"]
    assert weight.dtype == np.float32
    np.testing.assert_array_equal(weight, model.weight.detach().float().numpy())


def test_a_recording_tells_what_leaves_the_range_and_what_format_it_is_of(tmp_path: Path) -> None:
    parity.record(under_autocast(steep(), "float16"), vectors(), tmp_path / "half.parity", beside="torch")
    found = parity.compare(tmp_path / "half.parity", under_autocast(steep(), "float16"))
    assert found.passed, str(found)
    assert found.beyond
    parity.record(in_torch(), vectors(), tmp_path / "single.parity", beside="torch")
    for other in (whole("bfloat16"), cast("bfloat16")):
        with pytest.raises(Unfit, match=r"was recorded in float32, .* the second model computes in bfloat16"):
            parity.compare(tmp_path / "single.parity", other)


@every_format
def test_a_model_in_float32_is_judged_beside_its_port_to_16_bits(form: str) -> None:
    def normed(eps: float = 1e-5) -> Any:
        nn = torch.nn
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(WIDTH, 8), nn.BatchNorm1d(8, eps=eps), nn.GELU(), nn.Linear(8, 3))

    for pair in ((normed(), normed().to(getattr(torch, form))), (normed().to(getattr(torch, form)), normed())):
        found = parity.compare(*pair, vectors())
        assert found.passed, str(found)
        assert found.form == form
        assert not found.beyond
    wrong = parity.compare(normed(), normed(0.1).to(getattr(torch, form)), vectors())
    assert [fault.layer for fault in wrong.faults] == ["1"], str(wrong)
    port = parity.compare(in_torch(), in_keras(form), vectors())
    assert port.passed, str(port)


def steep(factor: float = 2.0**-8) -> Any:
    """A network whose gradients are as large as 1e5 behind its last layer, and nothing else in it is."""
    nn = torch.nn
    scale = in_torch(factor=factor)[3]
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(WIDTH, 16), scale, nn.Linear(16, 5))
    model[2].weight.data *= 2.0**18
    return model


def test_gradients_that_leave_the_range_in_one_alone_are_not_judged() -> None:
    found = parity.compare(steep(), under_autocast(steep(), "float16"), vectors())
    assert found.passed, str(found)
    assert {tensor.name for _, tensor in found.beyond} >= {"output gradient of 1", "parameter gradient of 0.weight"}
    assert all(tensor.key.rung == GRADIENT and not tensor.held for _, tensor in found.beyond)
    assert "beyond the range of float16: not judged, in whole or part: " in str(found)
    counted = re.search(r"(\d+) of (\d+) tensors in evaluation and training mode are within", str(found))
    assert counted is not None
    assert int(counted[1]) == int(counted[2]) - len(found.beyond)
    record = record_of(found, "steep")
    assert [tensor.passed for tensor in record.tensors].count(None) == len(found.beyond)
    wider = parity.compare(steep(), under_autocast(steep(), "bfloat16"), vectors())
    assert wider.passed, str(wider)
    assert not wider.beyond


def test_where_all_outputs_leave_the_range_nothing_is_told() -> None:
    large = torch.nn.Linear(3, 3)
    large.weight.data.fill_(1e5)
    with pytest.raises(Unfit, match="all outputs go beyond the range of float16, and nothing can be told"):
        parity.compare(large, under_autocast(large, "float16"), np.ones((2, 3), np.float32))


def test_a_mistake_beside_what_leaves_the_range_is_seen() -> None:
    found = parity.compare(steep(), under_autocast(steep(1.05 * 2.0**-8), "float16"), vectors())
    assert [fault.layer for fault in found.faults] == ["model.1"], str(found)


@needs_float16_in_layer_norm
@every_way
def test_what_is_no_number_inside_of_the_range_is_a_mistake(way: str) -> None:
    class Below(torch.nn.Module):
        def __init__(self, limit: float) -> None:
            super().__init__()
            self.limit = limit

        def forward(self, x: Any) -> Any:
            return torch.where(x < self.limit, x, torch.nan)

    def model(limit: float) -> Any:
        made = in_torch()
        made[3] = Below(limit)
        return under_autocast(made, "float16") if way == "autocast" else made.half()

    found = parity.compare(model(np.inf), model(1.0), vectors())
    assert [fault.layer.removeprefix("model.") for fault in found.faults] == ["3"], str(found)
    assert not found.beyond


@every_format
def test_numbers_are_rounded_as_torch_rounds_them(form: str) -> None:
    rng = np.random.default_rng(0)
    spread = rng.standard_normal(4000) * 2.0 ** rng.uniform(-30, 20, 4000)  # with subnormal numbers and overflows
    values = np.concatenate([spread, [0.0, 65504.0, 65519.0, 65520.0, 1 + NARROW[form].unit]]).astype(np.float32)
    expected = torch.from_numpy(values).to(getattr(torch, form)).float().numpy()
    np.testing.assert_array_equal(Arithmetic(np.dtype(np.float32), NARROW[form]).of(values), expected)
