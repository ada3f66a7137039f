"""Every known difference is real, of the predicted size, and gone with its mapping; and the check can fail."""

from __future__ import annotations

import dataclasses
import importlib
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import parity
from parity.catalogue import Demonstration, Difference, catalogue, measure
from parity.catalogue.difference import claim, exactly, together
from parity.catalogue.exclusions import EXCLUSIONS
from parity.discovery import FAMILIES
from parity.results.conditions import holds_here
from parity.results.packages import versions

entries = catalogue()
every_entry = pytest.mark.parametrize("entry", entries, ids=lambda entry: entry.id)


@every_entry
def test_a_known_difference_is_real_on_one_side_of_its_claim_alone_and_gone_with_its_mapping(entry: Difference) -> None:
    record = measure(entry)
    if not record.measured:
        pytest.skip(record.message)
    if record.passed is None:
        pytest.skip(record.boundary)
    assert record.passed, record.message
    assert record.mapped is not None
    assert record.naive is not None
    assert record.mapped < record.naive


@every_entry
def test_an_entry_says_what_each_does_how_to_map_it_and_where_that_is_written(entry: Difference) -> None:
    assert list(entry.does) == ["torch", "keras", "tensorflow"]
    assert all((entry.title, *entry.does.values(), entry.mapping))
    assert entry.sources
    assert all(source.startswith("https://") for source in entry.sources)


def test_every_entry_is_of_a_family_and_there_once() -> None:
    topics = list(dict.fromkeys(entry.topic for entry in entries))
    assert topics == [family for family in FAMILIES if family in topics]
    assert len({entry.id for entry in entries}) == len(entries)


def test_every_id_that_the_code_refers_to_is_in_the_catalogue() -> None:
    ids = {entry.id for entry in entries}
    root = Path(parity.__file__).parent
    text = "\n".join(path.read_text(encoding="utf-8") for path in root.rglob("*.py"))
    mentioned = [
        name
        for listed in re.findall(r"differences,\s+([a-z0-9-]+(?:,\s+[a-z0-9-]+)*)\)", text)
        for name in re.split(r",\s+", listed)
    ]
    assert mentioned
    prefixes = {name.rstrip("-") for name in mentioned}
    assert not {name for name in prefixes if not any(id.startswith(name) for id in ids)}


@pytest.mark.parametrize("exclusion", EXCLUSIONS, ids=lambda exclusion: exclusion.what)
def test_what_the_draws_leave_out_points_at_an_entry_and_at_code(exclusion: tuple[str, str, tuple[str, ...]]) -> None:
    what, where, names = exclusion
    assert what
    assert names
    assert set(names) <= {entry.id for entry in entries}
    module, _, attribute = f"parity.{where}".rpartition(".")
    home = importlib.import_module(module)
    assert hasattr(home, attribute) or importlib.import_module(f"{module}.{attribute}")


x = np.linspace(1, 2, 9, dtype=np.float32)
triple = claim(3 * x, lambda x: 3 * x, x)
double = claim(2 * x, lambda x: 2 * x, x)


def entry_that_shows(shown: Demonstration) -> Difference:
    texts: dict[str, Any] = dict.fromkeys(("id", "topic", "title", "mapping"), "invented")
    return Difference(**texts, does={}, sources=("https://example.org",), demonstrate=lambda: shown)


alike = {"torch": double, "keras": double}
invented = Demonstration({"torch": double, "keras": triple}, alike, alike)


class TestAnEntryFails:
    def test_not_while_it_holds(self) -> None:
        record = measure(entry_that_shows(invented))
        assert record.passed
        assert record.message == ""
        assert record.naive == record.predicted == 2
        assert record.mapped == 0

    def test_when_an_implementation_no_longer_computes_what_it_did(self) -> None:
        changed = dataclasses.replace(triple, values=triple.values * np.float32(1.0001))
        record = measure(entry_that_shows(dataclasses.replace(invented, naive={"torch": double, "keras": changed})))
        assert not record.passed
        assert "invented, with" in record.message
        assert f"torch {versions()['torch']}" in record.message
        assert "keras no longer computes what the entry says" in record.message

    def test_when_the_difference_is_gone(self) -> None:
        record = measure(entry_that_shows(dataclasses.replace(invented, naive={"torch": double, "keras": double})))
        assert not record.passed
        assert "the difference is gone" in record.message

    def test_when_the_mapping_no_longer_removes_it(self) -> None:
        record = measure(entry_that_shows(dataclasses.replace(invented, mapped={"torch": double, "keras": triple})))
        assert not record.passed
        assert "the mapping no longer removes the difference" in record.message

    def test_when_it_shows_one_side_of_its_claim(self) -> None:
        record = measure(entry_that_shows(dataclasses.replace(invented, elsewhere={})))
        assert not record.passed
        assert "one side of the claim is shown: all differ everywhere" in record.message

    def test_not_when_one_experiment_shows_both(self) -> None:
        both = {"torch": together(double, double), "keras": together(triple, double)}
        assert measure(entry_that_shows(Demonstration(both, alike))).passed

    def test_when_the_difference_goes_further(self) -> None:
        record = measure(entry_that_shows(dataclasses.replace(invented, elsewhere=invented.naive)))
        assert not record.passed
        assert "the difference goes further" in record.message

    def test_when_it_goes_further_in_one_element(self) -> None:
        further = {"torch": together(double, double), "keras": together(double, triple)}
        assert not measure(entry_that_shows(dataclasses.replace(invented, elsewhere=further))).passed

    def test_when_somebody_is_not_shown_on_the_other_side(self) -> None:
        record = measure(
            entry_that_shows(dataclasses.replace(invented, elsewhere={"torch": double, "numpynet": double}))
        )
        assert not record.passed
        assert "keras is not shown on the other side of the claim" in record.message

    def test_when_a_nan_is_no_longer_one(self) -> None:
        changed = {"torch": exactly(0.0, math.nan), "keras": exactly(0.0, 0.0)}
        record = measure(entry_that_shows(dataclasses.replace(invented, naive=changed)))
        assert not record.passed


def test_an_entry_of_other_versions_or_machines_is_not_measured() -> None:
    entry = entry_that_shows(invented)
    for other in (dataclasses.replace(entry, when="torch<1.0"), dataclasses.replace(entry, applies=lambda: False)):
        record = measure(other)
        assert record.passed is None
        assert not record.measured
        assert record.message.startswith("not measured")


def test_an_entry_that_fails_beyond_what_was_measured_is_not_verified() -> None:
    entry = entry_that_shows(dataclasses.replace(invented, naive={"torch": double, "keras": double}))
    record = measure(dataclasses.replace(entry, when="torch>=1.0"))
    assert record.measured
    assert record.passed is None
    assert record.boundary == "boundary not verified: torch>=1.0 was not measured"
    assert "the difference is gone" in record.message


class TestWithAFrameworkMissing:
    def test_an_entry_that_does_without_it_is_measured(self) -> None:
        record = measure(
            entry_that_shows(
                dataclasses.replace(
                    invented,
                    naive={"torch": double, "numpynet": triple},
                    elsewhere={"torch": double, "numpynet": double},
                )
            )
        )
        assert record.measured

    def test_an_entry_that_needs_it_is_not(self) -> None:
        def needs_it() -> Demonstration:
            raise ModuleNotFoundError("No module named 'tensorflow'", name="tensorflow.python")

        entry = entry_that_shows(invented)
        for lacking in (
            dataclasses.replace(entry, demonstrate=needs_it),
            dataclasses.replace(entry, applies=lambda: bool(needs_it())),
        ):
            record = measure(lacking)
            assert record.message == "not measured: tensorflow not installed"
            assert record.passed is None
            assert not record.measured

    def test_any_other_module_that_is_missing_is_an_error(self) -> None:
        def needs_another() -> Demonstration:
            raise ModuleNotFoundError("No module named 'strange'", name="strange")

        with pytest.raises(ModuleNotFoundError, match="strange"):
            measure(dataclasses.replace(entry_that_shows(invented), demonstrate=needs_another))


def test_conditions_compare_versions_by_number() -> None:
    numbers = tuple(map(int, versions()["numpy"].split(".")[:2]))
    assert holds_here("")
    assert holds_here(f"numpy>={numbers[0]}.{numbers[1]}")
    assert holds_here(f"numpy<{numbers[0]}.{numbers[1] + 1}")
    assert not holds_here(f"numpy<{numbers[0]}.{numbers[1]}")
    assert not holds_here("nothing>=1.0")
    assert holds_here(f"numpy>={numbers[0]}.{numbers[1]},<{numbers[0] + 1}")
    assert not holds_here(f"numpy>={numbers[0]},<{numbers[0]}.{numbers[1]}")
    with pytest.raises(ValueError, match="numpy = 2"):
        holds_here("numpy = 2")
