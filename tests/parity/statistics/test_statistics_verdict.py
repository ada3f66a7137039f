"""Verdicts: each in its plain case, in the degenerate ones, and in words."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from numpynet import Array
from parity.statistics import (
    Equivalence,
    Outcome,
    Provenance,
    Verdict,
    decide,
    fewest_seeds,
    provenance_problems,
    trend_problems,
)

N_TEST = 1000
MARGIN = 0.005


def study(*differences: float | Array, n: int = 30, seed: int = 0) -> dict[str, Array]:
    """Accuracies of numpynet, and of others that differ by these numbers of test examples."""
    rng = np.random.default_rng(seed)
    base = 900 + np.rint(rng.normal(0, 10, n))
    names = ("torch", "tensorflow")
    others = {name: (base + shift) / N_TEST for name, shift in zip(names, differences, strict=False)}
    return {"numpynet": base / N_TEST, **others}


def noise(deviation: float, mean: float = 0.0, n: int = 30, seed: int = 1) -> Array:
    """Whole numbers with this mean, up to half a number."""
    draws = np.random.default_rng(seed).normal(0, deviation, n)
    return np.rint(draws - draws.mean() + mean)


def equivalences(verdict: Verdict) -> list[Equivalence]:
    """Of every pair, none of which lacks one."""
    found = [pair.test for pair in verdict.pairs if pair.test is not None]
    assert len(found) == len(verdict.pairs)
    return found


def test_same_accuracies_are_identical() -> None:
    verdict = decide(study(0, 0), n_test=N_TEST, margin=MARGIN)
    assert (verdict.outcome, verdict.exit_code, verdict.delta_star) == (Outcome.IDENTICAL, 0, 0.0)
    assert verdict.p_equivalent == 0.5**30
    assert "tells little apart" not in verdict.pairs[0].reason


def test_a_task_that_all_seeds_solve_alike_is_said_to_tell_little() -> None:
    verdict = decide({"numpynet": [1.0] * 10, "torch": [1.0] * 10}, n_test=10, margin=0.2)
    assert verdict.outcome is Outcome.IDENTICAL
    assert "tells little apart" in verdict.pairs[0].reason


def test_small_noise_is_equivalent_and_says_within_what() -> None:
    verdict = decide(study(noise(2), noise(2, seed=2)), n_test=N_TEST, margin=MARGIN)
    assert (verdict.outcome, verdict.exit_code) == (Outcome.EQUIVALENT, 0)
    assert "equivalent within ±0.5 points" in verdict.reason
    tests = equivalences(verdict)
    assert verdict.p_equivalent == max(test.p_equivalent for test in tests)
    deltas = [test.delta_star for test in tests if test.delta_star is not None]
    assert len(deltas) == len(tests)
    assert verdict.delta_star == max(deltas) < MARGIN


def test_delta_star_is_the_smallest_margin_that_passes() -> None:
    accuracies = study(noise(2, 1), noise(3))
    delta_star = decide(accuracies, n_test=N_TEST, margin=MARGIN).delta_star
    assert delta_star is not None
    above = decide(accuracies, n_test=N_TEST, margin=delta_star * (1 + 1e-9)).p_equivalent
    below = decide(accuracies, n_test=N_TEST, margin=delta_star * (1 - 1e-9)).p_equivalent
    assert above is not None
    assert below is not None
    assert above <= 0.05
    assert below > 0.05


def test_a_small_sure_difference_is_negligible_and_names_who_is_ahead() -> None:
    verdict = decide(study(noise(1, 2)), n_test=N_TEST, margin=MARGIN)
    assert (verdict.outcome, verdict.exit_code) == (Outcome.NEGLIGIBLE, 0)
    assert "torch is 0.2" in verdict.reason
    assert "more accurate than numpynet" in verdict.reason


def test_a_large_difference_is_material_and_one_framework_is_enough() -> None:
    verdict = decide(study(noise(1), noise(2, 9)), n_test=N_TEST, margin=MARGIN)
    assert (verdict.outcome, verdict.exit_code) == (Outcome.DIFFERENT, 1)
    assert [pair.outcome for pair in verdict.pairs] == [
        Outcome.EQUIVALENT,
        Outcome.DIFFERENT,
        Outcome.DIFFERENT,
    ]
    assert "more than the margin of ±0.5 points" in verdict.reason


def test_a_sure_difference_not_shown_to_be_small_is_not_green() -> None:
    verdict = decide(study(noise(3, 5)), n_test=N_TEST, margin=MARGIN)
    assert verdict.outcome is Outcome.DIFFERENT
    assert "was not shown to lie within ±0.5 points" in verdict.reason


def test_much_noise_is_inconclusive_and_says_how_many_seeds_would_decide() -> None:
    accuracies = study(noise(12, 1.0, n=10), n=10)
    verdict = decide(accuracies, n_test=N_TEST, margin=MARGIN)
    assert (verdict.outcome, verdict.exit_code) == (Outcome.INCONCLUSIVE, 2)
    needed = verdict.pairs[0].seeds_to_decide
    assert needed is not None
    assert needed > 10
    assert f"about {needed} seeds would decide" in verdict.reason
    assert "newly registered" in verdict.reason
    assert "no significant" not in verdict.reason


def test_a_difference_claimed_among_three_pairs_is_corrected_by_holm() -> None:
    accuracies = study(noise(5.5, 2), noise(5, 0, seed=2))
    verdict = decide(accuracies, n_test=N_TEST, margin=MARGIN)
    raw = [test.p_different for test in equivalences(verdict)]
    assert 0.05 / 3 < min(raw) < 0.05
    assert [pair.p_different_holm for pair in verdict.pairs][raw.index(min(raw))] == 3 * min(raw)
    assert verdict.outcome is Outcome.EQUIVALENT
    alone = decide({name: accuracies[name] for name in ("numpynet", "torch")}, n_test=N_TEST, margin=MARGIN)
    assert alone.outcome is Outcome.NEGLIGIBLE


def test_inconclusive_is_worse_than_equivalent_and_better_than_different() -> None:
    assert decide(study(noise(1), noise(30)), n_test=N_TEST, margin=MARGIN).outcome is Outcome.INCONCLUSIVE
    assert decide(study(noise(1, 20), noise(30)), n_test=N_TEST, margin=MARGIN).outcome is Outcome.DIFFERENT


@pytest.mark.parametrize("missing", [np.nan, None, np.inf])
def test_a_run_that_diverged_makes_its_pairs_invalid_and_is_counted(missing: float | None) -> None:
    accuracies = {name: list(runs) for name, runs in study(noise(1), noise(1)).items()}
    accuracies["torch"][3] = missing
    verdict = decide(accuracies, n_test=N_TEST, margin=MARGIN)
    assert (verdict.outcome, verdict.exit_code, verdict.p_equivalent) == (Outcome.INVALID, 3, None)
    assert [pair.outcome for pair in verdict.pairs] == [Outcome.INVALID, Outcome.EQUIVALENT, Outcome.INVALID]
    assert "1 of 30 runs of torch diverged" in verdict.reason


def test_a_missing_run_is_invalid_even_if_two_implementations_miss_it() -> None:
    accuracies = study(noise(1), noise(1))
    accuracies = {name: runs[: 30 if name == "numpynet" else 29] for name, runs in accuracies.items()}
    verdict = decide(accuracies, n_test=N_TEST, margin=MARGIN)
    assert {pair.outcome for pair in verdict.pairs} == {Outcome.INVALID}
    assert "torch has only 29 of 30 runs" in verdict.reason


def test_five_seeds_are_too_few_and_six_are_not() -> None:
    assert fewest_seeds() == 6
    assert fewest_seeds(coupled=False) == 4
    assert decide(study(0, n=5), n_test=N_TEST, margin=MARGIN).outcome is Outcome.INVALID
    assert decide(study(0, n=6), n_test=N_TEST, margin=MARGIN).outcome is Outcome.IDENTICAL


def test_a_provenance_problem_invalidates_everything() -> None:
    verdict = decide(study(0, 0), n_test=N_TEST, margin=MARGIN, problems=["repeats of one model"])
    assert {pair.outcome for pair in verdict.pairs} == {Outcome.INVALID}
    assert "repeats of one model" in verdict.reason


def test_a_constant_shift_is_negligible_or_material_by_its_size() -> None:
    assert decide(study(3), n_test=N_TEST, margin=MARGIN).outcome is Outcome.NEGLIGIBLE
    assert decide(study(5), n_test=N_TEST, margin=MARGIN).outcome is Outcome.DIFFERENT
    float32: dict[str, Array] = {name: runs.astype(np.float32) for name, runs in study(3).items()}
    assert equivalences(decide(float32, n_test=N_TEST, margin=MARGIN))[0].standard_deviation == 0.0


def test_disjoint_arms_are_never_identical() -> None:
    verdict = decide({"numpynet": [0.9] * 10, "torch": [0.9] * 10}, n_test=10, margin=0.2, coupled=False)
    assert (verdict.outcome, verdict.design) == (Outcome.EQUIVALENT, "disjoint")
    assert equivalences(verdict)[0].method == "Welch TOST"


def test_one_implementation_alone_decides_nothing() -> None:
    verdict = decide({"numpynet": [0.9] * 10}, n_test=10, margin=0.2)
    assert verdict.outcome is Outcome.INVALID
    assert "nothing to compare with: only numpynet ran" in verdict.reason


@pytest.mark.parametrize("wrong", [0.90005, 1.001, -0.001, 90.0])
def test_an_accuracy_that_no_number_of_right_answers_gives_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="torch: an accuracy is not a number of right answers"):
        decide({"numpynet": [0.9] * 6, "torch": [0.9] * 5 + [wrong]}, n_test=N_TEST, margin=MARGIN)


def test_verdicts_are_strict_json() -> None:
    for accuracies in (study(noise(1), 0), study(noise(12, n=4), n=4), {"numpynet": [np.nan] * 8}):
        verdict = decide(accuracies, n_test=N_TEST, margin=MARGIN)
        back = json.loads(json.dumps(asdict(verdict), allow_nan=False))
        assert back["outcome"] == verdict.outcome.value


def run(implementation: str = "numpynet", seed: int = 0, **changes: Any) -> Provenance:
    fields = {
        "initial_weights": f"w{seed}",
        "batch_order": f"b{seed}",
        "optimizer_steps": 0,
        "initial_loss": 2.4,
    }
    return Provenance(implementation, seed, **{**fields, **changes})


def test_sound_runs_have_no_problems() -> None:
    runs = [run(name, seed) for name in ("numpynet", "torch") for seed in range(3)]
    assert provenance_problems(runs, classes=10) == []


@pytest.mark.parametrize(
    ("runs", "problem"),
    [
        ([run(seed=0), run(seed=1, initial_weights="w0")], "share their initial weights"),
        ([run(), run(initial_weights="w1")], "more than once"),
        ([run(optimizer_steps=4690)], "optimizer had already made steps at the start of seeds [0]"),
        ([run(initial_loss=0.4)], "pseudo-replication"),
        (
            [run(), run("torch", initial_weights="w1")],
            "seed 0: implementations started from different weights",
        ),
        ([run(), run("torch", batch_order="b1")], "seed 0: implementations saw different batch orders"),
    ],
)
def test_unsound_runs_are_named(runs: list[Provenance], problem: str) -> None:
    (found,) = provenance_problems(runs, classes=10, coupled=len({run.implementation for run in runs}) > 1)
    assert problem in found


def test_disjoint_runs_may_not_share_weights() -> None:
    runs = [run("numpynet", 0), run("torch", 0)]
    assert provenance_problems(runs, classes=10, coupled=False) == [
        "disjoint runs share initial weights, so they are not independent"
    ]


def test_a_trend_over_repeats_is_found_and_noise_is_not_one() -> None:
    assert "trend" in trend_problems(np.linspace(0.8, 0.9, 10))[0]
    assert trend_problems(study()["numpynet"]) == []
    assert trend_problems([0.9] * 10) == []
