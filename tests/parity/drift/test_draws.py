"""What initializers draw is kept to the bit, of every implementation, and what one raises in its place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.catalogue.promises.initializers import STARTS
from parity.drift import draws
from parity.frameworks import NUMPYNET, available

NAMES = [NUMPYNET, *available()]


def test_every_implementation_has_a_call() -> None:
    assert [(call.about.kind, call.about.key) for call in draws.calls(available())] == [
        ("draws", f"{name}/*") for name in NAMES
    ]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_numbers_are_drawn_again_and_others_by_each(name: str) -> None:
    first, again = draws.measure(name), draws.measure(name)
    assert first == again
    assert len(first) == len([start for start in STARTS if name == NUMPYNET or name in start.theirs])
    assert not any(record["raised"] for record in first)
    random = [record for record in first if len(set(record["first"])) > 1]
    assert len(random) >= 4
    by_bits = {record["bits"] for record in random}
    assert len(by_bits) >= len(random) - 1  # of torch, one is the weight of its layer, under two names


def test_a_number_that_moved_by_a_bit_has_other_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    (before,) = [record for record in draws.measure(NUMPYNET) if record["name"] == "he_normal"]
    (start,) = [start for start in STARTS if start.name == "he_normal"]
    own = start.ours

    def moved(shape: Any, rng: Any) -> Any:
        drawn = own(shape, rng)
        drawn[-1, -1] = np.nextafter(drawn[-1, -1], np.float32(np.inf))
        return drawn

    monkeypatch.setitem(vars(start), "ours", moved)
    (after,) = [record for record in draws.measure(NUMPYNET) if record["name"] == "he_normal"]
    assert after["first"] == before["first"]
    assert after["bits"] != before["bits"]


def test_what_is_raised_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(shape: Any, rng: Any) -> Any:
        raise TypeError("no generator is taken\nnor a seed")

    (start,) = [start for start in STARTS if start.name == "he_normal"]
    monkeypatch.setitem(vars(start), "ours", refusing)
    (record,) = [record for record in draws.measure(NUMPYNET) if record["name"] == "he_normal"]
    assert (record["raised"], record["bits"], record["first"]) == ("TypeError: no generator is taken", "", [])
