"""Every version condition of the catalogue was measured; and what was measured is searched and read rightly."""

from __future__ import annotations

import itertools
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

import parity
from parity.boundaries.laboratory import Laboratory, code, outcomes_of
from parity.boundaries.measuring import changes, conditions, first_of_each_minor, found_in, off, packages_of, search
from parity.boundaries.one import REFUSALS, SPECIALS
from parity.catalogue import special
from parity.catalogue.deviation import Deviation
from parity.results import boundaries
from parity.results.boundaries import Boundary, before, measured, not_verified, unmeasured
from parity.results.code import digest
from parity.results.conditions import Bound, bounds
from parity.results.packages import versions

listed = conditions()


@pytest.mark.parametrize("entry", listed)
def test_a_condition_cuts_between_two_releases_that_were_measured_to_differ(entry: str) -> None:
    assert not unmeasured(entry, listed[entry])


@pytest.mark.parametrize("entry", listed)
def test_every_change_that_was_measured_is_in_a_condition(entry: str) -> None:
    stated = [bound for when in listed[entry] for bound in bounds(when)]
    for boundary in boundaries.boundaries(entry):
        assert any(boundary.agrees(bound) for bound in stated), boundary


def test_no_release_that_was_measured_is_off() -> None:
    assert not {
        f"{found['package']} {found['version']}": found["off"] for found in measured()["releases"] if found["off"]
    }


def test_no_version_is_written_down_beside_the_catalogue() -> None:
    """What else depends on a version asks `before`, which reads what was measured."""
    for path in Path(parity.__file__).parent.rglob("*.py"):
        assert not re.search(r"holds_here\(\s*[f\"']", path.read_text(encoding="utf-8")), path


def test_two_neighbours_agree_with_the_bounds_between_them() -> None:
    boundary = Boundary("an entry", "keras", "3.6.0", "3.7.0")
    assert boundary.agrees(Bound("keras", ">=", "3.7"))
    assert boundary.agrees(Bound("keras", "<", "3.6.1"))
    assert not boundary.agrees(Bound("keras", ">=", "3.6"))
    assert not boundary.agrees(Bound("keras", ">=", "3.8"))
    assert not boundary.agrees(Bound("torch", ">=", "3.7"))


found: dict[str, Any] = {
    "boundaries": [{"package": "torch", "last": "2.6.0", "first": "2.8.0", "entries": ["elu"]}],
    "releases": [{"package": "torch", "version": version} for version in ("2.2.0", "2.6.0", "2.8.0", "2.10.0")],
}


class TestAnEntryIsNotVerified:
    @pytest.mark.parametrize(
        ("installed", "said"),
        [
            ("2.2.0", ""),
            ("2.6.0", ""),
            ("2.7.1", "boundary not verified: it lies between torch 2.6.0 and 2.8.0, and so does 2.7.1"),
            ("2.8.0", ""),
            ("2.10.0", ""),
            ("2.10.1", "boundary not verified: torch 2.2.0 to 2.10.0 were measured, not 2.10.1"),
            ("2.1.0", "boundary not verified: torch 2.2.0 to 2.10.0 were measured, not 2.1.0"),
        ],
    )
    def test_where_the_installed_release_lies_beyond(
        self, installed: str, said: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(boundaries, "measured", lambda: found)
        monkeypatch.setattr(boundaries, "versions", lambda: {"torch": installed})
        assert not_verified("elu", ["torch<2.8"]) == said

    def test_where_its_condition_was_not_measured(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(boundaries, "measured", lambda: found)
        assert not_verified("elu", ["torch<2.6"]) == "boundary not verified: torch<2.6 was not measured"
        assert not_verified("another", ["torch<2.8"]) == "boundary not verified: torch<2.8 was not measured"

    def test_not_without_a_condition(self) -> None:
        assert not_verified("elu", [""]) == ""


@pytest.mark.parametrize(("installed", "expected"), [("2.6.0", True), ("2.8.0", False), ("3.0", False), (None, False)])
def test_before_the_release_that_ended_it(
    installed: str | None, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boundaries, "measured", lambda: found)
    monkeypatch.setattr(boundaries, "versions", lambda: {} if installed is None else {"torch": installed})
    assert before("elu") is expected
    with pytest.raises(LookupError, match="changes 0 times"):
        before("another")


def test_a_search_finds_every_change_and_measures_few() -> None:
    releases = [f"3.{minor}.{patch}" for minor in range(8) for patch in range(6)]
    tried: list[str] = []

    def measure(version: str) -> dict[str, str]:
        tried.append(version)
        place = releases.index(version)
        return {"ends": str(place < 21), "comes and goes": str(12 <= place < 24), "always": "there"}

    outcomes = search(releases, measure, {"ends", "comes and goes", "always"})
    assert len(tried) == len(set(tried)) < len(releases) / 2
    changes = [
        (last, first)
        for last, first in itertools.pairwise(sorted(outcomes, key=releases.index))
        if outcomes[last] != outcomes[first]
    ]
    assert changes == [("3.1.5", "3.2.0"), ("3.3.2", "3.3.3"), ("3.3.5", "3.4.0")]


def test_a_search_goes_round_a_release_that_is_not_measurable() -> None:
    releases = ["3.0.0", "3.0.1", "3.1.0", "3.1.1", "3.1.2", "3.2.0"]

    def measure(version: str) -> dict[str, str] | None:
        return None if version in ("3.0.0", "3.1.0", "3.2.0") else {"ends": str(version < "3.1.2")}

    assert list(search(releases, measure, {"ends"})) == ["3.0.1", "3.1.1", "3.1.2"]
    assert search(releases, lambda version: None, {"ends"}) == {}


@pytest.mark.parametrize(
    ("kernels", "expected"), [("Eigen", []), ("oneDNN", ["MaxPool2d/windows larger than the image"])]
)
def test_a_record_is_judged_by_the_kernels_it_was_measured_with(kernels: str, expected: list[str]) -> None:
    outcomes = {REFUSALS: {"MaxPool2d/windows larger than the image": "numpynet torch"}}
    assert off({"versions": versions(), "kernels": kernels, "outcomes": outcomes})["off"] == expected


@pytest.mark.parametrize(("version", "expected"), [("2.4.0", []), ("2.2.0", ["Tanh/NaN"])])
def test_special_values_of_a_record_are_judged_by_the_table_and_the_release_s_versions(
    version: str, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = Deviation("Tanh", "NaN", "torch", {"output": "NaN to finite"}, "a reason", ("last",), when="torch>=2.3")
    monkeypatch.setattr(special, "KNOWN", [entry])
    words = {place: ("float32", place) for place in ("first", "last")}
    found = {special.Cell("torch", "output", words["last"]): "NaN to finite"}
    each = special.Tried("Tanh", "NaN", ["torch"], dict.fromkeys(words.values(), ""), 2, found)
    outcomes = {SPECIALS: {"Tanh/NaN": special.as_outcome(each)}}
    record = {"versions": versions() | {"torch": version}, "kernels": "Eigen", "outcomes": outcomes}
    assert off(record) == {"judged": 1, "off": expected}


def test_a_condition_of_a_special_value_is_one_to_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = Deviation("Tanh ReLU", "NaN, -0", "torch", {"output": "NaN to finite"}, "a reason", when="torch>=2.3")
    monkeypatch.setattr("parity.catalogue.specials.KNOWN", [entry])
    assert {f"{pair}/{value}" for pair, value in entry.entries()} <= conditions().keys()


def test_a_release_that_is_not_measurable_is_said_with_its_reason(tmp_path: Path) -> None:
    home = tmp_path / "keras-beside-numpy2"
    write_record(home, "3.6.0", {REFUSALS: {}})
    write_record(home, "3.7.0", {}, unmeasurable="ImportError: it wants another NumPy")
    said = found_in(tmp_path, {})
    assert [release["version"] for release in said["releases"]] == ["3.6.0"]
    assert [(release["version"], release["why"]) for release in said["unmeasurable"]] == [
        ("3.7.0", "ImportError: it wants another NumPy")
    ]
    assert changes(tmp_path) == ["keras 3.7.0 was not measured: ImportError: it wants another NumPy"]


def test_what_was_measured_by_other_code_is_left_out(tmp_path: Path) -> None:
    write_record(tmp_path / "keras-beside-numpy2", "3.6.0", {REFUSALS: {}}, code={**code(), REFUSALS: "other"})
    assert found_in(tmp_path, {})["releases"] == []
    assert changes(tmp_path) == ["keras 3.6.0 was measured by code that has changed: measure it again"]


def test_what_the_table_of_refusals_says_makes_no_record_stale(tmp_path: Path) -> None:
    family = tmp_path / "family.py"
    digests = []
    for known, tried in (("[]", "{}"), ("[1]", "{}"), ("[]", "{1: 2}")):
        family.write_text(f"KNOWN = {known}\nSETTINGS = {tried}\n", encoding="utf-8")
        digests.append(digest([family], but="KNOWN"))
    assert digests[0] == digests[1] != digests[2]


def test_outcomes_of_a_part_that_is_no_more_do_not_count() -> None:
    assert outcomes_of({"outcomes": {"activations": {"gelu": "there"}, "smoothed": {"gelu": "not there"}}}) == {
        "gelu": "there"
    }


class TestALaboratory:
    def test_measures_the_parts_whose_code_has_changed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        tried: list[list[str]] = []

        def found(self: Laboratory, version: str, known: dict[str, Any], parts: list[str]) -> dict[str, Any]:
            tried.append(parts)
            return known | {"versions": {}, "kernels": None, "outcomes": {part: {part: "there"} for part in code()}}

        monkeypatch.setattr(Laboratory, "_found", found)
        laboratory = Laboratory("keras", tmp_path)
        assert laboratory.measure("3.6.0") == dict.fromkeys(code(), "there")
        assert laboratory.measure("3.6.0") == dict.fromkeys(code(), "there")
        record = json.loads(laboratory.record("3.6.0").read_text(encoding="utf-8"))
        record["code"]["activations"] = "other"
        laboratory.record("3.6.0").write_text(json.dumps(record), encoding="utf-8")
        for _ in range(2):
            laboratory.measure("3.6.0")
        assert tried == [[*code()], ["activations"]]

    def test_measures_what_is_installed_once_for_all_packages(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def found(self: Laboratory, version: str, known: dict[str, Any], parts: list[str]) -> dict[str, Any]:
            return known | {"versions": versions(), "kernels": None, "outcomes": {REFUSALS: {"who": self.package}}}

        monkeypatch.setattr(Laboratory, "_found", found)
        assert Laboratory("torch", tmp_path).measure(versions()["torch"]) == {"who": "torch"}
        assert Laboratory("keras", tmp_path).measure(versions()["keras"]) == {"who": "torch"}
        assert Laboratory("keras", tmp_path).measure("3.6.0") == {"who": "keras"}

    def test_says_why_a_release_is_not_measurable(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def install(self: Laboratory, version: str, home: Path) -> dict[str, str]:
            home.mkdir()
            (home / "keras.py").write_text("raise ImportError('it wants another NumPy')", encoding="utf-8")
            return {**os.environ, "PYTHONPATH": os.pathsep.join([str(home), *sys.path])}

        monkeypatch.setattr(Laboratory, "_install", install)
        laboratory = Laboratory("keras", tmp_path)
        assert laboratory.measure("3.6.0") is None
        said = json.loads(laboratory.record("3.6.0").read_text(encoding="utf-8"))
        assert said["unmeasurable"] == "ImportError: it wants another NumPy"
        assert [path.name for path in laboratory.folder.iterdir()] == ["keras-3.6.0.json"]


def test_minor_versions_are_ordered_by_number() -> None:
    assert first_of_each_minor(["3.9.0", "3.9.1", "3.10.0", "3.10.1"]) == ["3.9.0", "3.10.0"]


def write_record(home: Path, version: str, outcomes: dict[str, dict[str, str]], **changed: Any) -> None:
    """A record of Keras beside what the folder's name says."""
    record = {
        "package": "keras",
        "version": version,
        "beside": {"numpy": home.name},
        "date": "",
        "code": code(),
        "kernels": "Eigen",
        "versions": {**versions(), "keras": version},
        "outcomes": outcomes,
    }
    home.mkdir(exist_ok=True)
    (home / f"keras-{version}.json").write_text(json.dumps(record | changed), encoding="utf-8")


def test_what_two_folders_of_records_say_is_narrowed_down(tmp_path: Path) -> None:
    entry = "Sum/empty batch"
    for beside, tried in {
        "numpy2": {"3.6.0": "", "3.7.0": "tensorflow"},
        "numpy1": {"3.3.3": "", "3.8.0": "tensorflow"},
    }.items():
        home = tmp_path / f"keras-beside-{beside}"
        for version, outcome in tried.items():
            write_record(home, version, {REFUSALS: {entry: outcome}})
    said = found_in(tmp_path, {entry: ["keras>=3.7"]})
    assert said["boundaries"] == [{"package": "keras", "last": "3.6.0", "first": "3.7.0", "entries": [entry]}]
    assert [release["off"] for release in said["releases"]] == [[], [], [], []]
    assert said["unmeasurable"] == []
    assert packages_of(entry, {entry: ["keras>=3.7"]}) == {"keras"}


def test_what_is_known_of_other_releases_may_be_kept_and_is_narrowed_down(tmp_path: Path) -> None:
    entry, other, listed = "Sum/empty batch", "Sum/one row", ["keras>=3.7"]
    home = tmp_path / "keras-beside-numpy2"
    for version, outcome in {"3.3.3": "", "3.8.0": "tensorflow"}.items():
        write_record(home, version, {REFUSALS: {entry: outcome, other: outcome}})
    earlier = found_in(tmp_path, {entry: listed, other: listed})
    for file in home.iterdir():
        file.unlink()
    for version, outcome in {"3.6.0": "", "3.7.0": "tensorflow"}.items():
        write_record(home, version, {REFUSALS: {entry: outcome}})
    said = found_in(tmp_path, {entry: listed, other: listed}, earlier)
    assert said["boundaries"] == [
        {"package": "keras", "last": "3.3.3", "first": "3.8.0", "entries": [other]},
        {"package": "keras", "last": "3.6.0", "first": "3.7.0", "entries": [entry]},
    ]
    assert [release["version"] for release in said["releases"]] == ["3.3.3", "3.6.0", "3.7.0", "3.8.0"]
