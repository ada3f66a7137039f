"""What is said of two stacks: nothing where nothing changed, and each change by its name and in its class."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_stack import (
    SEEDS,
    UNIT,
    VALUES,
    curve,
    default,
    difference,
    mode,
    moved,
    refusal,
    runs,
    signature,
    special,
    stack,
    study,
    tensors,
    traced,
)
from typer.testing import CliRunner

from parity.cli import app
from parity.drift.comparing import drift
from parity.drift.document import EXIT_CODES, Change, Step
from parity.drift.schema import FILE, current
from parity.report.drift import write_drift
from parity.results.records import CRASHED, Record
from parity.results.records.ladder import CheckRecord
from parity.results.store import Results, ResultsError


def step_to(folder: Path, *changed: Record, **other: Any) -> Step:
    """The step from a stack that lacks nothing to one with these records changed, and torch 2.13.0."""
    before = stack(folder / "before")
    after = stack(folder / "after", *changed, **{"torch": "2.13.0", **other})
    return drift([before, after]).steps[0]


def test_the_same_twice_is_safe_and_nothing_is_reported(tmp_path: Path) -> None:
    found = drift([stack(tmp_path / "a"), stack(tmp_path / "b")])
    (step,) = found.steps
    assert (found.status, found.exit_code, step.status) == ("safe", 0, "safe")
    assert not [*step.behaviour, *step.numbers, *step.curves, *step.missing, *step.notes]
    assert not [*step.packages, *step.others, *step.machine]
    assert [each.outcome for each in step.studies] == ["identical"]
    assert step.sentence == (
        "the same packages: safe. No tensor moved; no behaviour changed; "
        "2 of 2 tensors, 1 signatures, 5 facts, 1 curve, 1 study compared."
    )


def test_another_python_that_computes_the_same_is_safe_and_nothing_is_reported(tmp_path: Path) -> None:
    before, after = stack(tmp_path / "a"), stack(tmp_path / "b")
    environment = json.loads((after / "environment.json").read_text())
    (after / "environment.json").write_text(json.dumps(environment | {"python": "3.12.1", "lock": "another"}))
    (step,) = drift([before, after]).steps
    assert step.headline == "Python 3.11.9 to 3.12.1: safe."
    assert not [*step.behaviour, *step.numbers, *step.curves, *step.missing, *step.notes]


def test_a_tensor_that_moved_within_rounding_is_safe_and_named(tmp_path: Path) -> None:
    step = step_to(tmp_path, tensors(moved(2), used=0.5, error=1.5))
    (move,) = step.numbers
    assert (move.of, move.pair, move.ulps, move.elements) == ("torch", "LayerNormalization", 2.0, 1 / 4)
    assert (move.tensor, move.element, move.before, move.after) == ("example 1, output, step 1", [3], 1.0, 1 + 2 * UNIT)
    assert (move.reference, move.error_before, move.error_after, move.beyond) == ("worse", 0.5, 1.5, False)
    assert move.suspects == ["torch"]
    assert step.sentence.startswith(
        "torch 2.9.1 to 2.13.0: safe. LayerNormalization moves by at most 2 units in the last place, within rounding"
    )


@pytest.mark.parametrize(("used", "status"), [(1.0, "safe"), (1.01, "numbers"), (None, "numbers")])
def test_a_tensor_beyond_its_allowance_is_no_longer_safe(used: float | None, status: str, tmp_path: Path) -> None:
    assert step_to(tmp_path, tensors(VALUES * 2, used=used)).status == status


def test_the_sign_of_a_zero_is_a_bit(tmp_path: Path) -> None:
    values = VALUES.copy()
    values[2] = -0.0
    (move,) = step_to(tmp_path, tensors(values)).numbers
    assert (move.moved, move.elements, move.ulps, move.element) == (1, 1 / 4, 0.0, [2])


def test_one_nan_is_like_another(tmp_path: Path) -> None:
    one, other = (np.array([np.nan, *VALUES[1:]], np.float32) for _ in range(2))
    other.view(np.uint32)[0] ^= 1  # of its payload
    assert one.tobytes() != other.tobytes()
    assert not drift([stack(tmp_path / "a", tensors(one)), stack(tmp_path / "b", tensors(other))]).steps[0].numbers


def test_what_becomes_infinite_moves_by_more_than_any_number(tmp_path: Path) -> None:
    values = VALUES.copy()
    values[3] = np.inf
    step = step_to(tmp_path, tensors(values, used=None, error=float("inf")))
    assert (step.status, step.numbers[0].ulps) == ("numbers", float("inf"))
    assert "LayerNormalization moves to or from infinity, beyond what rounding allows" in step.sentence


def test_a_tensor_that_is_nothing_but_rounding_has_no_unit_to_move_by(tmp_path: Path) -> None:
    rounding = [{"example": 0, "name": "output, step 1", "shape": [4], "unit": None}]
    old = tensors(tensors=rounding)
    new = tensors(VALUES + 2 * VALUES, tensors=rounding)
    (move,) = drift([stack(tmp_path / "a", old), stack(tmp_path / "b", new)]).steps[0].numbers
    assert (move.ulps, move.rounding, move.moved) == (0.0, 1, 1)


BEHAVIOUR: list[tuple[Record, Change]] = [
    (
        refusal("accepts"),
        Change(kind="refusals", key="Linear/1-D input", of="torch", what="changed", before="refuses", after="accepts"),
    ),
    (
        special(torch="NaN to finite"),
        Change(kind="specials", key="MaxPool2d/NaN", of="torch", what="appeared", after="NaN to finite"),
    ),
    (
        default("0.2"),
        Change(kind="defaults", key="LeakyReLU.slope", of="keras", what="changed", before="0.3", after="0.2"),
    ),
    (
        difference(passed=False),
        Change(
            kind="differences",
            key="running-variance",
            of="",
            what="changed",
            before="as stated",
            after="not as stated",
            suspects=["torch"],
        ),
    ),
    (
        difference(0.05),
        Change(kind="differences", key="running-variance", of="", what="changed", before="0.0173", after="0.05"),
    ),
    (
        mode("off"),
        Change(
            kind="modes",
            key="tiny/float32/torch/module/compile",
            of="torch",
            what="changed",
            before="agrees",
            after="off",
        ),
    ),
    (
        signature(eps="0.001"),
        Change(
            kind="signatures",
            key="torch.nn.LayerNorm",
            of="torch",
            what="changed",
            before="eps=1e-05",
            after="eps=0.001",
        ),
    ),
    (
        traced(odd={"0": "raises RuntimeError"}),
        Change(
            kind="examples",
            key="LayerNormalization/float32, example 1",
            of="torch",
            what="appeared",
            after="raises RuntimeError",
        ),
    ),
    (
        traced(warnings=["FutureWarning: soon"]),
        Change(kind="warnings", key="LayerNormalization", of="torch", what="appeared", after="FutureWarning: soon"),
    ),
]


@pytest.mark.parametrize(("changed", "expected"), BEHAVIOUR, ids=[f"{c.KIND}-{e.kind}-{e.after}" for c, e in BEHAVIOUR])
def test_what_behaves_otherwise_is_named_and_comes_first(changed: Record, expected: Change, tmp_path: Path) -> None:
    step = step_to(tmp_path, changed)
    (found,) = step.behaviour
    assert {name: value for name, value in vars(found).items() if name != "suspects"} == {
        name: value for name, value in vars(expected).items() if name != "suspects"
    }
    assert found.suspects == ([] if expected.of == "keras" else ["torch"])  # keras did not change
    assert (step.status, EXIT_CODES[step.status]) == ("behaviour", 1)
    assert step.sentence.startswith("torch 2.9.1 to 2.13.0: behaviour changed. ")


@pytest.mark.parametrize(
    ("quantity", "kind", "status"),
    [("input gradient", "checks", "numbers"), ("refusal", "examples", "behaviour")],
)
def test_a_check_that_fails_now_is_classed_by_what_fails(quantity: str, kind: str, status: str, tmp_path: Path) -> None:
    held = CheckRecord(key="ELU/float32", passed=True, pair="ELU", dtype="float32", frameworks=["torch"], seed=0)
    parted = replace(held, passed=False, failure="rung 2", failed_rung=2, failed_quantity=quantity)
    before, after = stack(tmp_path / "a", held), stack(tmp_path / "b", parted, torch="2.13.0")
    step = drift([before, after]).steps[0]
    assert [(each.kind, each.key, each.after) for each in step.behaviour] == [
        (kind, "ELU/float32", f"parts on rung 2, {quantity}")
    ]
    assert step.status == status
    assert drift([after, before]).steps[0].status == "safe"


def test_tensors_of_several_machines_in_one_folder_are_not_called_safe(tmp_path: Path) -> None:
    before, after = stack(tmp_path / "a"), stack(tmp_path / "b")
    elsewhere = tensors(key="Linear/float32", pair="Linear", machine={"processor": "another"})
    Results(after).append("tensors", elsewhere.key, {**vars(elsewhere), "plan": "plan"})
    step = drift([before, after]).steps[0]
    assert step.status == "incomplete"
    assert "they were measured on several machines" in lacking(step, "tensors")


SIGNATURES = [
    ({"a": "", "b": "1"}, {"a": "", "b": "1", "c": "2"}, True),  # one more that need not be given
    ({"a": "", "b": "1"}, {"a": "", "b": "1", "**more": ""}, True),
    ({"a": "", "*": "", "b": "1"}, {"a": "", "*": "", "c": "2", "b": "1"}, True),  # by its name alone
    ({"a": "", "*": "", "b": "1"}, {"a": "", "b": "1"}, True),
    ({"a": "", "b": "1"}, {"a": "", "b": "1", "c": ""}, False),  # one more that has to be given
    ({"a": "", "b": "1"}, {"a": "", "c": "2", "b": "1"}, False),  # in the place of another
    ({"a": "", "b": "1"}, {"b": "1", "a": ""}, False),
    ({"a": "", "b": "1"}, {"a": "", "*": "", "b": "1"}, False),
    ({"a": "", "b": "1"}, {"a": ""}, False),
    ({"a": "", "b": "1"}, {"a": "", "b": "2"}, False),
    ({"a": "", "b": "1"}, {"a": "", "b": "1.0"}, True),
    ({"a": "", "b": "1"}, {"a": "", "b": "True"}, False),
    (None, {"a": ""}, True),  # compiled then
]


@pytest.mark.parametrize(("first", "then", "harmless"), SIGNATURES)
def test_a_signature_is_harmless_where_every_call_does_what_it_did(
    first: dict[str, str] | None, then: dict[str, str], harmless: bool, tmp_path: Path
) -> None:
    before = stack(tmp_path / "a", replace(signature(), parameters=first))
    after = stack(tmp_path / "b", replace(signature(), parameters=then), torch="2.13.0")
    step = drift([before, after]).steps[0]
    assert step.behaviour
    assert all(each.harmless for each in step.behaviour) == harmless
    assert step.status == ("safe" if harmless else "behaviour")


def test_the_parameter_is_named_whose_place_a_new_one_takes(tmp_path: Path) -> None:
    inserted = {"normalized_shape": "", "bias": "True", "eps": "1e-05"}
    step = step_to(tmp_path, replace(signature(), parameters=inserted))
    assert [each.after for each in step.behaviour] == ["bias=True in the place of eps"]
    assert "torch.nn.LayerNorm: bias=True in the place of eps is new (signatures)" in step.details


@pytest.mark.parametrize(("there", "harmless"), [(True, True), (False, False)])
def test_what_is_gone_is_missed_and_what_is_new_is_not(there: bool, harmless: bool, tmp_path: Path) -> None:
    before = stack(tmp_path / "a", replace(signature(), there=not there))
    after = stack(tmp_path / "b", replace(signature(), there=there), torch="2.13.0")
    (change,) = drift([before, after]).steps[0].behaviour
    assert (change.what, change.harmless) == ("appeared" if there else "vanished", harmless)


def test_a_known_difference_whose_size_rounds_otherwise_has_not_changed(tmp_path: Path) -> None:
    step = step_to(tmp_path, difference(0.0173 * (1 + 1e-9), predicted=0.0173))
    assert not step.behaviour


def test_a_known_difference_that_the_new_release_has_not_is_told(tmp_path: Path) -> None:
    gone = difference(
        measured=False, passed=None, when="torch<2.10", message="not measured: differs so with torch<2.10"
    )
    (change,) = step_to(tmp_path, gone).behaviour
    assert (change.kind, change.before, change.after) == ("differences", "as stated", gone.message)


@pytest.mark.parametrize(
    "unseen",
    [difference(measured=False, passed=None, message="not measured: torch not installed"), mode("not run")],
    ids=["differences", "modes"],
)
def test_what_was_looked_at_in_one_alone_is_missing_and_has_not_changed(unseen: Record, tmp_path: Path) -> None:
    step = step_to(tmp_path, unseen)
    assert not step.behaviour
    assert step.status == "incomplete"
    assert f"they were looked at in one alone ['{unseen.key}']" in lacking(step, unseen.KIND)


def test_a_curve_that_parts_is_told_by_its_first_step(tmp_path: Path) -> None:
    step = step_to(tmp_path, curve([2.0, 1.25, 0.5], used=0.75))
    (found,) = step.curves
    assert (found.key, found.of, found.step, found.distance) == ("digits/float32", "torch", 2, 0.25)
    assert step.status == "safe"
    assert step_to(tmp_path / "other", curve([2.0, 1.25, 0.5], used=1.5)).status == "numbers"


def test_a_curve_that_was_trained_nowhere_for_want_of_data_is_missing_and_not_counted(tmp_path: Path) -> None:
    untrained = replace(curve(), passed=None, losses={}, message=f"not compared: no images: {'/'.join('proxy' * 40)}")
    first, then = (stack(tmp_path / name, untrained) for name in ("first", "then"))
    step = drift([first, then]).steps[0]
    assert (step.status, step.compared.curves) == ("incomplete", 0)
    assert [each.keys for each in step.missing] == [["digits/float32"]] * 2
    assert all(re.search(r": not compared: no images: \.\.\.$", each.why) for each in step.missing)


def test_what_was_looked_at_in_neither_is_not_counted(tmp_path: Path) -> None:
    seen, unseen = (
        drift([stack(tmp_path / f"{how}-a", mode(how)), stack(tmp_path / f"{how}-b", mode(how))]).steps[0]
        for how in ("agrees", "not run")
    )
    assert (seen.compared.facts, unseen.compared.facts) == (5, 4)


def test_what_was_run_in_neither_is_missing_with_its_reason_and_does_not_count_as_held(tmp_path: Path) -> None:
    kept = mode("not run", "torch.compile needs a C++ compiler")
    step = drift([stack(tmp_path / "a", kept), stack(tmp_path / "b", kept, torch="2.13.0")]).steps[0]
    (missing,) = step.missing
    assert (missing.what, missing.keys) == ("modes", [kept.key])
    assert missing.why == "they were run in neither: torch.compile needs a C++ compiler"
    assert (step.status, EXIT_CODES[step.status]) == ("incomplete", 3)
    assert "no behaviour changed, of what could be compared; missing: modes" in step.sentence.lower()


def test_what_kept_a_mode_in_each_stack_is_told_once_and_shortened(tmp_path: Path) -> None:
    before, after = mode("not run", "no compiler"), mode("not run", f"no Dynamo: {'/'.join('proxy' * 40)}")
    step = drift([stack(tmp_path / "a", before), stack(tmp_path / "b", after)]).steps[0]
    assert [each.why for each in step.missing] == ["they were run in neither: no compiler; no Dynamo: ..."]


def crashed(folder: Path, message: str) -> Path:
    """A stack in which the curve ended so, in the place of its losses."""
    made, told = Results(stack(folder, torch="2.13.0")), {"name": "digits", "status": CRASHED, "message": message}
    made.plan = "plan"
    made.append("curves", "digits/float32", {"key": "digits/float32", "dtype": "float32", **told})
    return made.folder


def test_what_a_training_raises_is_behaviour_and_a_process_that_died_is_missing(tmp_path: Path) -> None:
    before, raising = stack(tmp_path / "before"), crashed(tmp_path / "raising", "ValueError: no shape yet\n  trace")
    step, back = drift([before, raising, stack(tmp_path / "after")]).steps
    (change,) = step.behaviour
    assert (change.kind, change.key, change.before) == ("curves", "digits/float32", "trains")
    assert change.after == "raises ValueError: no shape yet"
    assert (step.status, step.missing, step.compared.curves) == ("behaviour", [], 1)
    assert [each.harmless for each in back.behaviour] == [True]
    elsewhere = drift([raising, stack(tmp_path / "without", without=["curves"])]).steps[0]
    assert (elsewhere.behaviour, elsewhere.compared.curves) == ([], 0)
    assert "they are in the other alone (`parity curves`) ['digits/float32']" in lacking(elsewhere, "curves")
    died = drift([before, crashed(tmp_path / "died", "its process died: signal 9 (Killed)")]).steps[0]
    assert not died.behaviour
    assert "they crashed ['digits/float32']" in lacking(died, "curves")
    (neither,) = drift([raising, crashed(tmp_path / "too", "ValueError: no shape yet")]).steps
    assert "they crash in both ['digits/float32']" in lacking(neither, "curves")


@pytest.mark.parametrize(
    ("shift", "outcome", "status"),
    [
        ((1, -1, 0, 0, 1, -1, 0, 0), "equivalent", "safe"),
        ((9, -9, 8, -8, 7, -7, 9, -9), "inconclusive", "numbers"),
        ((-20, -21, -20, -19, -20, -21, -20, -19), "different (material)", "numbers"),
    ],
)
def test_accuracies_are_compared_by_the_paired_test_and_never_called_equal(
    shift: tuple[int, ...], outcome: str, status: str, tmp_path: Path
) -> None:
    step = step_to(tmp_path, *runs(shift, weights="others"))
    (found,) = step.studies
    assert (found.study, found.of, found.seeds, found.weights, found.outcome) == ("digits", "torch", SEEDS, 0, outcome)
    assert step.status == status
    assert (outcome in step.sentence) == (status == "numbers")


def test_a_run_that_one_of_the_two_lacks_is_not_dropped(tmp_path: Path) -> None:
    before, after = stack(tmp_path / "a"), stack(tmp_path / "b", torch="2.13.0")
    lines = (after / "runs.jsonl").read_text().splitlines()
    (after / "runs.jsonl").write_text("\n".join(lines[:-1]) + "\n")
    step = drift([before, after]).steps[0]
    assert step.studies[0].outcome == "invalid"
    assert [each.keys for each in step.missing if each.what == "runs"] == [["digits/coupled/torch/7"]]


def lacking(step: Step, what: str) -> str:
    """Why it is missing, in one text."""
    return "\n".join(f"{each.why} {each.keys}" for each in step.missing if each.what == what)


def test_what_is_missing_forbids_safe(tmp_path: Path) -> None:
    step = step_to(tmp_path, without=("modes",))
    assert (step.status, EXIT_CODES[step.status]) == ("incomplete", 3)
    assert "they are in the other alone (`parity modes`) ['tiny/float32/torch/module/compile']" in lacking(
        step, "modes"
    )
    assert "not shown to be safe, evidence is missing" in step.sentence
    assert "missing: modes" in step.sentence
    assert "no behaviour changed, of what could be compared" in step.sentence.lower()


def test_what_neither_has_is_missing_too(tmp_path: Path) -> None:
    without = stack(tmp_path / "a", without=("curves",)), stack(tmp_path / "b", without=("curves",))
    assert "neither stack has any: run `parity curves` on both" in lacking(drift(without).steps[0], "curves")


def test_a_framework_that_was_removed_is_said_once(tmp_path: Path) -> None:
    alone = tensors()
    alone = tensors(found={"numpynet": alone.found["numpynet"]})
    without = ("signatures", "modes", "runs")
    said = special(torch="NaN to finite")
    after = stack(tmp_path / "b", alone, without=without)
    environment = json.loads((after / "environment.json").read_text())
    environment["packages"] = {"numpy": "2.4.6"}
    (after / "environment.json").write_text(json.dumps(environment))
    step = drift([stack(tmp_path / "a", said), after]).steps[0]
    assert step.title == "torch 2.9.1 is gone, tensorflow 2.21.0 is gone, keras 3.15.1 is gone"
    assert step.status == "incomplete"
    assert not step.behaviour
    assert "nothing was measured of torch" in lacking(step, "implementation")
    assert not lacking(step, "signatures") + lacking(step, "modes") + lacking(step, "runs")


def test_examples_of_another_digest_are_refused(tmp_path: Path) -> None:
    step = step_to(tmp_path, tensors(VALUES * 2, used=9.0, digest="f" * 16))
    assert not step.numbers
    assert step.status == "incomplete"
    assert "other examples" in lacking(step, "tensors")


def test_tensors_judged_by_other_code_are_refused(tmp_path: Path) -> None:
    step = step_to(tmp_path, tensors(VALUES * 2, used=9.0, code="another"))
    assert not step.numbers
    assert "other code of parity" in lacking(step, "tensors")


def test_a_folder_that_was_cut_short_says_what_is_lost(tmp_path: Path) -> None:
    before, after = stack(tmp_path / "a"), stack(tmp_path / "b", torch="2.13.0")
    (after / "curves.jsonl").write_text((after / "curves.jsonl").read_text()[:40])
    step = drift([before, after]).steps[0]
    assert step.status == "incomplete"
    assert "curves.jsonl, line 1 is torn and was skipped" in lacking(step, "records")
    assert "everything ended without them ['*']" in lacking(step, "curves")


def test_a_folder_without_its_environment_is_told(tmp_path: Path) -> None:
    before, after = stack(tmp_path / "a"), stack(tmp_path / "b")
    (after / "environment.json").unlink()
    assert "there is no environment.json in b" in lacking(drift([before, after]).steps[0], "the versions")


def test_another_schema_is_refused_by_name(tmp_path: Path) -> None:
    before, after = stack(tmp_path / "a"), stack(tmp_path / "b")
    older = json.loads((after / "environment.json").read_text()) | {"schema": 0}
    (after / "environment.json").write_text(json.dumps(older))
    with pytest.raises(ResultsError, match="has schema version 0, this version of parity reads and writes 1"):
        drift([before, after])


@pytest.mark.parametrize(
    "other", [{"processor": "another"}, {"threads": {"OMP_NUM_THREADS": "2"}}, {"switches": {"MKL_CBWR": "AVX2"}}]
)
def test_numbers_of_another_machine_are_compared_only_where_no_package_changed(
    other: dict[str, Any], tmp_path: Path
) -> None:
    off = tensors(moved(1))
    both_changed = step_to(tmp_path / "both", off, **other)
    assert (both_changed.status, both_changed.numbers) == ("incomplete", [])
    assert "the machine changed with the packages" in lacking(both_changed, "tensors")
    alone = step_to(tmp_path / "alone", off, torch="2.9.1", **other)
    assert (alone.status, len(alone.numbers), len(alone.machine)) == ("safe", 1, 1)


def test_one_unit_is_told_in_the_singular(tmp_path: Path) -> None:
    assert "by at most 1 unit in the last place" in step_to(tmp_path, tensors(moved(1))).details


@pytest.mark.parametrize(("ulps", "below"), [(1, True), (2, True), (4, False)])
def test_a_move_that_another_machine_makes_too_is_called_so(ulps: int, below: bool, tmp_path: Path) -> None:
    before = stack(tmp_path / "a")
    after = stack(tmp_path / "b", tensors(moved(ulps)), torch="2.13.0")
    elsewhere = tensors(moved(2))
    floor = stack(tmp_path / "floor", elsewhere, threads={"OMP_NUM_THREADS": "2"})
    found = drift([before, after], [floor])
    (move,) = found.steps[0].numbers
    assert (move.floor, move.below_floor) == (2.0, below)
    assert ("no more than another machine moves them" in found.steps[0].sentence) == below
    assert (found.floors[0].ulps, found.floors[0].machine[0].name) == (2.0, "OMP_NUM_THREADS")


def test_a_floor_of_other_packages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="is the floor of none of these stacks"):
        drift([stack(tmp_path / "a"), stack(tmp_path / "b")], [stack(tmp_path / "c", torch="2.13.0")])


def test_a_floor_of_other_examples_is_refused(tmp_path: Path) -> None:
    other = stack(tmp_path / "floor", tensors(digest="f" * 16))
    with pytest.raises(ResultsError, match=r"no tensor of the floor .* can be compared: they are of other examples"):
        drift([stack(tmp_path / "a"), stack(tmp_path / "b")], [other])


def test_another_build_of_the_same_version_is_another_package(tmp_path: Path) -> None:
    folders = [stack(tmp_path / name) for name in "ab"]
    for folder, build in zip(folders, ("2.9.1+cpu", "2.9.1"), strict=True):
        environment = json.loads((folder / "environment.json").read_text())
        (folder / "environment.json").write_text(json.dumps(environment | {"installed": {"torch": build}}))
    assert drift(folders).steps[0].title == "torch 2.9.1+cpu to 2.9.1"


def test_a_row_is_due_to_the_packages_of_its_framework_alone(tmp_path: Path) -> None:
    packages = {"numpy": "2.4.6", "tensorflow": "2.20.0", "keras": "3.15.1"}
    step = step_to(tmp_path, tensors(moved(1)), packages=packages)
    assert [each.name for each in step.packages] == ["torch", "tensorflow"]
    assert step.numbers[0].suspects == ["torch"]
    assert "several packages changed at once (torch, tensorflow)" in step.notes[0]


def test_several_stacks_make_a_history(tmp_path: Path) -> None:
    up = tensors(moved(1))
    stacks = [
        stack(tmp_path / "a"),
        stack(tmp_path / "b", up, torch="2.11.0"),
        stack(tmp_path / "c", up, refusal("accepts"), torch="2.13.0"),
    ]
    found = drift(stacks)
    (row,) = found.history
    assert (row.of, row.pair, [cell.ulps for cell in row.cells]) == ("torch", "LayerNormalization", [1.0, 0.0])
    assert [step.status for step in found.steps] == ["safe", "behaviour"]
    assert (found.status, found.exit_code, found.unmoved) == ("behaviour", 1, 1)


def test_the_three_files_say_what_was_found_and_follow_the_schema(tmp_path: Path) -> None:
    validator = pytest.importorskip("jsonschema").Draft202012Validator
    off = tensors(VALUES * 2, used=None, error=float("inf"))
    stacks = [
        stack(tmp_path / "a"),
        stack(tmp_path / "b", off, refusal("<accepts>"), curve([2.0, 1.0, 0.25]), torch="2.11.0"),
        stack(tmp_path / "c", torch="2.13.0", without=("modes",)),
    ]
    done = CliRunner().invoke(app, ["drift", *map(str, stacks), "--out", str(tmp_path / "out")])
    assert done.exit_code == 1, done.output
    document = json.loads((tmp_path / "out" / "drift.json").read_text())
    validator(json.loads(FILE.read_text())).validate(document)
    page, summary = ((tmp_path / "out" / name).read_text() for name in ("drift.html", "drift.md"))
    for text in (page, summary):
        assert "torch 2.9.1 to 2.11.0: behaviour changed" in text
        assert "LayerNormalization" in text
        assert "∞" in text
    assert "&lt;accepts&gt;" in page
    without_sources = re.sub(r'<small class="source">.*?</small>', "", page)  # which are told as text
    assert "http" not in without_sources.replace("http-equiv", "")


@pytest.mark.parametrize("stacks", [2, 6])
def test_the_summary_is_less_than_a_screen_before_its_folds(stacks: int, tmp_path: Path) -> None:
    names = [f"torch.nn.Layer{number}" for number in range(60)]

    def signatures(eps: str) -> list[Record]:
        return [replace(signature(eps=eps), key=f"torch/{name}", name=name) for name in names]

    folders = [
        stack(tmp_path / str(number), *signatures(f"1e-{number}"), torch=f"2.{number}.0", without=("modes",))
        for number in range(stacks)
    ]
    found = drift(folders)
    write_drift(found, tmp_path)
    text = (tmp_path / "drift.md").read_text()
    assert {len(step.behaviour) for step in found.steps} == {len(names)}
    assert len(text.partition("<details>")[0].splitlines()) < 40  # lines of a screen
    assert "And 52 more, in drift.html." in text
    assert "\n\n\n" not in text
    assert sum((tmp_path / name).stat().st_size for name in ("drift.md", "drift.json", "drift.html")) < 2e6


def test_the_schema_is_that_of_the_dataclasses() -> None:
    assert json.loads(FILE.read_text()) == current(), "run `python -m parity.drift.schema`"


def test_one_folder_alone_is_refused_in_one_line(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["drift", str(stack(tmp_path / "a"))])
    assert done.exit_code == 3
    assert "drift is between two stacks at least" in done.output


def test_a_study_of_another_registration_is_not_paired(tmp_path: Path) -> None:
    step = step_to(tmp_path, study(preregistration={"hash": "b"}))
    assert not step.studies
    assert "two registrations" in lacking(step, "studies")
