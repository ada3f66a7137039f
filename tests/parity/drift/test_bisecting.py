"""The release is found in which a change appeared, over made-up stacks of the releases between."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from made_up_records import add
from made_up_stack import curve, moved, signature, stack, tensors

from parity.drift import between
from parity.drift.between import bisected
from parity.drift.bisecting import located
from parity.drift.comparing import compare, drift
from parity.drift.document import Step, Versions
from parity.drift.stack import Stack, read
from parity.results.records import Record
from parity.results.records.plans import PlanRecord
from parity.results.store import Results

RELEASES = ["2.9.1", "2.10.0", "2.11.0", "2.12.0", "2.12.1", "2.13.0"]


def bisect(
    folder: Path, differing: Callable[[int], list[Record]], broken: frozenset[str] = frozenset()
) -> tuple[Step, list[str]]:
    """The step over all releases, each of which has the records that `differing` says, and what was measured."""

    def made(version: str) -> Stack:
        return read([stack(folder / version, *differing(RELEASES.index(version)), torch=version)])[0]

    def measure(version: str) -> Stack | None:
        tried.append(version)
        return None if version in broken else made(version)

    tried: list[str] = []
    ends = made(RELEASES[0]), made(RELEASES[-1])
    versions = Versions(name="torch", before=RELEASES[0], after=RELEASES[-1])
    return located(compare(*ends, {}).step, versions, ends, RELEASES[1:-1], measure), tried


def between_which(found: Any) -> list[tuple[str, str]]:
    return [(each.before, each.after) for each in found.releases]


@pytest.mark.parametrize("first", range(1, len(RELEASES)))
def test_a_move_is_found_in_the_release_that_brought_it(first: int, tmp_path: Path) -> None:
    step, tried = bisect(tmp_path, lambda place: [tensors(moved(2 if place >= first else 0))])
    assert between_which(step.numbers[0]) == [(RELEASES[first - 1], RELEASES[first])]
    assert len(tried) == len(set(tried)) <= 3


def test_each_change_is_found_at_its_own_release(tmp_path: Path) -> None:
    step, _ = bisect(
        tmp_path,
        lambda place: [tensors(moved(1 if place >= 2 else 0)), signature(eps="0.001" if place >= 4 else "1e-05")],
    )
    assert between_which(step.numbers[0]) == [("2.10.0", "2.11.0")]
    assert between_which(step.behaviour[0]) == [("2.12.0", "2.12.1")]


def test_what_moves_twice_is_found_twice(tmp_path: Path) -> None:
    step, _ = bisect(tmp_path, lambda place: [tensors(moved((place >= 1) + (place >= 5)))])
    assert between_which(step.numbers[0]) == [("2.9.1", "2.10.0"), ("2.12.1", "2.13.0")]


def test_a_release_that_does_not_work_is_gone_round(tmp_path: Path) -> None:
    step, tried = bisect(tmp_path, lambda place: [tensors(moved(2 if place >= 3 else 0))], broken=frozenset({"2.12.0"}))
    assert "2.12.0" in tried
    assert between_which(step.numbers[0]) == [("2.11.0", "2.12.1")]


def test_what_is_not_measured_of_a_release_has_none(tmp_path: Path) -> None:
    step, tried = bisect(tmp_path, lambda place: [curve([2.0, 1.0, 0.5 + place])])
    assert step.curves
    assert tried == []


def two(folder: Path, **packages: str) -> list[Path]:
    """The folders of two stacks with other releases of torch, and of these packages besides."""
    known = {"numpy": "2.4.6", "tensorflow": "2.21.0", "keras": "3.15.1"}
    after = stack(folder / "b", tensors(moved(1)), torch="2.13.0", packages=known | packages)
    return [stack(folder / "a"), after]


@pytest.mark.parametrize(
    ("packages", "said"),
    [({"keras": "3.16.0"}, "several packages changed"), ({}, "this environment is neither of the two")],
)
def test_where_nothing_can_be_measured_between_it_says_why(packages: dict[str, str], said: str, tmp_path: Path) -> None:
    folders = two(tmp_path, **packages)
    (step,) = bisected(drift(folders), folders, tmp_path / "kept").steps
    assert not step.numbers[0].releases
    assert f"the releases between were not looked for: {said}" in step.notes[-1]


@pytest.mark.parametrize(
    ("other", "fits"), [({"protobuf": "5.29.6", "tensorboard": "2.18.0"}, True), ({"numpy": "2.2.6"}, False)]
)
def test_what_a_release_requires_may_be_another_here_and_what_computes_may_not(
    other: dict[str, str], fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = {"numpy": "2.4.6", "torch": "2.13.0", "protobuf": "7.36.2"}
    there = here | {"torch": "2.9.1"} | other
    python = platform.python_version()
    before = stack(tmp_path / "before", installed=there, python=python)
    newer = there | {"torch": "2.10.0"}
    after = stack(tmp_path / "after", tensors(moved(1)), torch="2.10.0", installed=newer, python=python)
    monkeypatch.setattr(between, "installed", lambda: here)
    monkeypatch.setattr(between, "published", lambda *_: [])
    (step,) = bisected(drift([before, after]), [before, after], tmp_path / "kept").steps
    assert ("this environment is neither of the two" not in step.notes[-1]) is fits
    assert bool(step.numbers[0].releases) is fits


def test_the_releases_that_do_not_work_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise subprocess.CalledProcessError(1, "pip", stderr="ERROR: no matching distribution")

    folders = two(tmp_path)
    monkeypatch.setattr(between, "lock", lambda: "lock of torch 2.13.0")
    monkeypatch.setattr(between, "published", lambda *_: ["2.2.2", *RELEASES, "2.14.0"])
    monkeypatch.setattr(between, "releases", refused)
    (step,) = bisected(drift(folders), folders, tmp_path / "kept").steps
    assert "of 4 releases between, 4 were measured; these do not work beside the rest: " in step.notes[-1]
    assert between_which(step.numbers[0]) == [("2.9.1", "2.13.0")]


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        ({"threads": {"OMP_NUM_THREADS": "2"}}, "the machine is not theirs (OMP_NUM_THREADS 1 to 2)"),
        ({"code": "another"}, "other code of parity drew and judged them"),
    ],
)
def test_it_is_told_why_no_move_is_found_by_releases_that_are_measured_otherwise(
    measured: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = measured.pop("code", "c0de")

    def perform(commands: list[list[str]], variables: dict[str, str]) -> None:
        folder, version = Path(commands[0][-1]), variables["version"]
        stack(folder, tensors(code=code), torch=version, **measured)
        plan = PlanRecord(key="fingerprint", command="fingerprint", begun="then", ended="now", code="whole")
        add(Results(folder), plan)

    folders = two(tmp_path)
    monkeypatch.setattr(between, "lock", lambda: "lock of torch 2.13.0")
    monkeypatch.setattr(between, "whole", lambda: "whole")
    monkeypatch.setattr(between, "published", lambda *_: ["2.10.0"])
    monkeypatch.setattr(between, "releases", lambda pins, index: nullcontext({"version": pins["torch"]}))
    monkeypatch.setattr(between, "perform", perform)
    (step,) = bisected(drift(folders), folders, tmp_path / "kept").steps
    assert f"1 were measured; their tensors cannot be compared with those of the stacks: {said}" in step.notes[-1]
    assert not step.numbers[0].releases
