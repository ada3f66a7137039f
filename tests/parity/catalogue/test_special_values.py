"""What becomes of NaN and other special values is the same everywhere, or known to differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from numpynet import (
    Adam,
    Array,
    BatchNormalization,
    Concatenate,
    CrossEntropyCriterion,
    Dropout,
    Flatten,
    GlobalAveragePool2d,
    Graph,
    LayerNormalization,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
    Sigmoid,
    SoftMax,
    Sum,
    Tanh,
)
from parity.catalogue import special as engine
from parity.catalogue.deviation import Deviation, Uncompared
from parity.catalogue.policy import about, told
from parity.catalogue.special import Special, measure_specials, specials, turns, unmatched
from parity.catalogue.specials import EXAMPLES, KNOWN
from parity.catalogue.variation import VALUES, kinds, quantity, traces, values, variations
from parity.discovery import FAMILIES, families
from parity.formats import FORMATS
from parity.frameworks import FRAMEWORKS, available
from parity.ladder.proving import targets

every_framework = pytest.mark.skipif(set(available()) != set(FRAMEWORKS), reason="it is about all implementations")
some_framework = pytest.mark.skipif(not available(), reason="no framework to compare with")


def of(target: type, value: str, frameworks: list[str] | None = None) -> Special:
    (found,) = [special for special in specials(target, frameworks) if special.value == value]
    return found


def name(target: type) -> str:
    return target.__name__


# Of all classes `parity check` looks at them, which CI runs in full.
@pytest.mark.parametrize(
    "target", [ReLU, SoftMax, MaxPool2d, BatchNormalization, CrossEntropyCriterion, Adam], ids=name
)
def test_what_becomes_of_special_values_is_as_the_table_says(target: type) -> None:
    found = specials(target)
    assert [special.value for special in found] == list(VALUES)
    assert not [line for special in found for line in special.wrong()]
    assert all(special.passed for special in found) or not available()


@pytest.mark.parametrize("target", targets(), ids=name)
def test_every_class_but_the_containers_has_an_example(target: type) -> None:
    assert (target in {example.of for example in EXAMPLES}) == (target not in (Sequential, Graph))


def test_of_a_class_without_an_example_the_one_that_is_drawn_for_refusals_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine, "EXAMPLES", [])
    (example,) = engine.examples(Tanh)
    assert isinstance(example.module, Tanh)
    assert engine.examples(Sequential) == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.of.__name__} {example.name}".strip())
def test_an_example_tells_the_first_element_from_the_last(example: Any) -> None:
    for together in variations(example):
        assert len({variation.words for variation in together}) == len(together)
    if example.arguments is None:
        first, *_ = example.input if isinstance(example.input, tuple) else (example.input,)
        assert first.size % 2, "the last element is in no vector, however short"
        assert first.size > 64, "the first is in one, however long"


@pytest.mark.parametrize(
    ("target", "value", "said"),
    [
        (Sigmoid, "NaN", "output and input gradient: NaN in its own element"),
        (ReLU, "NaN", "output: NaN in its own element"),
        (ReLU, "-inf", "nothing"),
        (SoftMax, "NaN", "output and input gradient: NaN in its row"),
        (SoftMax, "-inf", "nothing"),
        (LayerNormalization, "largest", "nothing"),
        (Sum, "+inf", "output: +inf in its own element"),
        (Concatenate, "-0", "output: negative zero in 1 element of its row"),
        (GlobalAveragePool2d, "NaN", "output: NaN in its channel of its sample"),
        (Flatten, "subnormal", "nothing"),
        (CrossEntropyCriterion, "NaN", "output: NaN in everything, input gradient: NaN in its row"),
        (Linear, "-inf", "output: -inf in its row, parameter gradient of weight: -inf in 2 elements of 66"),
        (Adam, "NaN", "first moment and second moment and parameter: NaN in its own element"),
        (Dropout, "+inf", "training, last: output: NaN in its own element; otherwise: output: +inf in its own element"),
        (
            BatchNormalization,
            "NaN",
            "training: output and state of running_mean and state of running_var and input gradient: NaN in its "
            "channel; evaluation: output: NaN in its own element",
        ),
    ],
)
def test_the_policy_says_what_is_spoiled(target: type, value: str, said: str) -> None:
    assert of(target, value, []).policy == said


@some_framework
@pytest.mark.parametrize(
    ("target", "forward", "value", "said"),
    [
        (ReLU, lambda self, x: self.remember(*[np.fmax(x, 0)] * 2), "NaN", "output: zero to NaN"),
        (Tanh, lambda self, x: self.remember(*[np.tanh(x) + 0.0] * 2), "-0", "output: zero to negative zero"),
        (Sigmoid, lambda self, x: self.remember(*[1 - 1 / (1 + np.exp(x))] * 2), "+inf", ""),
        (Sigmoid, lambda self, x: self.remember(*[np.exp(x) / (1 + np.exp(x))] * 2), "+inf", "output: NaN to finite"),
    ],
    ids=["a ReLU that drops NaN", "a Tanh that loses the sign", "another right Sigmoid", "a Sigmoid that overflows"],
)
def test_a_mutated_layer_is_found(
    target: type, forward: Callable[..., Array], value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, "forward", forward)
    found = of(target, value)
    assert found.passed is (not said)
    for framework in available():
        assert any(line.startswith(f"{framework}, {said}") for line in found.wrong()) == bool(said)


@every_framework
def test_a_difference_that_is_not_listed_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "KNOWN", [])
    found = of(MaxPool2d, "NaN")
    assert found.passed is False
    assert found.wrong() == [
        "tensorflow, output: NaN to finite, the table says nothing",
        "tensorflow, input gradient (last): finite to zero, zero to finite, the table says nothing",
    ]
    (record,) = [record for record in measure_specials(MaxPool2d) if record.value == "NaN"]
    assert record.message.splitlines() == found.wrong()


@some_framework
@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({}, "output: as numpynet, the table says NaN to finite"),
        ({"only": ("float32", "last")}, "output (float32, last): as numpynet, the table says NaN to finite"),
    ],
)
def test_an_entry_that_no_longer_holds_fails(entry: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    framework = available()[0]
    stale = replace(Deviation("Tanh", "NaN", framework, {"output": "NaN to finite"}, "a reason"), **entry)
    monkeypatch.setattr(engine, "KNOWN", [*KNOWN, stale])
    found = of(Tanh, "NaN")
    assert found.passed is False
    assert found.wrong() == [f"{framework}, {said}"]


@every_framework
def test_an_entry_about_other_versions_or_kernels_says_nothing_here(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = Deviation("Tanh", "NaN", "tensorflow", {"output": "NaN to finite"}, "a reason", when="numpy<1.0")
    monkeypatch.setattr(engine, "KNOWN", [entry, replace(entry, when="", by="nobody's")])
    assert of(Tanh, "NaN").passed


@some_framework
def test_an_entry_that_fails_beyond_what_was_measured_is_not_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = Deviation("Tanh", "NaN", available()[0], {"output": "NaN to finite"}, "a reason", when="numpy>=1.0")
    monkeypatch.setattr(engine, "KNOWN", [entry])
    found = of(Tanh, "NaN")
    assert found.passed is None
    assert "not verified" in found.boundary


@pytest.mark.parametrize("framework", available())
def test_with_one_framework_missing_the_others_are_compared(framework: str) -> None:
    for found in specials(MaxPool2d, [framework]):
        assert found.passed
        assert found.compared
        assert {cell.who for cell in found.found} <= {framework}


def test_without_a_framework_nothing_is_said_to_have_passed() -> None:
    assert {special.passed for special in specials(MaxPool2d, [])} == {None}


def test_every_entry_is_about_something_that_is_tried() -> None:
    others = {entry for entry in unmatched([]) if entry[0] != "ReLU"}
    assert unmatched(specials(ReLU, [])) <= others
    assert unmatched([]) > others
    by_class = {example.of.__name__: example.of for example in EXAMPLES}
    for entry in KNOWN:
        assert set(entry.values.split(", ")) <= set(VALUES)
        assert set(entry.who.split()) <= set(FRAMEWORKS)
        for pair in entry.pairs.split():
            words = [
                variation.words
                for example in EXAMPLES
                if example.of is by_class[pair]
                for together in variations(example)
                for variation in together
            ]
            assert any(set(entry.only) <= set(each) for each in words), entry


def test_what_is_not_compared_names_a_quantity_that_there_is() -> None:
    for entry in KNOWN:
        if isinstance(entry, Uncompared):
            for example in EXAMPLES:
                if example.of.__name__ in entry.pairs.split():
                    ((_, _, trace), *_) = traces(variations(example)[0], "numpynet")
                    assert set(entry.turns) <= {quantity(key, example) for key in trace}


def test_what_is_known_of_a_class_is_in_the_file_of_one_family() -> None:
    home: dict[str, str] = {}
    for family in families("parity.catalogue.specials"):
        file = family.__name__.rpartition(".")[2]
        assert file in FAMILIES
        held = {pair for known in family.KNOWN for pair in known.pairs.split()}
        held |= {example.of.__name__ for example in family.EXAMPLES}
        assert not held & set(home), file
        home |= dict.fromkeys(held, file)


def test_a_kind_tells_nan_both_infinities_and_both_zeros_apart() -> None:
    numbers = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 1e-45, -1.0], np.float32)
    signed, unsigned = kinds(numbers, signed=True), kinds(numbers, signed=False)
    assert turns(signed, kinds(numbers[::-1], signed=True)).count(" to ") == 6
    assert turns(signed, unsigned) == "negative zero to zero"
    assert turns(unsigned, unsigned[:-1]) == "(7,) to (6,)"


def test_the_special_values_of_a_format_are_its_own() -> None:
    for format in FORMATS.values():
        largest, smallest, subnormal = (format.dtype.type(number) for number in list(values(format).values())[-3:])
        limits = np.finfo(format.dtype)
        assert (largest, smallest) == (limits.max, limits.tiny)
        assert 0 < subnormal < limits.tiny


def test_texts_name_what_tells_variations_apart() -> None:
    everywhere: list[tuple[str, ...]] = [(a, b) for a in ("float32", "float64") for b in ("first", "last")]
    assert about(everywhere[:2], everywhere) == "float32"
    assert about(everywhere[1:2], everywhere) == "float32, last"
    assert about(everywhere[1:], everywhere) == ""
    assert told(dict.fromkeys(everywhere, "all")) == "all"
    assert told(dict.fromkeys(everywhere, "most") | {everywhere[1]: "one"}) == "float32, last: one; otherwise: most"
