"""What right curves need is observed, resumed and turned into rung 4's budget."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from parity.report import write_report
from parity.results.records import Json
from parity.results.store import Results
from parity.soak import curves as curve_soak
from parity.soak.budget import BUDGET, all_strayed, budget, least_factor
from parity.soak.curves import KIND, MOVED, factors, name_in, soak_seed
from parity.training.curves import FACTOR, MOVED_RUNS, judge_losses


def test_the_factor_that_a_curve_needs_is_the_least_that_allows_it() -> None:
    rng = np.random.default_rng(0)
    reference = np.linspace(2, 1, 50)
    moved = reference + 1e-9 * rng.standard_normal((MOVED, 50))
    found = reference + 3e-9 * rng.standard_normal(50)
    needed = factors(reference, moved, found, "float32")
    assert len(needed) == MOVED
    used = judge_losses({"x": found.tolist()}, reference.tolist(), moved[:MOVED_RUNS].tolist(), "float32").used["x"]
    assert needed[MOVED_RUNS - 1] == pytest.approx(FACTOR * used)


def test_a_curve_that_ends_early_needs_what_no_factor_gives() -> None:
    reference = np.ones(5)
    assert factors(reference, reference + np.zeros((MOVED, 5)), reference[:3], "float64") == [np.inf] * MOVED


def test_a_soak_goes_on_where_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    networks = [("digits-plain", "float32"), ("digits-regression", "float64")]
    soak_seed(str(tmp_path), "here", 5, [], networks)
    results = Results(tmp_path)
    assert [name_in(record) for record in results.read(KIND)] == [
        "here/5/digits-plain/float32",
        "here/5/digits-regression/float64",
    ]
    kept = np.load(tmp_path / "deviations" / "here_5_digits-plain_float32.npz")
    assert kept["step_losses moved"].shape == (MOVED, 228)
    monkeypatch.setattr(curve_soak, "observe", None)
    soak_seed(str(tmp_path), "here", 5, [], networks)
    with pytest.raises(TypeError):
        soak_seed(str(tmp_path), "here", 6, [], networks)


def records(needed: Iterable[float], networks: int = 2) -> list[Json]:
    return [
        {
            "name": f"network {number % networks}",
            "dtype": "float32",
            "passed": True,
            "factors": {"torch": [float(factor)] * MOVED},
        }
        for number, factor in enumerate(needed)
    ]


def test_the_budget_falls_with_the_factor_and_counts_what_a_relu_parted() -> None:
    needed = np.random.default_rng(0).gamma(8, 0.125, 2000)
    right = budget(records(needed), factor=6)
    assert (right.curves, right.strayed, right.of_alarm) == (2000, 0, 0)
    assert right.largest == needed.max()
    stricter = [budget(records(needed), factor=factor).of_alarm for factor in (2, 1.5, 1)]
    assert 0 < stricter[0] < stricter[1] < stricter[2]
    parted = budget(records([*needed, 1e5]), factor=6)
    assert parted.strayed == 1
    assert parted.largest == right.largest
    assert parted.of_alarm > 0


def test_a_network_that_strays_often_costs_more_than_many_that_stray_seldom() -> None:
    everywhere, concentrated = np.ones((2, 600))
    everywhere[:6] = concentrated[:60:10] = 10  # of ten networks: six once each, and the first six times
    apart, together = (budget(records(needed, networks=10), factor=6) for needed in (everywhere, concentrated))
    assert apart.strayed == together.strayed == 6
    assert together.of_alarm > 10 * apart.of_alarm


def test_the_probability_that_the_next_curves_stray_is_the_moment_of_the_posterior() -> None:
    """By simulation; without any curves it is that of the prior, which a single curve outweighs."""
    rates = np.random.default_rng(0).beta(0.1 + 3, 0.9 + 20 - 3, 10**6)
    assert all_strayed(3, 20, 2, usual=0.1) == pytest.approx(np.mean(rates**2), rel=5e-3)  # five standard errors
    assert all_strayed(0, 0, 1, usual=0.1) == 0.1
    assert all_strayed(1, 1, 1, usual=0.1) == 0.55


def test_the_least_factor_keeps_the_budget_and_a_heavier_tail_needs_more() -> None:
    rng = np.random.default_rng(0)
    light, heavy = 1 + np.abs(rng.standard_normal(2000)), 1 + np.abs(rng.standard_t(8, 2000))
    least = least_factor(records(light), MOVED_RUNS)
    assert 1 < least < least_factor(records(heavy), MOVED_RUNS)
    assert budget(records(light), factor=least).of_alarm <= BUDGET < budget(records(light), factor=least - 0.1).of_alarm
    assert least_factor(records(np.full(100, 1e5)), MOVED_RUNS) == np.inf  # all were parted by a ReLU


def test_an_alarm_is_one_in_the_report_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    curve = {"seed": 1, "name": "digits-plain", "dtype": "float32", "steps": 1, "compared": 1, "seconds": 0.0}
    needs = {"factors": {"torch": [2 * FACTOR] * 8}}
    monkeypatch.setattr(curve_soak, "observe", lambda *_: (curve | needs, {}))
    monkeypatch.setattr(curve_soak, "_again", lambda *_: True)
    curve_soak.soak_seed(str(tmp_path / "results"), "here", 1, [], [("digits-plain", "float32")])
    Results(tmp_path / "results").write_environment({"stack": "made-up"})
    summary = write_report([tmp_path / "results"], tmp_path / "report")
    assert summary.status == "invalid"
    assert "without a false alarm" in summary.headline
