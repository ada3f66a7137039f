"""Who says that something changed is told where it was measured, and the page is made of what was kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from parity.drift.document import Change, Versions
from parity.drift.sources import FILE, claims, fits, name_of, sources, told
from parity.report import drifts
from parity.report.drifts import KEPT, PAGE, kept, page
from parity.results.boundaries import boundaries


def change(kind: str, key: str, after: str = "x") -> Change:
    return Change(kind=kind, key=key, of="keras", what="changed", before="y", after=after)


def keras(before: str, after: str) -> list[Versions]:
    return [Versions(name="keras", before=before, after=after)]


def test_a_change_is_called_by_kind_and_key_and_a_signature_by_its_parameter() -> None:
    added = "renorm=False in the place of synchronized"
    assert name_of(change("signatures", "keras.layers.X", added)) == "signatures keras.layers.X renorm"
    assert name_of(change("refusals", "Linear/complex input")) == "refusals Linear/complex input"
    assert fits(change("refusals", "Linear/complex input"), ["refusals */complex input"])


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [("3.3.3", "3.15.1", True), ("3.5.0", "3.6.0", True), ("3.15.1", "3.3.3", True), ("3.6.0", "3.15.1", False)],
)
def test_a_source_is_told_of_a_step_over_its_release(before: str, after: str, found: bool) -> None:
    row = told(change("refusals", "Linear/complex input"), keras(before, after))
    assert bool(row.sources) is found


def test_the_releases_are_told_that_boundaries_were_measured_at() -> None:
    (known,) = [each for each in boundaries("Sum/empty batch") if each.package == "keras"]
    row = told(change("refusals", "Sum/empty batch"), keras("3.3.3", "3.15.1"))
    assert row.releases == keras(known.last, known.first)
    assert not told(change("refusals", "Sum/empty batch"), keras("3.9.0", "3.15.1")).releases
    assert not told(change("signatures", "Sum/empty batch"), keras("3.3.3", "3.15.1")).releases


def test_every_source_is_of_a_change_that_was_kept() -> None:
    rows = [told(row, step.packages) for step in kept() for row in step.behaviour]
    moves = [told(row, step.packages) for step in kept() for row in step.numbers]
    found = {url for row in rows for url in row.sources} | {url for move in moves for url in move.sources}
    assert {each.url for each in sources()} <= found, f"{FILE.name} names what was found in no step"


def test_a_source_of_one_dtype_is_told_of_moves_in_it_alone() -> None:
    moves = [told(move, step.packages) for step in kept() for move in step.numbers]
    of_one = {(each.url, each.dtype) for each in sources() if each.dtype}
    assert {(url, move.dtype) for move in moves for url in move.sources if url in dict(of_one)} == of_one


def test_an_address_of_the_catalogue_says_what_differs_and_not_that_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (before, *_) = kept()
    for name in ("KEPT", "PAGE"):
        monkeypatch.setattr(drifts, name, tmp_path / name)
    known = replace(change("differences", "compiled-sums"), sources=["https://github.com/jax-ml/jax/issues/585"])
    packages = keras("3.3.3", "3.15.1")
    drifts.keep([replace(before, packages=packages, behaviour=[known], numbers=[])])
    ((row,),) = (step.behaviour for step in kept())
    assert told(row, packages).sources == []
    assert "compiled-sums: differences | y → x | no source found |" in (tmp_path / "PAGE").read_text("utf-8")


def test_the_page_is_that_of_what_was_kept() -> None:
    assert PAGE.read_text("utf-8") == page(kept()), "run `python -m parity.report.drifts`"


def test_what_is_kept_is_small_and_has_changes_of_every_package() -> None:
    steps = kept()
    assert KEPT.stat().st_size < 300_000
    assert {"torch", "tensorflow", "keras", "numpy"} <= {each.name for step in steps for each in step.packages}
    assert sum(len(step.behaviour) + len(step.numbers) for step in steps) >= 20


def test_a_step_that_is_kept_anew_keeps_the_releases_that_were_bisected_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = next(step for step in kept() if any(row.releases for row in step.behaviour))
    for name in ("KEPT", "PAGE"):
        monkeypatch.setattr(drifts, name, tmp_path / name)
    drifts.keep([step])
    bare = [replace(row, releases=[]) for row in step.behaviour]
    drifts.keep([replace(step, behaviour=[*bare, change("refusals", "Linear/new")])])
    (found,) = kept()
    assert [row.releases for row in found.behaviour] == [*(row.releases for row in step.behaviour), []]


def test_every_claim_is_told_on_the_page() -> None:
    text = PAGE.read_text("utf-8")
    assert all(claim.text in text for claim in claims())
    assert Path(PAGE).name == "drift.md"
