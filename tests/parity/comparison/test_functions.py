"""Functions that a torch model calls outside of layers are compared, and told, as the layers that they stand for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from old_releases import needs_hooks_after_compiling

import parity
from numpynet import Array
from parity.comparison.layers.torch_functions import FUNCTIONS, called, layer_for, watching
from parity.comparison.model import Unfit
from parity.discovery import Lazy
from parity.frameworks import available
from parity.frameworks.lazy import keras, torch

pytestmark = pytest.mark.skipif(len(available()) < 2, reason="the models are written in torch and in Keras")
nn: Any = Lazy("torch.nn")
functional: Any = Lazy("torch.nn.functional")
Make = Callable[[], Any]


def drawn(*shape: int) -> Array:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def images() -> Array:
    return drawn(4, 3, 8, 8)


def in_torch() -> Any:
    """A network whose activations and poolings are functions."""
    torch.manual_seed(0)

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
            self.hidden, self.last = nn.Linear(8 * 4 * 4, 16), nn.Linear(16, 5)

        def forward(self, x: Any) -> Any:
            x = functional.max_pool2d(functional.relu(self.first(x)), 2)
            x = functional.avg_pool2d(functional.leaky_relu(self.second(x)), 3, 1, 1)
            x = functional.dropout(functional.gelu(self.hidden(torch.flatten(x, 1))), 0.25, self.training)
            return self.last(x).softmax(dim=1)

    return Net()


def in_keras(
    pool: str = "max", slope: float = 0.01, padded: bool = True, exact: bool = True, rate: float = 0.25
) -> Any:
    layers = keras.layers
    x = inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(2)(x) if pool == "max" else layers.AveragePooling2D(2)(x)
    x = layers.LeakyReLU(negative_slope=slope)(layers.Conv2D(8, 3, padding="same")(x))
    if padded:
        x = layers.AveragePooling2D(3, 1)(layers.ZeroPadding2D(1)(x))
    else:
        x = layers.AveragePooling2D(3, 1, padding="same")(x)
    x = layers.Dense(16)(layers.Flatten()(layers.Permute((3, 1, 2))(x)))
    x = layers.Activation("gelu" if exact else lambda x: keras.activations.gelu(x, approximate=True))(x)
    return keras.Model(inputs, layers.Dense(5, activation="softmax")(layers.Dropout(rate)(x)))


def test_a_right_port_is_within_and_every_function_is_compared_alone() -> None:
    found = parity.compare(in_torch(), in_keras(), images())
    assert found.passed, str(found)
    assert set(found.judged) == {"evaluation", "training"}  # what drops is a layer, too
    called = {call for beside in found.layers for call in beside.called.split(" and ")}
    functions = {"relu()", "max_pool2d()", "leaky_relu()", "avg_pool2d()", "gelu()", "dropout()", "softmax()"}
    assert {call for call in called if "()" in call} == functions
    assert not found.alone


@pytest.mark.parametrize(
    ("changes", "beside", "mend"),
    [
        ({"pool": "average"}, "max_pool2d()", "pool_mode='max'"),
        ({"slope": 0.3}, "leaky_relu()", "negative_slope=0.01"),
        ({"padded": False}, "avg_pool2d()", "padding='valid' behind keras.layers.ZeroPadding2D((1, 1))"),
        ({"exact": False}, "gelu()", "activation=lambda x: keras.activations.gelu(x, approximate=False)"),
        ({"rate": 0.5}, "dropout()", "rate=0.25"),
    ],
)
def test_the_layer_beside_a_function_is_named_with_what_mends_it(
    changes: dict[str, Any], beside: str, mend: str, tmp_path: Path
) -> None:
    parity.record(in_torch(), images(), tmp_path / "net.parity", beside="keras")
    for reference, inputs in ((in_torch(), images()), (tmp_path / "net.parity", None)):
        (fault,) = parity.compare(reference, in_keras(**changes), inputs).faults
        assert (fault.beside, fault.cause and fault.cause.mend) == (beside, mend)


def decoder_in_torch() -> Any:
    """A network that pads its images and makes them larger by functions."""
    torch.manual_seed(0)

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Conv2d(3, 6, 3, stride=2), nn.Conv2d(6, 4, 3)

        def forward(self, x: Any) -> Any:
            x = torch.relu(self.first(functional.pad(x, (0, 1, 0, 1))))
            return self.last(functional.interpolate(x, scale_factor=2, mode="nearest"))

    return Net()


def decoder_in_keras(padding: Any = ((0, 1), (0, 1)), interpolation: str = "nearest") -> Any:
    layers = keras.layers
    x = inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(6, 3, strides=2, activation="relu")(layers.ZeroPadding2D(padding)(x))
    return keras.Model(inputs, layers.Conv2D(4, 3)(layers.UpSampling2D(2, interpolation=interpolation)(x)))


def test_functions_that_pad_and_make_larger_are_compared_alone() -> None:
    found = parity.compare(decoder_in_torch(), decoder_in_keras(), images())
    assert found.passed, str(found)
    called = {call for beside in found.layers for call in beside.called.split(" and ")}
    assert {call for call in called if "()" in call} == {"pad()", "relu()", "interpolate()"}
    assert not found.alone


@pytest.mark.parametrize(
    ("changes", "beside", "mend"),
    [
        ({"padding": ((1, 0), (1, 0))}, "pad()", "padding=((0, 1), (0, 1))"),
        ({"interpolation": "bilinear"}, "interpolate()", "interpolation='nearest'"),
    ],
)
def test_the_layer_beside_a_function_that_pads_or_makes_larger_is_named(
    changes: dict[str, Any], beside: str, mend: str
) -> None:
    (fault,) = parity.compare(decoder_in_torch(), decoder_in_keras(**changes), images()).faults
    assert (fault.beside, fault.cause and fault.cause.mend) == (beside, mend)


@pytest.mark.parametrize(
    "between",
    [
        lambda x: functional.pad(x, (1, 1), value=1.0)[..., 1:-1],
        lambda x: functional.pad(x[:, None], (1, 1), mode="replicate")[:, 0, 1:-1],
        lambda x: functional.pad(x, (0, 0, 0, 1))[:-1],
    ],
)
def test_padding_that_no_layer_can_do_or_that_is_cut_off_again_leaves_a_right_port_right(
    between: Callable[[Any], Any],
) -> None:
    found = parity.compare(dense(between), dense_in_keras("linear", True, 1e-5), drawn(5, 6))
    assert found.passed, str(found)


def dense(between: Callable[[Any], Any], eps: float = 1e-5) -> Any:
    torch.manual_seed(0)

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.norm, self.last = nn.Linear(6, 8), nn.LayerNorm(8, eps=eps), nn.Linear(8, 3)

        def forward(self, x: Any) -> Any:
            return self.last(between(self.norm(self.first(x))))

    return Net()


def dense_in_keras(activation: str, apart: bool, eps: float) -> Any:
    layers = keras.layers
    x = inputs = keras.Input((6,))
    x = layers.LayerNormalization(epsilon=eps)(layers.Dense(8)(x))
    x = layers.Activation(activation)(x) if apart else WRITTEN_OUT_IN_KERAS[activation](x)
    return keras.Model(inputs, layers.Dense(3)(x))


WRITTEN_OUT: dict[str, Callable[[Any], Any]] = {
    "silu": lambda x: x * torch.sigmoid(x),
    "mish": lambda x: x * torch.tanh(functional.softplus(x)),
    "hard_silu": lambda x: x * functional.relu6(x + 3) / 6,
}
WRITTEN_OUT_IN_KERAS: dict[str, Callable[[Any], Any]] = {
    "silu": lambda x: x * keras.ops.sigmoid(x),
    "mish": lambda x: x * keras.ops.tanh(keras.ops.softplus(x)),
    "hard_silu": lambda x: x * keras.ops.relu6(x + 3) / 6,
}


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("activation", WRITTEN_OUT)
def test_a_function_that_is_a_part_of_an_activation_accuses_nobody(activation: str, apart: bool) -> None:
    model = dense(WRITTEN_OUT[activation])
    right = parity.compare(model, dense_in_keras(activation, apart, 1e-5), drawn(4, 6))
    assert right.passed, str(right)
    wrong = parity.compare(model, dense_in_keras(activation, apart, 1e-2), drawn(4, 6))
    assert [fault.title for fault in wrong.faults] == ["LayerNormalization"], str(wrong)


SAME: dict[str, tuple[Callable[[Any], Any], Make]] = {
    "a function": (lambda x: functional.elu(x, 0.5), lambda: nn.ELU(0.5)),
    "in torch itself": (lambda x: torch.relu(x), lambda: nn.ReLU()),
    "with a setting": (lambda x: functional.gelu(x, approximate="tanh"), lambda: nn.GELU("tanh")),
    "a method": (lambda x: x.tanh(), lambda: nn.Tanh()),
    "in place": (lambda x: functional.relu_(x), lambda: nn.ReLU()),
    "by its arguments' names": (lambda x: functional.softplus(input=x, beta=2), lambda: nn.Softplus(2)),
    "along an axis": (lambda x: torch.log_softmax(x, -1), lambda: nn.LogSoftmax(-1)),
}


@pytest.mark.parametrize("name", SAME)
def test_functions_and_layers_compute_the_same_either_way_round(name: str) -> None:
    function, layer = SAME[name]
    for pair in ((dense(function), dense(layer())), (dense(layer()), dense(function))):
        found = parity.compare(*pair, drawn(4, 6))
        assert found.passed, str(found)
    wrong = parity.compare(dense(function, eps=1e-2), dense(layer()), drawn(4, 6))
    assert [fault.layer for fault in wrong.faults] == ["norm"], str(wrong)


def test_the_second_call_in_a_place_is_another_layer_and_a_wrong_one_is_named() -> None:
    def twice(slope: float) -> Any:
        return dense(lambda x: functional.leaky_relu(functional.leaky_relu(x, 0.5) - 0.1, slope))

    (fault,) = parity.compare(twice(0.25), twice(0.2), drawn(4, 6)).faults
    assert (fault.layer, fault.cause and fault.cause.mend) == ("leaky_relu() 2", "negative_slope=0.25")


def test_what_drops_whatever_the_mode_is_still_no_model_that_can_be_compared() -> None:
    with pytest.raises(Unfit, match="answers differently when it is asked again"):
        parity.compare(dense(functional.dropout), dense(functional.dropout), drawn(4, 6))


def test_functions_that_a_hook_calls_before_the_model_does_are_its_own() -> None:
    model = dense(functional.relu)
    model.register_forward_pre_hook(lambda module, inputs: (torch.tanh(inputs[0]),))
    found = parity.compare(model, torch.nn.Sequential(nn.Tanh(), *dense(nn.ReLU()).children()), drawn(4, 6))
    assert "tanh()" in {beside.called for beside in found.layers}


@needs_hooks_after_compiling
def test_a_compiled_model_is_compared_without_its_functions() -> None:
    model = dense(functional.relu)
    found = parity.compare(model, torch.compile(dense(functional.relu), backend="eager"), drawn(4, 6))
    assert found.passed, str(found)


ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "leaky_relu": (0.3,),
    "elu": (0.5,),
    "softplus": (2.0, 5.0),
    "softmax": (-1,),
    "log_softmax": (-1,),
    "dropout": (0.0,),
    "interpolate": (None, 2),
    "pad": ((1, 2),),
    **{f"{kind}_pool{axes}d": (2, 1, 1) for kind in ("max", "avg") for axes in "123"},
    **{f"adaptive_{kind}_pool{axes}d": (2,) for kind in ("max", "avg") for axes in "123"},
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_layer_that_stands_for_a_function_computes_what_it_does(name: str) -> None:
    axes = int(name[-2]) if name[-2:] in ("1d", "2d", "3d") else 1
    x = torch.from_numpy(drawn(2, 3, *[6] * axes))
    seen: list[str] = []

    def instead(called: str, arguments: Any, input: Any) -> Any:
        seen.append(called)
        arguments.pop("training", None)
        return layer_for(called, arguments)(input)

    function = getattr(functional, name)
    expected = function(x, *ARGUMENTS.get(name, ()))
    with watching(instead):
        computed = function(x, *ARGUMENTS.get(name, ()))
    assert seen == [name]
    assert torch.equal(computed, expected)


def test_a_call_that_no_layer_can_stand_for_stays_one() -> None:
    x = torch.ones(2, 3, 4)
    assert called(functional.softmax, (x,), {"dim": 1, "_stacklevel": 3, "dtype": torch.float64}) is None
    assert called(torch.max_pool1d, (x, 2), {"return_indices": True}) is None
    assert called(torch.add, (x, x), {}) is None
    assert called(functional.relu, (), {"input": x}) is None
    assert called(functional.relu, (x,), {}) == ("relu", {})
    assert called(torch.relu_, (x,), {}) == ("relu", {"inplace": True})


@pytest.mark.parametrize("name", ["pad", "max_pool1d", "adaptive_avg_pool2d", "interpolate"])
def test_of_a_call_without_what_it_needs_torch_says_so(name: str) -> None:
    function, x = getattr(functional, name), torch.ones(2, 3, 4)
    with pytest.raises((TypeError, ValueError)) as alone:
        function(x)
    instead = watching(lambda called, arguments, input: layer_for(called, arguments)(input))
    with instead, pytest.raises(alone.type) as watched:
        function(x)
    assert str(watched.value) == str(alone.value)


@pytest.mark.parametrize("functions", [True, False])
@pytest.mark.parametrize("slope", [0.0, 0.25])
def test_branches_that_one_model_computes_side_by_side_are_not_mixed_up(slope: float, functions: bool) -> None:
    torch.manual_seed(0)

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.last = nn.Linear(6, 8), nn.Linear(6, 8), nn.Linear(16, 3)
            self.one, self.other = nn.ReLU(), nn.ReLU()

        def forward(self, x: Any) -> Any:
            one, other = (functional.relu, functional.relu) if functions else (self.one, self.other)
            return self.last(torch.cat([one(self.first(x)), other(self.second(x))], 1))

    layers = keras.layers

    class Port(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.last = layers.Dense(8), layers.Dense(8), layers.Dense(3)
            self.one = layers.ReLU()
            self.other = layers.LeakyReLU(negative_slope=slope) if slope else layers.ReLU()

        def call(self, x: Any) -> Any:
            first, second = self.first(x), self.second(x)
            first, second = self.one(first), self.other(second)
            return self.last(keras.ops.concatenate([first, second], 1))

    port = Port()
    port(drawn(4, 6))
    found = parity.compare(Net(), port, drawn(4, 6))
    assert found.passed is (slope == 0), str(found)
    # What is concatenated goes into no layer as it is, so that the function may be a part of what is written out.
    assert [fault.beside for fault in found.faults] == (["other"] if slope and not functions else [])
