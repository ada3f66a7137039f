"""The suite can turn red: every planted defect is caught, and nothing else is."""

from __future__ import annotations

import functools
import re
import sys

import pytest

from parity.defects import Defect, baseline, gallery, run, run_twin
from parity.defects.twins import targets
from parity.frameworks import available
from parity.ladder.proving import prove
from parity.results.records.facts import BaselinePart, TwinRecord

EXAMPLES = 300  # the slowest is caught after 39
needs_torch = pytest.mark.skipif("torch" not in available(), reason="the baseline is torch's")


# One of each family; the main job, which CI runs in full, plants all of them, and the twin of each class.
@pytest.mark.parametrize("defect", {d.family: d for d in gallery()}.values(), ids=lambda defect: defect.name)
def test_planted_defect_is_caught(defect: Defect) -> None:
    record = run(defect, examples=EXAMPLES, frameworks=available()[:1], shrink=False)
    assert record.passed
    assert record.rung is not None
    assert record.rung <= defect.rung


def test_a_defect_that_makes_one_more_tensor_than_the_frameworks_own_formula_is_caught() -> None:
    defect = next(defect for defect in gallery() if defect.name == "SGDMovesFrozen")
    record = run(defect, examples=EXAMPLES, shrink=False)
    assert record.passed
    assert record.rung == defect.rung


@pytest.mark.parametrize("name", ["Softplus", "MSECriterion", "SGD", "Trainer", "batch_order"])
def test_same_class_by_another_name_is_not_caught_by_the_ladder(name: str) -> None:
    # By the baseline it may be: its false alarms are counted (`parity twins`), on some processors there are some.
    assert name in targets()
    record = run_twin(name, available()[:1])
    assert record.passed, record.message


def test_the_false_alarm_of_the_baseline_is_counted_and_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    alarm = BaselinePart(caught=True, by="parameters")
    monkeypatch.setattr(sys.modules["parity.defects.run"], "baseline", lambda defect: alarm)
    record = run_twin("ReLU", [], examples=1)
    assert record == TwinRecord(key="ReLU", passed=True, baseline=alarm)


def test_a_twin_that_the_ladder_catches_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Defect, "twin", property(lambda defect: defect))
    record = run_twin("Flatten", available()[:1], examples=20)
    assert not record.passed
    assert record.message


@needs_torch
def test_baseline_is_blind_where_it_does_not_look() -> None:
    caught = {defect.name: baseline(defect) for defect in gallery()}
    by = {name: found and found.by for name, found in caught.items()}
    for name in (
        "SoftMaxDetached",  # a sum() loss has no gradient there
        "BatchNormVarianceConstant",
        "LinearLayoutGuessed",  # its weight is not square
        "BatchNormUnbiasedRunning",  # it compares no running statistics
        "SGDRateInVelocity",  # its learning rate stays
        "LogSoftMaxOverflows",  # its logits are small
        "LinearGradientOverwritten",  # it runs backward once
        "SameOrderEveryEpoch",  # it brings its own batches
    ):
        assert by[name] is None, name
    for name, expected in {
        "FlattenColumnMajor": "output",
        "SoftMaxWithoutCrossTerm": "gradient",
        "SGDMomentumSign": "parameters",
    }.items():
        assert by[name] == expected, name


def test_titles_and_names_tell_the_defects_apart() -> None:
    found = gallery()
    assert len({defect.name for defect in found}) == len({defect.title for defect in found}) == len(found) >= 42
    assert "BatchNormFlawed" in {defect.name for defect in found}


# The first line of the message, and the last tensor that agreed.
EXPLAINED = {
    "SoftMaxDetached": ("rung 2 (gradient): input gradient, step 1", "output, step 1"),
    "LinearGradientOverwritten": ("rung 2 (gradient): parameter gradient of weight, step 2", "output, step 2"),
    "NLLGradientSummed": ("rung 2 (gradient): input gradient, step 1", "output, step 1"),
    "SGDRateInVelocity": ("rung 3 (step): velocity of gamma, step 1", "input gradient, step 1"),
    "DropoutInEvaluation": ("rung 1 (output): output, step 1", None),
    "ReLUInPlace": ("rung 1 (output): ReLUInPlace()", None),
}
both = pytest.mark.skipif(len(available()) < 2, reason="it takes two others to tell who is the odd one")


@pytest.fixture
def messages() -> dict[str, str]:
    return explained()


@functools.cache
def explained() -> dict[str, str]:
    """The failures of the defects in `EXPLAINED`, as they were met: a stranger's is shrunk in test_stranger."""
    planted = [defect for defect in gallery() if defect.name in EXPLAINED]
    return {d.name: prove(d.target, d.dtype, alter=d.plant, shrink=False).failure or "" for d in planted}


@both
@pytest.mark.parametrize("name", EXPLAINED)
def test_failure_says_where_and_who(name: str, messages: dict[str, str]) -> None:
    headline, before = EXPLAINED[name]
    assert messages[name].splitlines()[0] == headline
    if before is not None:
        assert f"last tensor that agreed: {before}" in messages[name]
    assert "odd one out: numpynet" in messages[name] or "accepted by: torch, tensorflow" in messages[name]


@both
@pytest.mark.parametrize("name", EXPLAINED)
def test_script_of_a_failure_shows_it_again(
    name: str, messages: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    exec(script_of(messages[name]), {"__name__": "__main__"})
    assert capsys.readouterr().out == f"{messages[name]}\n"


def script_of(message: str) -> str:
    found = re.search(r"Reproduce:\n\n(.*)", message, re.DOTALL)
    assert found is not None
    return re.sub("^    ", "", found[1], flags=re.MULTILINE)
