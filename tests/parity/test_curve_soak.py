"""What right curves need is observed, resumed and turned into rung 4's budget."""

from __future__ import annotations

import numpy as np
import pytest

from parity import curve_soak
from parity.curve_budget import budget, least_factor
from parity.curve_soak import KIND, MOVED, factors, soak_seed
from parity.curves import FACTOR, MOVED_RUNS, SEEDS, judge_losses
from parity.report import write_report
from parity.results import Results


def test_the_factor_that_a_curve_needs_is_the_least_that_allows_it():
    rng = np.random.default_rng(0)
    reference = np.linspace(2, 1, 50)
    moved = reference + 1e-9 * rng.standard_normal((MOVED, 50))
    found = reference + 3e-9 * rng.standard_normal(50)
    needed = factors(reference, moved, found, "float32")
    assert len(needed) == MOVED
    used = judge_losses({"x": found.tolist()}, reference.tolist(), moved[:MOVED_RUNS].tolist(), "float32").used["x"]
    assert needed[MOVED_RUNS - 1] == pytest.approx(FACTOR * used)


def test_a_curve_that_ends_early_needs_what_no_factor_gives():
    reference = np.ones(5)
    assert factors(reference, reference + np.zeros((MOVED, 5)), reference[:3], "float64") == [np.inf] * MOVED


def test_a_soak_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(
        curve_soak, "curves", lambda seed: [("digits-plain", "float32"), ("digits-regression", "float64")]
    )
    soak_seed(str(tmp_path), "here", 5, [])
    results = Results(tmp_path)
    assert [record["key"] for record in results.read(KIND)] == [
        "here/5/digits-plain/float32",
        "here/5/digits-regression/float64",
    ]
    kept = np.load(tmp_path / "deviations" / "here_5_digits-plain_float32.npz")
    assert kept["step_losses moved"].shape == (MOVED, 228)
    monkeypatch.setattr(curve_soak, "observe", None)
    soak_seed(str(tmp_path), "here", 5, [])
    with pytest.raises(TypeError):
        soak_seed(str(tmp_path), "here", 6, [])


def records(needed):
    return [{"factors": {"torch": [float(factor)] * MOVED}} for factor in needed]


def test_the_budget_falls_with_the_factor_and_counts_what_a_relu_parted():
    needed = np.random.default_rng(0).gamma(8, 0.125, 2000)
    right = budget(records(needed), factor=6)
    assert (right.curves, right.strayed) == (2000, 0)
    assert right.largest == needed.max()
    assert right.of_alarm == right.upper**SEEDS
    assert budget(records(needed), factor=3).upper > right.upper
    parted = budget(records([*needed, 1e5]), factor=6)
    assert parted.strayed == 1
    assert parted.largest == right.largest
    assert parted.upper > right.upper


def test_the_least_factor_keeps_the_budget_and_a_heavier_tail_needs_more():
    rng = np.random.default_rng(0)
    light, heavy = 0.5 + np.abs(rng.standard_normal(3000)) / 4, 0.5 + np.abs(rng.standard_t(8, 3000)) / 4
    assert light.max() < least_factor(records(light), MOVED_RUNS) < least_factor(records(heavy), MOVED_RUNS)
    assert least_factor(records(light[:100]), MOVED_RUNS) == np.inf  # too few to say


def test_an_alarm_is_one_in_the_report_too(tmp_path, monkeypatch):
    curve = {"seed": 1, "name": "digits-plain", "dtype": "float32", "steps": 1, "compared": 1, "seconds": 0.0}
    needs = {"factors": {"torch": [2 * FACTOR] * 8}}
    monkeypatch.setattr(curve_soak, "curves", lambda seed: [("digits-plain", "float32")])
    monkeypatch.setattr(curve_soak, "observe", lambda *_: (curve | needs, {}))
    monkeypatch.setattr(curve_soak, "_again", lambda *_: True)
    curve_soak.soak_seed(str(tmp_path / "results"), "here", 1, [])
    Results(tmp_path / "results").write_environment({"stack": "made-up"})
    summary = write_report([tmp_path / "results"], tmp_path / "report")
    assert summary.status == "invalid"
    assert "without a false alarm" in summary.headline
