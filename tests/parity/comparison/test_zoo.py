"""What torch computes itself in float32 is within the allowances of its float64, for all that torch.nn has."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from old_releases import TORCH_2_2
from zoo import ZOO, Animal, allowed

from numpynet import Array
from parity.comparison.operations import Rounding
from parity.formats import format_of
from parity.ladder.judge import share_used
from parity.rounding.errors import Errors, making

pytestmark = pytest.mark.skipif(find_spec("torch") is None, reason="the models are torch's")
F32, F64 = np.dtype(np.float32), np.dtype(np.float64)
every_animal = pytest.mark.parametrize("name", ZOO)


@functools.cache
def allowances(name: str) -> tuple[dict[str, Array], dict[str, Array], list[str]]:
    """What the model computes in float64, how far each element may be off, and what has no model of rounding."""
    reference = ZOO[name].computed(F64)
    return reference, *allowed(reference, lambda: ZOO[name].computed(F64), F32)


def shares(name: str, animal: Animal) -> dict[str, float]:
    """The share of its allowance that each tensor of `animal` in float32 uses, by the model of this name."""
    reference, allowance, _ = allowances(name)
    computed = animal.computed(F32)
    return {key: share_used(computed.get(key), reference[key], allowance[key], F32) for key in reference}


@every_animal
def test_every_operation_is_modelled(name: str) -> None:
    assert allowances(name)[2] == []


@every_animal
def test_torch_in_float32_stays_within_the_allowance(name: str, record_property: Callable[[str, object], None]) -> None:
    used = shares(name, ZOO[name])
    record_property("shares", used)
    assert max(used.values()) <= 1, used


# Their gradients torch takes another way in any mode; that of cumprod in torch 2.2 alone.
@pytest.mark.parametrize("name", sorted({*ZOO} - {"prod", *({"cumprod"} if TORCH_2_2 else ())}))
def test_the_mode_changes_no_bit_where_no_errors_are_made(name: str) -> None:
    with Rounding():
        computed = ZOO[name].computed(F64)
    for key, values in allowances(name)[0].items():
        np.testing.assert_array_equal(computed[key], values)


# In float64 the sixth in torch's own gradient of Hardsigmoid is a float32; in torch 2.2 places between pixels are, too.
@pytest.mark.parametrize("name", sorted({*ZOO} - {"Hardsigmoid", *({"Upsample, bicubic"} if TORCH_2_2 else ())}))
def test_what_an_operation_is_decomposed_into_computes_the_same(name: str) -> None:
    # Float64's allowance is that of float32 times the ratio of their units.
    ratio = format_of(F64).unit / format_of(F32).unit
    reference, allowance, _ = allowances(name)
    with making(Errors()), Rounding():
        computed = ZOO[name].computed(F64)
    for key, values in reference.items():
        assert share_used(computed[key], values, allowance[key] * ratio, F64) <= 1, key


def damaged(make: Callable[[], Any], **attributes: Any) -> Callable[[], Any]:
    """What makes the model with other settings."""

    def make_damaged() -> Any:
        model = make()
        vars(model).update(attributes)
        return model

    return make_damaged


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("LayerNorm", {"eps": 1e-3}),
        ("BatchNorm2d", {"eps": 1e-4}),
        ("GroupNorm", {"eps": 1e-4}),
        ("GELU", {"approximate": "tanh"}),
        ("Softplus", {"beta": 1.0001}),
        ("LeakyReLU", {"negative_slope": 0.01001}),
    ],
)
def test_a_wrong_setting_is_outside(name: str, attributes: dict[str, Any]) -> None:
    animal = ZOO[name]
    wrong = Animal(damaged(animal.make, **attributes), animal.inputs, animal.training)
    assert max(shares(name, wrong).values()) > 1
