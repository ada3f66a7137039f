"""What a seed draws depends on the code alone: not on what is imported, how many are asked for, or the machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import strategies as st

from numpynet import Dropout, Linear, ReLU, Sequential
from numpynet.activations import log_softmax, sigmoid
from parity.case import Case, Step
from parity.drawing.elementary import (
    LARGEST,
    LEAST,
    chances,
    exponential,
    log_probabilities,
    logarithm,
    probabilities,
)
from parity.drawing.examples import Digest, for_each_example, normal
from parity.ladder.proving import digests, targets
from parity.machines.machine import environment_of, find

T = TypeVar("T")
# Of the first thirty examples, on whatever machine, processor, Python and stack. They change with what is drawn, which
# is worth a line in the changelog: results before and after rest on different examples.
KNOWN = {
    ("ReLU", "float32"): "cd1e9848d5d09fff",
    ("Linear", "float32"): "4cf299ec126427f4",
    ("Linear", "float64"): "cd12c8dd1fcb6990",
}


def drawn(strategy: st.SearchStrategy[T], number: int = 200, stream: str = "test") -> list[T]:
    found: list[T] = []

    def note(example: T) -> None:
        found.append(example)

    for_each_example(note, strategy, stream, number)
    return found


@pytest.mark.parametrize(("name", "dtype"), KNOWN, ids=lambda value: value)
def test_examples_are_those_of_every_other_machine(name: str, dtype: str) -> None:
    target = {"ReLU": ReLU, "Linear": Linear}[name]
    assert digests(target, dtype, [30]) == [KNOWN[name, dtype]]


def test_what_else_is_imported_changes_no_example() -> None:
    """Hypothesis itself collects the constants of every module that is loaded."""
    script = (
        "import sys, types; constants = types.ModuleType('constants'); sys.modules['constants'] = constants\n"
        "import fractions, xml.dom.minidom, email.mime.text, scipy.stats\n"
        "from numpynet import Linear; from parity.ladder.proving import digests\n"
        "print(digests(Linear, 'float32', [30])[0])"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.strip() == KNOWN["Linear", "float32"]


def test_no_pairs_examples_depend_on_the_processor() -> None:
    """NumPy's exponential, logarithm and their kin are compiled for each kind of processor, and end in other bits."""
    (emulated,) = find(["nehalem"])
    if emulated.missing:
        pytest.skip(f"this processor lacks {', '.join(sorted(emulated.missing))}")
    script = (
        "from parity.ladder.proving import digests, targets\n"
        "for target in targets():\n"
        "    for dtype in ('float32', 'float64'):\n"
        "        print(target.__name__, dtype, *digests(target, dtype, [5]))"
    )
    here, there = (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=env).stdout
        for env in (dict(os.environ), environment_of(emulated))
    )
    assert len(here.splitlines()) == 2 * len(targets())
    assert here.splitlines() == there.splitlines()


def numbers(number: int, score: Callable[[list[int]], float] | None) -> list[list[int]]:
    """The examples that are drawn of six numbers up to 1000, guided by `score` if there is one."""
    found: list[list[int]] = []
    for_each_example(
        lambda example: found.append(example),
        st.lists(st.integers(0, 1000), min_size=6, max_size=6),
        "guided",
        number,
        score=None if score is None else lambda: score(found[-1]),
    )
    return found


def test_guided_examples_climb_and_one_of_three_is_the_streams_own() -> None:
    stream, guided = numbers(300, None), numbers(300, sum)
    assert max(map(sum, guided)) > max(map(sum, stream)) + 500
    assert guided[2::3] == stream[2::3]
    assert not any(one == other for one, other in zip(guided[3::3], stream[3::3], strict=True))


def test_the_first_guided_examples_are_the_same_however_many_are_asked_for() -> None:
    assert numbers(60, sum)[:20] == numbers(20, sum)


def test_a_guided_failure_is_shrunk() -> None:
    last = 0

    def property_(example: list[int]) -> None:
        nonlocal last
        last = sum(example)
        assert last < 5000

    strategy = st.lists(st.integers(0, 1000), min_size=6, max_size=6)
    with pytest.raises(AssertionError):
        for_each_example(property_, strategy, "guided", 300, score=lambda: last)
    assert last == 5000


@pytest.mark.parametrize("target", [Linear, Sequential], ids=lambda target: target.__name__)
def test_the_first_of_many_examples_are_the_same_as_of_few(target: type) -> None:
    assert digests(target, "float32", [10, 30]) == digests(target, "float32", [10]) + digests(target, "float32", [30])


def test_as_many_examples_as_asked_for_and_none_twice_in_a_row() -> None:
    found = drawn(st.integers(0, 2**64), 50)
    assert len(found) == 50
    assert len(set(found)) == 50


def test_another_stream_draws_other_examples() -> None:
    assert drawn(st.integers(0, 2**64), 5) != drawn(st.integers(0, 2**64), 5, stream="another")


def test_rejected_examples_are_not_counted() -> None:
    assert len(drawn(st.integers(0, 9).filter(lambda value: value % 2), 60)) == 60


def test_a_failure_is_shrunk() -> None:
    def property_(values: list[int]) -> None:
        assert sum(values) < 100

    with pytest.raises(AssertionError) as failure:
        for_each_example(property_, st.lists(st.integers(0, 1000), max_size=5), "test", 100)
    assert "[100]" in "".join(failure.value.__notes__)


@pytest.mark.parametrize(
    "strategy",
    [
        st.integers(-3, 5).map(lambda value: -3 <= value <= 5),
        st.integers(min_value=7).map(lambda value: value >= 7),
        st.integers(max_value=-7).map(lambda value: value <= -7),
        st.integers().map(lambda value: isinstance(value, int)),
        st.floats(0.25, 0.5).map(lambda value: 0.25 <= value <= 0.5),
        st.floats(min_value=1e300, allow_infinity=False).map(lambda value: 1e300 <= value < np.inf),
        st.floats(max_value=-1.0, allow_nan=False).map(lambda value: value <= -1),
        st.floats(allow_nan=False, allow_infinity=False).map(np.isfinite),
        st.floats(allow_subnormal=False, allow_nan=False).map(lambda value: value == 0 or abs(value) > 2e-308),
        st.text("abc", min_size=1, max_size=4).map(lambda text: 1 <= len(text) <= 4 and set(text) <= set("abc")),
        st.binary(min_size=2, max_size=3).map(lambda found: 2 <= len(found) <= 3),
        st.lists(st.booleans(), min_size=1, max_size=3).map(lambda found: 1 <= len(found) <= 3),
    ],
)
def test_what_is_drawn_is_what_the_strategy_permits(strategy: st.SearchStrategy[object]) -> None:
    assert all(drawn(strategy))


def test_both_ends_and_everything_between_are_drawn() -> None:
    assert set(drawn(st.integers(1, 8))) == set(range(1, 9))


def test_normal_numbers_are_the_same_bits_everywhere_and_nearly_normal() -> None:
    assert [value.hex() for value in normal(0, (2,))] == ["0x1.5b10fa1fbaad4p-3", "-0x1.fac89c2d68eecp-4"]
    values = normal(1, (1000, 100))
    assert values.dtype == np.float64
    # The fourth moment of four uniform numbers is 2.7, where the normal distribution's is 3.
    for power, moment in ((1, 0), (2, 1), (3, 0), (4, 2.7)):
        spread = np.sqrt(np.mean(values ** (2 * power)) / values.size)
        assert abs(np.mean(values**power) - moment) < 5 * spread


def test_what_is_drawn_by_functions_of_the_same_bits_everywhere_is_nearly_theirs() -> None:
    x = np.concatenate([np.linspace(-745, 709, 20_001), np.linspace(-1, 1, 20_001), [0.0]])
    assert np.max(np.abs(exponential(x[x > -700]) / np.exp(x[x > -700]) - 1)) < 4 * 2.0**-53
    assert exponential(np.array([0.0, -1e4, 1e4])).tolist() == [1.0, exponential(np.array([LEAST]))[0], np.exp(LARGEST)]
    y = np.concatenate([np.ldexp(1.0, np.arange(-1000, 1000)), np.linspace(0.25, 4, 20_001)])
    assert np.max(np.abs(logarithm(y) - np.log(y)) / np.maximum(np.abs(np.log(y)), 1)) < 4 * 2.0**-53
    rows = np.random.default_rng(0).standard_normal((50, 7)) * 2.0 ** np.arange(-3, 4)
    assert np.max(np.abs(log_probabilities(rows) - log_softmax(rows))) < 1e-13
    assert np.max(np.abs(probabilities(rows).sum(axis=-1) - 1)) < 1e-13
    assert np.max(np.abs(chances(rows) - sigmoid(rows))) < 1e-15
    for function in (log_probabilities, probabilities, chances):
        assert function(rows.astype(np.float32)).dtype == np.float32
        assert function(np.empty((0, 3))).shape == (0, 3)


def test_a_digest_sees_everything_that_a_case_holds() -> None:
    def digest(case: Case) -> str:
        found = Digest()
        found.add(case)
        return str(found)

    x = np.ones((2, 3), np.float32)
    layer = Linear(3, 2, rng=np.random.default_rng(0))
    steps = [Step(x, np.ones((2, 2), np.float32))]
    other_weight = Linear(3, 2, rng=np.random.default_rng(1))
    dropout = [Case(Dropout(0.5, rng=np.random.default_rng(seed)), [Step(x, x)]) for seed in (0, 1)]
    cases = [
        Case(layer, steps),
        Case(other_weight, steps),
        Case(layer, steps, training=False),
        Case(layer, steps, frozen=frozenset(["weight"])),
        Case(layer, steps, arguments={"momentum": 0.5}),
        Case(layer, steps, arguments={"momentum": 0.5}, apart=frozenset(["bias"])),
        Case(layer, [Step(x, np.ones((2, 2), np.float32), lr=0.5)]),
        Case(layer, [Step(x, np.ones((2, 2), np.float32), backwards=2)]),
        Case(layer, [Step(x + 1, np.ones((2, 2), np.float32))]),
        Case(layer, [Step(x, np.zeros((2, 2), np.float32))]),
        *dropout,
    ]
    assert len({digest(case) for case in cases}) == len(cases)
