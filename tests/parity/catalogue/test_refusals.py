"""What one implementation refuses and another accepts is known, and numpynet's own refusals say what to do."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from parity.catalogue import refusal as engine
from parity.catalogue.attempt import attempts, error_of
from parity.catalogue.refusal import ACCEPTS, REFUSES, Refusal, refusals, unmatched
from parity.catalogue.tracing import raised_by_us
from parity.discovery import FAMILIES, families
from parity.frameworks import FRAMEWORKS, available
from parity.frameworks.lazy import tf, torch
from parity.ladder.proving import targets
from parity.results.conditions import bounds


def named(*names: str) -> list[type]:
    return [target for target in targets() if target.__name__ in names]


def name(target: type) -> str:
    return target.__name__


@functools.cache
def of_numpynet(target: type) -> list[Refusal]:
    """The refusals of numpynet alone, each tried once for all that is asked of them."""
    return refusals(target, [])


every_pair = pytest.mark.parametrize("target", targets(), ids=name)


# Of all pairs `parity check` looks at them, which CI runs in full.
@pytest.mark.parametrize("target", named("Linear", "Sum", "CrossEntropyCriterion", "Adam"), ids=name)
def test_who_refuses_what_is_as_the_table_of_known_differences_says(target: type) -> None:
    found = refusals(target)
    assert found
    unknown = [str(refusal) for refusal in found if refusal.passed is False]
    assert not unknown, "\n".join(unknown)


@every_pair
def test_every_refusal_of_a_framework_is_raised_by_its_own_code(target: type) -> None:
    ours = [
        f"{wrong}, {framework}: {line}"
        for wrong, tries in attempts(target)
        for framework in available()
        if (line := raised_by_us(tries[framework], framework))
    ]
    assert not ours, "\n".join(ours)


@pytest.mark.parametrize("framework", available())
def test_what_our_own_arithmetic_raises_is_told_from_what_a_framework_refuses(framework: str) -> None:
    def theirs() -> None:
        one, other = np.ones(2), np.ones(3)
        if framework == "torch":
            torch.from_numpy(one) + torch.from_numpy(other)
        else:
            tf.constant(one) + tf.constant(other)

    assert raised_by_us(lambda: bounds("no condition"), framework).startswith("conditions.py")
    assert not raised_by_us(theirs, framework)
    assert not raised_by_us(lambda: None, framework)


@every_pair
def test_every_entry_of_the_table_is_tried(target: type) -> None:
    others = {entry for entry in unmatched([]) if entry[0] != name(target)}
    assert unmatched(of_numpynet(target)) <= others


@every_pair
def test_numpynet_names_the_layer_and_what_it_got(target: type) -> None:
    for refusal in of_numpynet(target):
        if refusal.statuses["numpynet"] == REFUSES:
            message = refusal.messages["numpynet"]
            assert message.startswith(("ValueError", "RuntimeError")), message
            assert name(target) in message, message


@every_pair
def test_right_inputs_are_accepted_by_all(target: type) -> None:
    for wrong, tries in attempts(target):
        if wrong == "input of NaN":
            assert not any(error_of(tries[who]) for who in ("numpynet", *available()))


@pytest.mark.skipif(set(available()) != set(FRAMEWORKS), reason="the table compares all implementations")
def test_a_difference_that_is_not_listed_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "KNOWN", [])
    target = next(target for target in targets() if target.__name__ == "Linear")
    (found,) = [r for r in refusals(target) if r.wrong == "input of another precision"]
    assert not found.passed
    assert "not in the table" in str(found)
    assert "Linear" in str(found)


def test_an_entry_that_no_longer_holds_fails() -> None:
    agreed = dict.fromkeys(("numpynet", "torch", "tensorflow"), ACCEPTS)
    listed = Refusal("ReLU", "integer input", agreed, {**agreed, "numpynet": REFUSES}, "a reason", {})
    assert not listed.passed


def test_an_entry_that_fails_beyond_what_was_measured_is_not_verified() -> None:
    agreed = dict.fromkeys(("numpynet", "torch", "tensorflow"), ACCEPTS)
    expected = {**agreed, "numpynet": REFUSES}
    assert Refusal("ReLU", "integer input", agreed, expected, "a reason", {}, "boundary not verified").passed is None
    assert Refusal("ReLU", "integer input", expected, expected, "a reason", {}, "boundary not verified").passed


def test_what_is_known_of_a_pair_is_in_the_file_of_one_family() -> None:
    home: dict[str, str] = {}
    for family in families("parity.catalogue.refusals"):
        name = family.__name__.rpartition(".")[2]
        assert name in FAMILIES
        pairs = {pair for known in family.KNOWN for pair in known.pairs.split()} | {*getattr(family, "SETTINGS", {})}
        assert not pairs & set(home), name
        home |= dict.fromkeys(pairs, name)
    assert set(home) <= {target.__name__ for target in targets()}


def test_a_pair_nobody_tries_is_unmatched() -> None:
    assert ("Linear", "one dimension too few") in unmatched([])


@pytest.mark.parametrize("target", named("Linear", "Sum", "CrossEntropyCriterion", "Adam"), ids=name)
def test_with_one_framework_missing_the_others_are_compared(target: type) -> None:
    for framework in available():
        assert all(r.passed and set(r.statuses) == {"numpynet", framework} for r in refusals(target, [framework]))
