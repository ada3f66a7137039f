"""Two optimizers, and two trainings: the same updates and losses; of others the setting and the step are named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import parity
from parity.comparison.formats import NARROW
from parity.comparison.model import Unfit
from parity.comparison.rules import Stepper, stepper
from parity.comparison.updates import Updates, compare_updates
from parity.frameworks import available
from parity.frameworks.lazy import keras, torch

pytestmark = pytest.mark.skipif(len(available()) < 2, reason="the optimizers are torch's and Keras'")
RNG = np.random.default_rng(0)
START = {
    ("0", role): RNG.standard_normal(shape).astype(np.float32) for role, shape in (("weight", (3, 4)), ("bias", (3,)))
}
GRADIENTS = {
    key: np.float32(0.01) * RNG.standard_normal(values.shape).astype(np.float32) for key, values in START.items()
}


def of_torch(name: str, *arguments: Any, form: str = "float32", **more: Any) -> Stepper:
    return stepper(lambda parameters: getattr(torch.optim, name)(parameters, *arguments, **more), "torch", form)


def of_keras(name: str, *arguments: Any, form: str = "float32", **more: Any) -> Stepper:
    return stepper(getattr(keras.optimizers, name)(*arguments, **more), "keras", form)


def both_ways(ours: Stepper, theirs: Stepper) -> tuple[Updates, Updates]:
    return compare_updates(ours, theirs, START, GRADIENTS), compare_updates(theirs, ours, START, GRADIENTS)


RIGHT: list[tuple[str, tuple[Any, ...], dict[str, Any], dict[str, Any]]] = [
    ("SGD", (0.1,), {"momentum": 0.9, "nesterov": True}, {"momentum": 0.9, "nesterov": True}),
    ("Adam", (1e-3,), {"eps": 1e-7, "amsgrad": True}, {"amsgrad": True}),
    ("AdamW", (1e-3,), {"eps": 1e-7, "weight_decay": 0.1}, {"weight_decay": 0.1}),
    (
        "RMSprop",
        (1e-3,),
        {"alpha": 0.9, "eps": 1e-7, "momentum": 0.5, "centered": True},
        {"momentum": 0.5, "centered": True},
    ),
    ("Adagrad", (1e-2,), {"eps": 1e-7, "initial_accumulator_value": 0.1}, {}),
]


@pytest.mark.parametrize(("name", "arguments", "ours", "theirs"), RIGHT)
def test_the_same_rule_makes_the_same_updates_but_for_what_is_known(
    name: str, arguments: Any, ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    for found in both_ways(of_torch(name, *arguments, **ours), of_keras(name, *arguments, **theirs)):
        assert found.passed, found
        assert 0 < found.itself <= 1
        assert {key.quantity for key in found.shares} > {"parameter"}  # the state of the optimizer, too
        assert {key.step for key in found.shares} == {0, 1, 2, 3}
        assert [entry for entry, _ in found.known] in ([], [f"{name.lower().removesuffix('w')}-eps"])


WRONG: list[tuple[str, dict[str, Any], str, dict[str, Any], str]] = [
    ("Adam", {"eps": 1e-8}, "Adam", {}, "epsilon=1e-08"),
    ("Adam", {"eps": 1e-7}, "Adam", {"beta_2": 0.99}, "beta_2=0.999"),
    (
        "SGD",
        {"lr": 0.1, "momentum": 0.9, "nesterov": True},
        "SGD",
        {"learning_rate": 0.1, "momentum": 0.9},
        "nesterov=True",
    ),
    ("SGD", {"lr": 0.1}, "SGD", {"learning_rate": 0.1, "global_clipnorm": 1.0}, "global_clipnorm=None"),
    ("AdamW", {"eps": 1e-7}, "AdamW", {}, "weight_decay=0.01"),
    ("Adam", {"eps": 1e-7, "weight_decay": 0.1}, "Adam", {"weight_decay": 0.1}, "keras.regularizers.L2"),
    ("Adam", {}, "RMSprop", {}, "Adam in both"),
]


@pytest.mark.parametrize(("name", "ours", "other", "theirs", "mend"), WRONG)
def test_of_two_rules_that_differ_the_setting_is_named(
    name: str, ours: dict[str, Any], other: str, theirs: dict[str, Any], mend: str
) -> None:
    found = compare_updates(of_torch(name, **ours), of_keras(other, **theirs), START, GRADIENTS)
    assert not found.passed
    assert len(found.differences) == 1, found
    assert mend in found.differences[0].mend


@pytest.mark.parametrize("form", NARROW)
def test_updates_of_parameters_in_16_bits_are_judged_by_what_rounding_to_them_allows(form: str) -> None:
    ours = of_torch("SGD", 0.1, momentum=0.9, form=form)
    for found in both_ways(ours, of_keras("SGD", 0.1, momentum=0.9, form=form)):
        assert found.passed, found
        assert (found.form, found.beyond) == (form, {})
        assert 0 < found.itself <= 1
    wrong = compare_updates(ours, of_keras("SGD", 0.1, momentum=0.5, form=form), START, GRADIENTS)
    assert [difference.mend for difference in wrong.differences] == ["momentum=0.9"]
    single = compare_updates(of_torch("SGD", 0.1, momentum=0.9), ours, START, GRADIENTS)
    assert single.passed  # by the coarser of two formats


def test_updates_that_leave_the_range_are_not_judged_and_what_keras_rounds_is_told() -> None:
    ours, theirs = (make("Adam", 1e-3, form="float16") for make in (of_torch, of_keras))
    found = compare_updates(ours, theirs, START, GRADIENTS)
    assert found.passed, found
    assert found.beyond
    assert set(found.beyond) <= set(found.shares)
    assert "adam-bias-correction" in [entry for entry, _ in found.known]


def test_what_no_setting_of_the_other_mends_is_told_as_it_is() -> None:
    found = compare_updates(
        of_torch("SGD", 0.1, momentum=0.9, dampening=0.5), of_keras("SGD", 0.1, momentum=0.9), START, GRADIENTS
    )
    assert not found.passed
    assert found.settings == ["dampening: dampening=0.5 there, dampening=0.0 here"]


def models(last: Any = None) -> tuple[Any, Any]:
    torch.manual_seed(0)
    keras.utils.set_random_seed(0)
    own, layers = torch.nn, keras.layers
    port = keras.Sequential([keras.Input((4,)), layers.Dense(8, activation="tanh"), layers.Dense(3, activation=last)])
    return own.Sequential(own.Linear(4, 8), own.Tanh(), own.Linear(8, 3)), port


INPUTS = RNG.standard_normal((8, 4)).astype(np.float32)
BATCHES = [(RNG.standard_normal((8, 4)).astype(np.float32), RNG.integers(0, 3, 8)) for _ in range(6)]


def trained(optimizers: Callable[[], tuple[Any, Any]], from_logits: bool = True, both: Any = None) -> parity.Comparison:
    losses = torch.nn.CrossEntropyLoss(), keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
    model, port = both or models()
    return parity.compare(model, port, INPUTS, optimizers=optimizers(), batches=BATCHES, loss=losses)


def sgd() -> tuple[Any, Any]:
    return lambda parameters: torch.optim.SGD(parameters, 0.1, momentum=0.9), keras.optimizers.SGD(0.1, momentum=0.9)


def test_the_same_training_makes_the_same_losses_and_leaves_the_models_as_they_are() -> None:
    model, port = models()
    before = {name: held.clone() for name, held in model.state_dict().items()}
    found = trained(sgd, both=(model, port))
    assert found.passed, str(found)
    assert all(torch.equal(held, before[name]) for name, held in model.state_dict().items())
    copied = [before[name].numpy() for name in ("0.weight", "0.bias", "2.weight", "2.bias")]
    assert all(np.array_equal(*pair) for pair in zip((w.T for w in port.get_weights()), copied, strict=True))
    assert found.curves is not None
    assert len(found.curves.shares) == len(BATCHES) == found.curves.steps
    assert found.curves.reference[-1] != found.curves.reference[0]
    assert "The losses agree for 6 steps" in str(found)
    assert "along the same gradients" in str(found)


def dropping() -> tuple[Any, Any]:
    model, port = models()
    model.insert(2, torch.nn.Dropout(0.25))
    layers = [*port.layers[:1], keras.layers.Dropout(0.25), *port.layers[1:]]
    return model, keras.Sequential([keras.Input((4,)), *layers])


def test_models_that_drop_at_random_are_trained_with_the_same_masks() -> None:
    found = trained(sgd, both=dropping())
    assert found.passed, str(found)
    assert found.curves is not None
    assert found.curves.steps == len(BATCHES)
    plain = trained(sgd).curves
    assert plain is not None
    assert found.curves.reference != plain.reference
    wrong = trained(lambda: (sgd()[0], keras.optimizers.SGD(0.1, momentum=0.8)), both=dropping())
    assert wrong.curves is not None
    assert wrong.curves.parted == 2


def test_where_training_mode_cannot_be_compared_losses_are_not() -> None:
    model, port = models()
    model.insert(2, torch.nn.Dropout(0.25))  # and nothing drops in its place
    found = trained(sgd, both=(model, port))
    assert found.curves is None
    assert "curves were not looked at, since training mode was not" in found.notes


def test_the_step_in_which_losses_part_is_named() -> None:
    def wrong() -> tuple[Any, Any]:
        return sgd()[0], keras.optimizers.SGD(0.1, momentum=0.8)

    found = trained(wrong)
    assert not found.passed
    assert found.same_function
    assert found.curves is not None
    assert found.curves.parted == 2  # the first two steps know no momentum yet
    assert "The losses part in step 3 of 6" in str(found)
    assert "Mend: momentum=0.9" in str(found)
    with pytest.raises(parity.ParityError) as raised:
        found.check()
    assert raised.value.rung == 3
    loss = trained(sgd, from_logits=False)
    assert loss.same_updates
    assert loss.curves is not None
    assert loss.curves.parted == 0


def test_what_cannot_be_trained_is_said_with_what_to_do() -> None:
    adadelta: Any = lambda parameters: torch.optim.Adadelta(parameters)  # noqa: E731
    ours, theirs = sgd()
    losses: Any = (torch.nn.MSELoss(), keras.losses.MeanSquaredError())
    scheduled = keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9))
    said: dict[str, dict[str, Any]] = {
        "Adadelta is none of SGD": {"optimizers": (adadelta, theirs)},
        "Keras' has a schedule": {"optimizers": (ours, scheduled)},
        "give two, the first model's": {"optimizers": ours},
        "'sgd' is none of keras's": {"optimizers": (ours, "sgd")},
        "give loss=": {"optimizers": (ours, theirs), "batches": BATCHES},
        "at least one pair": {"optimizers": (ours, theirs), "batches": [], "loss": losses},
    }
    for text, given in said.items():
        with pytest.raises(Unfit, match=text):
            parity.compare(*models(), INPUTS, **given)
