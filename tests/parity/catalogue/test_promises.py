"""What docstrings promise is tried, in the docstrings' words; what is not kept is told."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_origin

import numpy as np
import pytest

import numpynet
import numpynet as nn
from numpynet import initializers
from parity.catalogue.promises import TOPICS, modules, promises
from parity.catalogue.promises.initializers import STARTS
from parity.catalogue.promises.inputs import RULES
from parity.catalogue.promises.limits import LIMITS, UNLIMITED, Limit
from parity.catalogue.promises.promise import Promise, Try, kept
from parity.frameworks import available

every_topic = pytest.mark.parametrize("topic", TOPICS)
PUBLIC = {
    name: value
    for name in numpynet.__all__
    if inspect.isclass(value := getattr(numpynet, name)) and get_origin(value) is None  # as Python 3.10 has of arrays
}


def broken(topic: str) -> list[str]:
    """The lines of everything in a topic that is not kept."""
    return [line for promise in promises(topic, available()) if not promise.passed for line in promise.broken]


def documented(of: Any) -> str:
    """The docstrings of a class and of those it is derived from, on one line."""
    return " ".join(" ".join((base.__doc__ or "").split()) for base in inspect.getmro(of))


@every_topic
def test_every_promise_is_kept_and_has_a_name_of_its_own(topic: str) -> None:
    found = list(promises(topic, available()))
    assert not [line for promise in found if not promise.passed for line in (promise.broken or [promise.key])]
    keys = [promise.as_record().key for promise in found]
    assert len(set(keys)) == len(keys) > 0


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.key)
def test_a_limit_is_worded_as_in_the_docstring(limit: Limit) -> None:
    assert limit.wording in documented(limit.of)
    values = list(limit.values())
    assert {limit.refused(value) for value in values} == {True, False}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.of}-{rule.said}")
def test_a_rule_is_worded_as_in_the_docstring_of_a_class_of_that_name(rule: Any) -> None:
    if rule.of in PUBLIC:
        assert rule.said in documented(PUBLIC[rule.of])
    assert rule.refuses


def test_every_argument_that_is_a_number_has_its_limits_or_a_reason_for_none() -> None:
    limited = {f"{limit.of.__name__}.{limit.argument}" for limit in LIMITS}
    numbers = {
        f"{name}.{argument}"
        for name, of in PUBLIC.items()
        for argument, parameter in inspect.signature(of).parameters.items()
        if str(parameter.annotation).startswith(("int", "float"))
    }
    assert numbers - limited == set(UNLIMITED)


def test_what_a_value_must_become_follows_from_the_condition() -> None:
    half_open = Limit(nn.Dropout, "p", "unless 0 <= p < 1")
    below, above = np.nextafter(1.0, 0.0), np.nextafter(0.0, -1.0)
    assert [half_open.refused(value) for value in (0, below, 1.0, above, np.nan)] == [False, False, True, True, True]
    assert [Limit(nn.Maxout, "pieces", "for pieces < 1", whole=True).refused(n) for n in (0, 1, 2)] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("raised", "refused", "told"),
    [
        (None, False, ""),
        (None, True, "it is accepted"),
        (ValueError("Dropout needs"), True, ""),
        (ValueError("no name"), True, "it is refused by ValueError, which does not name Dropout: no name"),
        (TypeError("Dropout"), True, "it is refused by TypeError, which does not name Dropout: Dropout"),
        (ValueError("Dropout needs"), False, "it is refused: ValueError: Dropout needs"),
        (IndexError("Dropout"), True, "it raises IndexError: Dropout"),
    ],
)
def test_a_try_is_told_where_it_came_out_otherwise(raised: Exception | None, refused: bool, told: str) -> None:
    def call() -> None:
        if raised is not None:
            raise raised

    assert Try("it", call, refused, "Dropout").wrong() == told


def test_what_was_never_tried_is_not_kept() -> None:
    record = kept("limits", "nothing", "", []).as_record()
    assert record.passed is False
    assert record.message == "nothing was tried"
    assert Promise("limits", "something", "", 1).passed


def _above_zero_too(self: Any) -> None:
    if not self.limit >= 0:
        raise ValueError(f"{type(self).__name__} needs a limit")


def _positive(shape: tuple[int, ...], rng: np.random.Generator, dtype: Any = np.float32) -> Any:
    bound = np.sqrt(6 / sum(initializers.fans(shape)))
    return rng.uniform(0, bound, shape).astype(dtype)


def _a_little_wide(shape: tuple[int, ...], rng: np.random.Generator, dtype: Any = np.float32) -> Any:
    bound = 1.01 * np.sqrt(6 / sum(initializers.fans(shape)))
    return rng.uniform(-bound, bound, shape).astype(dtype)


def _of_another_generator(shape: tuple[int, ...], rng: np.random.Generator, dtype: Any = np.float32) -> Any:
    return initializers.he_normal(shape, np.random.default_rng(7), dtype)


@pytest.mark.parametrize(
    ("topic", "where", "name", "value", "said"),
    [
        ("limits", nn.ClipByNorm, "__post_init__", _above_zero_too, "ClipByNorm with limit=0.0 is accepted"),
        ("limits", nn.Dropout, "__init__", lambda self, p=0.5: None, "Dropout with p=1.0 is accepted"),
        (
            "inputs",
            nn.Flatten,
            "forward",
            lambda self, x: x.reshape(len(x), -1),
            "Flatten of float32 of shape (2,) is acc",
        ),
        ("inputs", nn.Graph, "_check", lambda self: None, "is accepted"),
        ("modules", nn.ELU, "__repr__", lambda self: "ELU()", "computes something else with its own state"),
        ("modules", nn.Scaling, "accumulate", lambda self, gradient: None, "accumulate adds other gradients"),
        ("modules", nn.Tanh, "__repr__", lambda self: "Tanh", "repr tells of the same module: TypeError"),
    ],
)
def test_a_promise_that_is_broken_is_told(
    topic: str, where: type, name: str, value: Callable[..., Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modules, "targets", lambda: [where])
    monkeypatch.setattr(where, name, value)
    assert any(said in line for line in broken(topic))


@pytest.mark.skipif(not available(), reason="no framework to compare with")
@pytest.mark.parametrize("draw", [_positive, _a_little_wide], ids=["positive alone", "a hundredth too wide"])
def test_another_distribution_is_told(draw: Callable[..., Any]) -> None:
    (start,) = (start for start in STARTS if start.name == "glorot_uniform")
    wrong = replace(start, ours=lambda shape, rng: draw(shape, rng))
    lines = [line for line in wrong.lines(available()) if line]
    assert len(lines) == 2 * len(available())


def test_a_generator_that_is_ignored_is_told() -> None:
    from parity.catalogue.promises.initializers import _of_generator

    lines = [line for line in _of_generator(lambda rng: _of_another_generator((3, 2), rng)) if line]  # type: ignore[arg-type]
    assert "draws the same from another generator" in lines


@pytest.mark.skipif(not available(), reason="no framework to compare with")
def test_a_schedule_that_is_a_step_late_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = nn.StepDecay.rates
    monkeypatch.setattr(nn.StepDecay, "rates", lambda self, steps: rates(self, np.maximum(steps - 1, 0)))
    assert any("at step 3" in line for line in broken("schedules"))
