"""The page of the benchmarks says what was measured, and nothing by hand."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import typer

from benchmarks.commands import COMMANDS, Peak
from benchmarks.growth import exponent
from benchmarks.scheduling import simulated
from benchmarks.sheets import Requirement, page, requirements, sheets
from parity.cli import app

ROOT = Path(__file__).parents[2]
KEPT = json.loads((ROOT / "benchmarks" / "measured.json").read_text())


def test_the_page_is_made_of_what_was_measured() -> None:
    assert (ROOT / "docs" / "pages" / "benchmarks.md").read_text() == page(KEPT)


def test_everything_is_kept_with_what_it_ran_on() -> None:
    measured = {"step", "convolution", "layers", "memory", "ladder", "study", "commands", "comparison"}
    assert {*measured, "where", "load"} == set(KEPT)
    assert {"python", "numpy", "torch", "tensorflow"} <= set(KEPT["where"]["versions"])
    assert "kernel" in KEPT["where"]["blas"]


def test_what_is_above_its_limit_is_missed() -> None:
    assert not Requirement("a", 1.01, 1.0).held
    asked, *_ = sheets(KEPT)
    outcomes = [row[-1] for row in asked.rows]
    expected = ["holds" if each.measured <= each.limit else "MISSED" for each in requirements(KEPT)]
    assert outcomes == sorted(expected)  # what is missed is told first


def test_what_was_not_measured_has_no_sheet() -> None:
    found = list(sheets({"where": KEPT["where"], "load": 0.0, "memory": KEPT["memory"]}))
    assert [sheet.title for sheet in found] == ["What was asked for", "Peak memory, MB"]


def test_a_comparison_that_takes_more_than_a_hundred_steps_is_missed() -> None:
    cost = {"parameters": 2e6, "torch": 0.1, "keras": 0.1, "comparison": 20.2, "ratio": 101.0, "megabytes": 900.0}
    asked, table = sheets({"where": KEPT["where"], "load": 0.0, "comparison": {"net": cost | {"share": 0.25}}})
    assert [dict(zip(table.columns, row, strict=True))["ratio"] for row in table.rows] == ["101"]
    assert [row[-1] for row in asked.rows] == ["MISSED"]


def layers(*ratios: float) -> dict[str, object]:
    """What is measured of layers, made up: numpynet's time to torch's, one layer each."""
    spread = {"median": 1.0, "min": 1.0, "max": 1.0}
    return {
        f"layer {number}": {
            "usual": {"microseconds": {"numpynet": spread}, "ratios": {"torch": spread | {"median": ratio}}}
        }
        for number, ratio in enumerate(ratios)
    }


def test_every_layer_above_twice_torchs_time_is_missed_and_the_mean_of_all_is_told() -> None:
    found = requirements({"layers": layers(0.25, 4.0, 2.5, 0.5)})
    assert [(each.what, each.measured, each.held) for each in found] == [
        ("layer, layer 1, usual: numpynet / torch", 4.0, False),
        ("layer, layer 2, usual: numpynet / torch", 2.5, False),
        ("geometric mean of 4 layers and sizes: numpynet / torch", pytest.approx(1.0574, abs=1e-4), False),
    ]
    assert [each.held for each in requirements({"layers": layers(0.5, 1.5)})] == [True, True]


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_an_exponent_is_that_of_the_upper_half_where_what_any_size_takes_is_small(power: float) -> None:
    costs = {str(size): {"seconds": 3 * size**power} for size in (8, 16, 32, 64, 128)}
    assert exponent({"4": {"seconds": 1e3}} | costs) == pytest.approx(power)


def test_a_cluster_scales_until_what_passes_through_one_process_takes_as_long_as_the_runs() -> None:
    each = {"client": 0.002, "scheduler": 0.001, "workers": 0.0}
    hours = {workers: simulated(2_000, workers, 1.0, each) for workers in (1, 10, 10_000)}
    assert hours[1] * 3600 == pytest.approx(2_000, rel=0.01)
    assert hours[10] * 3600 == pytest.approx(200, rel=0.01)
    # A run and its result pass through the client, whatever the number of workers, and the last one is waited for.
    assert 2_000 * 0.002 <= hours[10_000] * 3600 <= 2_000 * 0.002 + 1.1


def test_the_memory_of_a_command_is_that_of_its_workers_too() -> None:
    hold = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'b = bytes([1]) * (80 * 2**20); input()'])"
    process = psutil.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE)
    peak = Peak(process)
    deadline = time.monotonic() + 30
    while peak.megabytes < 80 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.communicate(b"\n")
    peak.stop()
    assert peak.megabytes > 80


def test_every_command_is_one_of_paritys() -> None:
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert {command[0] for command in COMMANDS.values()} <= {*known, "--help"}
