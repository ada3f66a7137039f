"""What initializers draw is kept to the bit, of every implementation, and what one raises in its place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.catalogue.promises.initializers import STARTS, Start
from parity.drift import draws
from parity.drift.calling import signature
from parity.frameworks import NUMPYNET, available
from parity.results.records import Json

NAMES = [NUMPYNET, *available()]


def he_normal() -> tuple[Start, Json]:
    """The initializer, and the record of what it draws here."""
    (start,) = [start for start in STARTS if start.name == "he_normal"]
    (record,) = [record for record in draws.measure(NUMPYNET) if record["key"].endswith("/he_normal")]
    return start, record


def test_every_implementation_has_a_call() -> None:
    planned = [(call.about.kind, call.about.key) for call in draws.calls(available())]
    assert planned == [("signatures", f"{name}/initializers/*") for name in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_numbers_are_drawn_again_and_others_by_each(name: str) -> None:
    first, again = draws.measure(name), draws.measure(name)
    assert first == again
    assert len(first) == len([start for start in STARTS if name == NUMPYNET or name in start.theirs])
    told = [record["parameters"][draws.DRAWN] for record in first]
    assert not any("Error" in each for each in told)
    assert len(set(told)) >= len(told) - 2  # the layer's own are there under two names, and zeros


def test_a_number_that_moved_by_a_bit_is_behaviour(monkeypatch: pytest.MonkeyPatch) -> None:
    start, before = he_normal()
    own = start.ours

    def moved(shape: Any, rng: Any) -> Any:
        drawn = own(shape, rng)
        drawn[-1, -1] = np.nextafter(drawn[-1, -1], np.float32(np.inf))
        return drawn

    assert not list(signature(before, he_normal()[1]))
    monkeypatch.setitem(vars(start), "ours", moved)
    (change,) = signature(before, he_normal()[1])
    assert (change.key, change.of, change.what, change.harmless) == (
        "numpynet, he_normal",
        "numpynet",
        "changed",
        False,
    )
    numbers = [said.partition(" (")[0] for said in (change.before, change.after)]
    assert numbers[0] == numbers[1].replace(change.after, change.before)  # the first few are the same
    assert numbers[0].startswith("drawn from a seed=")


def test_what_is_raised_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(shape: Any, rng: Any) -> Any:
        raise TypeError("no generator is taken\nnor a seed")

    start, _ = he_normal()
    monkeypatch.setitem(vars(start), "ours", refusing)
    assert he_normal()[1]["parameters"] == {draws.DRAWN: "TypeError: no generator is taken"}
