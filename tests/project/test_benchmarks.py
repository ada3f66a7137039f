"""The page of the benchmarks says what was measured, and nothing by hand."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.sheets import Requirement, page, requirements, sheets

ROOT = Path(__file__).parents[2]
KEPT = json.loads((ROOT / "benchmarks" / "measured.json").read_text())


def test_the_page_is_made_of_what_was_measured() -> None:
    assert (ROOT / "docs" / "pages" / "benchmarks.md").read_text() == page(KEPT)


def test_everything_is_kept_with_what_it_ran_on() -> None:
    assert {"step", "convolution", "memory", "ladder", "study", "where", "load"} == set(KEPT)
    assert {"python", "numpy", "torch", "tensorflow"} <= set(KEPT["where"]["versions"])
    assert "kernel" in KEPT["where"]["blas"]


def test_what_is_above_its_limit_is_missed() -> None:
    assert not Requirement("a", 1.01, 1.0).held
    *_, asked = sheets(KEPT)
    outcomes = [row[-1] for row in asked.rows]
    assert outcomes == ["holds" if each.measured <= each.limit else "MISSED" for each in requirements(KEPT)]


def test_what_was_not_measured_has_no_sheet() -> None:
    found = list(sheets({"where": KEPT["where"], "load": 0.0, "memory": KEPT["memory"]}))
    assert [sheet.title for sheet in found] == ["Peak memory, MB", "What was asked for"]


def test_a_comparison_that_takes_more_than_a_hundred_steps_is_missed() -> None:
    cost = {"parameters": 2e6, "torch": 0.1, "keras": 0.1, "comparison": 20.2, "ratio": 101.0, "megabytes": 900.0}
    table, asked = sheets({"where": KEPT["where"], "load": 0.0, "comparison": {"net": cost | {"share": 0.25}}})
    assert [dict(zip(table.columns, row, strict=True))["ratio"] for row in table.rows] == ["101"]
    assert [row[-1] for row in asked.rows] == ["MISSED"]
