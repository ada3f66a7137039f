"""The report compares what is there with what was planned: nothing that is missing is ever said to hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from made_up_records import FRAMEWORKS, add_facts, add_ladder, add_modes, add_study, bare, filled
from typer.testing import CliRunner

from parity.cli import app
from parity.report import write_report
from parity.report.document import build
from parity.report.junit import junit
from parity.results.packages import environment, lock
from parity.results.planning import FULL_EXAMPLES, Plans, begin, planned
from parity.results.records import Json
from parity.results.store import Results, ResultsError, default_folder, plain

DOWNLOAD = (
    "downloading https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/train-images-idx3-ubyte.gz "
    "failed: Name or service not known. No file was left behind. Try again, or put what was published in $NUMPYNET_DATA"
)


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "stack")


def report(results: Results) -> SimpleNamespace:
    """The report's verdict and document; nothing is drawn."""
    document = plain(build([results.folder]))
    return SimpleNamespace(document=document, not_compared=document["not_compared"], **document["verdict"])


def drawn(results: Results) -> list[str]:
    """report.html and report.md."""
    write_report([results.folder], results.folder.parent / "out")
    return [(results.folder.parent / "out" / name).read_text() for name in ("report.html", "report.md")]


def cases(results: Results, kind: str) -> dict[str | None, str]:
    """Outcomes of the test cases of a kind, by name."""
    root = ElementTree.fromstring(junit(report(results).document))
    found = root.findall(f".//testsuite[@name='{kind}']/testcase")
    return {case.get("name"): next((part.tag for part in case), "passed") for case in found}


def killed(results: Results, command: str, items: Mapping[str, Iterable[str]], *done: tuple[str, str, Json]) -> None:
    """A plan whose process ends before it is through: after `done`, records by kind and key."""

    class Killed(BaseException):
        pass

    with suppress(Killed), planned(results, command, items):
        for kind, key, record in done:
            results.append(kind, key, record)
        raise Killed
    lines = (results.folder / "plans.jsonl").read_text().splitlines(keepends=True)
    (results.folder / "plans.jsonl").write_text("".join(lines[:-1]))  # a process that is killed adds no second line


def test_six_of_many_records_are_no_verdict_whatever_else_is_green(results: Results) -> None:
    linear = bare("checks", pair="Linear", dtype="float32", frameworks=FRAMEWORKS, examples=60)
    add = ("checks", "Linear/float32", linear)
    killed(results, "check", {"checks": ["Linear/float32", "ReLU/float32"], "refusals": ["Linear/*"]}, add)
    with planned(results, "study:digits", {"studies": ["digits"]}):
        add_study(results)
    summary = report(results)
    assert (summary.status, summary.exit_code) == ("incomplete", 3)
    assert summary.headline == "Incomplete: 2 of 4 planned items are missing"
    assert summary.document["missing"] == [
        "1 of 2 checks is missing (ReLU/float32): check was killed, or still runs",
        "one refusal is missing (Linear/*): check was killed, or still runs",
    ]
    ladder = {rung["rung"]: (rung["held"], rung["missing"]) for rung in summary.document["verdict"]["ladder"]}
    assert ladder == {1: (None, 2), 2: (None, 1), 3: (None, 1), 4: (None, 0), 5: (True, 0)}
    assert cases(results, "checks") == {"Linear/float32": "passed", "ReLU/float32": "error"}
    for text in drawn(results):
        assert "1 missing or crashed; the other 1 held" in text
        assert text.count("1 of 2 checks is missing (ReLU/float32): check was killed, or still runs") == 1


def test_what_an_earlier_run_left_does_not_stand_in_for_what_was_killed(results: Results) -> None:
    items = {"checks": ["Linear/float32"], "refusals": ["Linear/*"]}
    with planned(results, "check", items):
        results.append("checks", "Linear/float32", bare("checks", pair="Linear", frameworks=FRAMEWORKS))
        results.append("refusals", "Linear/*", {"pair": "Linear", "status": "crashed", "message": "signal 11"})
    assert report(results).headline == "Incomplete: 1 crashed"
    with planned(results, "check", items):
        results.append("checks", "Linear/float32", bare("checks", pair="Linear", frameworks=FRAMEWORKS))
        results.append("refusals", "Linear/empty batch", bare("refusals", pair="Linear"))
    summary = report(results)
    assert (summary.document["missing"], summary.document["reds"]) == ([], [])
    killed(results, "check", items)
    summary = report(results)
    assert summary.exit_code == 3
    assert summary.document["checks"] == summary.document["refusals"] == []
    assert any("3 records of earlier runs were left out" in note for note in summary.document["notes"])


def test_a_part_that_is_done_again_later_counts_for_the_whole(results: Results) -> None:
    with planned(results, "check", {"checks": ["a", "b"]}):
        results.append("checks", "a", bare("checks"))
        results.append("checks", "b", bare("checks"))
    with planned(results, "check b", {"checks": ["b"]}):
        results.append("checks", "b", bare("checks"))
    assert report(results).document["missing"] == []
    killed(results, "check b", {"checks": ["b"]})
    assert report(results).document["missing"] == ["one check is missing (b): check b was killed, or still runs"]


def test_an_item_that_has_nothing_to_record_is_not_missing_until_it_is_planned_again(results: Results) -> None:
    with planned(results, "check", {"refusals": ["Graph/*"]}) as nothing:
        nothing.append(("refusals", "Graph/*"))
    assert report(results).document["missing"] == []
    killed(results, "check", {"refusals": ["Graph/*"]})
    assert report(results).document["missing"] == ["one refusal is missing (Graph/*): check was killed, or still runs"]


def test_a_record_made_within_another_plan_than_its_own_counts(results: Results) -> None:
    with planned(results, "study:digits", {"studies": ["digits"]}):
        results.append("studies", "digits", {})
    with planned(results, "experiment:significance", {"experiments": ["significance/*"]}):
        results.append("studies", "digits", {})
        results.append("experiments", "significance/numpynet", bare("experiments"))
    plans = Plans(results.read("plans"))
    assert plans.unanswered({kind: results.read(kind) for kind in ("studies", "experiments")}) == {}


def test_a_command_that_never_began_is_missed(results: Results) -> None:
    begin(results, ["check", "curves", "study:digits"])
    for command in ("check", "study:digits"):
        with planned(results, command, {}):
            add_ladder(results)
    summary = report(results)
    assert (summary.status, summary.exit_code) == ("incomplete", 3)
    assert summary.document["missing"] == ["curves never began"]
    assert cases(results, "plans") == {"curves": "error"}
    with planned(results, "curves", {}):
        pass
    assert report(results).document["missing"] == []


def test_a_job_that_is_killed_before_its_first_command_is_incomplete_and_not_nothing(results: Results) -> None:
    begin(results, ["check", "curves"])
    assert report(results).headline == "Incomplete: check, curves never began or did not end"


def test_records_that_nobody_planned_are_no_full_report(results: Results) -> None:
    results.folder.mkdir()
    add_ladder(results)
    add_study(results)
    summary = report(results)
    assert (summary.status, summary.exit_code) == ("incomplete", 3)
    assert summary.headline == "Incomplete: nobody wrote down what was planned"


def test_what_stopped_a_command_is_said(results: Results) -> None:
    with pytest.raises(KeyboardInterrupt), planned(results, "check", {"checks": ["a"]}):
        raise KeyboardInterrupt
    assert report(results).document["missing"] == ["one check is missing (a): check was stopped by KeyboardInterrupt"]


def test_a_red_is_still_told_where_something_is_missing(results: Results) -> None:
    with planned(results, "check", {"checks": ["Linear/float32", "unmet/float32"]}):
        add_ladder(results, failing="SoftMax/float32")
    summary = report(results)
    assert summary.exit_code == 3
    assert summary.headline.endswith("Besides: implementations part on rung 2 (gradient): SoftMax/float32")


# What was left out, and what is off


def without_data(results: Results) -> None:
    with planned(results, "everything", {}):
        add_ladder(results)
        add_study(results)
        for key in ("fashion/float32", "fashion/float64", "images/float32"):
            results.append("curves", key, bare("curves", message=f"not compared: {DOWNLOAD}", passed=None))
        results.append("studies", "fashion-mnist", {"verdict": None, "message": f"not run: {DOWNLOAD}"})


def test_missing_data_is_one_line_in_words_and_nothing_is_printed_twice(results: Results) -> None:
    without_data(results)
    summary = report(results)
    sentence = "Fashion-MNIST could not be downloaded: 3 curves and one study were left out"
    assert (summary.status, summary.exit_code) == ("partial", 0)
    assert sentence in summary.not_compared
    assert summary.headline == "In part: rungs 1 to 5 held: accuracies equivalent within ±0.5 points"
    for text in drawn(results):
        assert text.count("Fashion-MNIST could not be downloaded") == 1
        assert "zalandoresearch" not in text
        assert "3 left out" in text
    assert cases(results, "curves")["fashion/float32"] == "skipped"
    assert cases(results, "studies") == {"digits": "passed", "fashion-mnist": "skipped"}


def test_what_was_not_measured_is_not_as_stated(results: Results) -> None:
    with planned(results, "everything", {}):
        add_ladder(results, ["torch"])
        for number in range(77):
            about = {"title": f"entry {number}", "message": "not measured: tensorflow not installed"}
            record = bare("differences", measured=False, passed=None, **about)
            results.append("differences", f"entry-{number}", record)
    summary = report(results)
    (sentence,) = [each for each in summary.not_compared if "known differences" in each]
    assert sentence == (
        "nothing was compared with tensorflow, of which there are no results: 77 known differences were left out"
    )
    assert {difference["passed"] for difference in summary.document["differences"]} == {None}
    assert set(cases(results, "differences").values()) == {"skipped"}
    html, markdown = drawn(results)
    assert "None was measured, 77 not measurable here" in html
    assert "0 of 77 measured" in markdown


def test_an_entry_about_other_versions_or_machines_leaves_nothing_lacking(results: Results) -> None:
    filled(results.folder)
    with planned(results, "check", {"differences": ["selu-kink"]}):
        message = "not measured: differs so with keras>=9"
        record = bare("differences", measured=False, passed=None, message=message)
        results.append("differences", "selu-kink", record)
    summary = report(results)
    assert summary.status == "held"
    assert any(
        "one known difference is not measured, being about other versions" in n for n in summary.document["notes"]
    )


def test_a_boundary_that_nobody_verified_is_shown_and_is_no_red(results: Results) -> None:
    filled(results.folder)
    with planned(results, "check", {"differences": ["groups"]}):
        results.append("differences", "groups", bare("differences", boundary="not verified for keras 3.16.0"))
    summary = report(results)
    assert (summary.status, summary.document["reds"]) == ("held", [])
    assert "boundary not verified for keras 3.16.0: groups" in summary.document["notes"]
    assert "boundary not verified for keras 3.16.0" in drawn(results)[0]


def test_reds_are_sorted_by_kind_and_name_their_stack(results: Results) -> None:
    with planned(results, "everything", {}):
        add_facts(results, escaped="softmax backward without its cross term")
        add_ladder(results, failing="SoftMax/float32")
        add_modes(results, "torch", off="functional")
        where = {"failed_rung": 1, "failed_quantity": "refusal"}
        check = bare("checks", pair="Graph", passed=False, failure="rung 1 (output): Graph()", **where)
        results.append("checks", "Graph/float32", check)
        refusal = bare("refusals", passed=False, statuses={"torch": "accepts"})
        results.append("refusals", "Linear/a number", refusal)
        gone = bare("differences", passed=False, message="gelu, with keras 3.15.1\nno longer")
        results.append("differences", "gelu", gone)
        results.append("differences", "lost", {"status": "crashed", "message": "its process died: exit code 7"})
    summary = report(results)
    found = {group["kind"]: [red["key"] for red in group["found"]] for group in summary.document["reds"]}
    assert found == {
        "numbers": [
            "SoftMax/float32",
            "tiny/float32/torch/functional/eager",
            "tiny/float32/torch/functional/graph",
        ],
        "controls": ["defect-1"],
        "refusals": ["Graph/float32", "Linear/a number"],
        "catalogue": ["gelu"],
        "crashes": ["lost"],
    }
    _, text = drawn(results)
    places = [text.index(f"**{kind.capitalize()}**") for kind in found]
    assert places == sorted(places)
    for keys in found.values():
        assert all(f"- {key} (stack)" in text for key in keys)
    said = CliRunner().invoke(app, ["report", str(results.folder), "--out", str(results.folder.parent / "cli")])
    assert said.exit_code == 3
    assert "gelu (stack): gelu, with keras 3.15.1" in said.output
    assert [said.output.index(f"\n{kind}:") for kind in found] == sorted(
        said.output.index(f"\n{kind}:") for kind in found
    )


def test_a_false_alarm_in_the_soak_makes_the_report_invalid(results: Results) -> None:
    filled(results.folder)
    assert report(results).status == "held"
    results.append("soak", "SELU/float32/torch/output", bare("soak", examples=1000, alarms=2, passed=False))
    summary = report(results)
    assert summary.headline == "Invalid, the controls failed: not all fresh examples without a false alarm"


def test_the_quick_profile_says_that_it_is_quick(results: Results) -> None:
    with planned(results, "check", {"checks": ["*"]}, examples=10):
        add_ladder(results)
    summary = report(results)
    assert summary.headline.startswith(f"Quick profile, 10 of {FULL_EXAMPLES} examples. ")
    assert f"Quick profile, 10 of {FULL_EXAMPLES} examples" in summary.document["notes"]
    with planned(results, "check", {"checks": ["*"]}, examples=FULL_EXAMPLES):
        add_ladder(results)
    assert "Quick" not in report(results).headline


# Identity


def folder(
    tmp_path: Path, name: str, keras: str = "3.15.1", python: str = "3.11.9", digest: str = "d", locked: str = "a" * 64
) -> Path:
    """Results of a stack that says nothing of Keras and Python in its name, as those of earlier versions do."""
    results = Results(tmp_path / name)
    packages = {"numpy": "2.4.6", "keras": keras}
    results.write_environment({"stack": "numpy2.4.6", "python": python, "packages": packages, "lock": locked})
    with planned(results, "check", {"checks": ["ReLU/float32"]}):
        results.append("checks", "ReLU/float32", bare("checks", frameworks=FRAMEWORKS, digest=digest))
    return results.folder


def test_stacks_that_differ_in_anything_that_computes_are_not_merged(tmp_path: Path) -> None:
    folders = [folder(tmp_path, "a"), folder(tmp_path, "b", keras="3.6.0"), folder(tmp_path, "c", python="3.12.4")]
    document = build(folders)
    assert [stack["name"] for stack in document["stacks"]] == [
        "numpy2.4.6 (Python 3.11.9, keras 3.15.1)",
        "numpy2.4.6 (Python 3.11.9, keras 3.6.0)",
        "numpy2.4.6 (Python 3.12.4, keras 3.15.1)",
    ]
    assert len(document["checks"]) == 3
    other = folder(tmp_path, "d", locked="b" * 64)
    names = [stack["name"] for stack in build([folders[0], other])["stacks"]]
    assert names == [f"numpy2.4.6 (lock {letter * 12})" for letter in "ab"]
    same = folder(tmp_path, "e")
    assert len(build([folders[0], same])["stacks"]) == 1


def test_the_report_says_whether_stacks_rest_on_the_same_examples(tmp_path: Path) -> None:
    folders = [folder(tmp_path, "a"), folder(tmp_path, "b", keras="3.6.0")]
    document = build(folders)
    assert document["same_examples"] == {"compared": 1, "differing": []}
    folders.append(folder(tmp_path, "c", keras="3.3.3", digest="e"))
    assert write_report(folders, tmp_path / "out").document["same_examples"]["differing"] == ["ReLU/float32"]
    assert "were judged by other examples" in (tmp_path / "out" / "report.html").read_text()


def test_results_of_other_packages_are_kept_in_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = default_folder()
    Results(first).write_environment(environment())
    assert default_folder() == first
    upgraded = environment()["installed"] | {"ml-dtypes": "99.0"}
    monkeypatch.setattr("parity.results.packages.installed", lambda: upgraded)
    said = r"of other packages than those installed now: ml-dtypes .* then, 99\.0 now"
    with pytest.raises(ResultsError, match=said):
        Results(first).write_environment(environment())
    assert default_folder().name == f"{first.name}-{lock()[:8]}"
