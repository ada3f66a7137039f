"""The page of mutants says what was measured, and for each survivor why, as far as it is known."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_up_records import bare

from parity.mutants.modules import Of, path
from parity.mutants.reasons import Reason, reason_of, reasons
from parity.report import mutants as report
from parity.report.mutants import PAGE, kept, page
from parity.results.planning import planned
from parity.results.records import Json
from parity.results.store import Results

MEASURED = {
    "numpynet": {
        "asked": "--of numpynet --sample 9 --seed 4",
        "stack": "numpy2",
        "commits": ["abc1234"],
        "left_out": 2,
        "modules": {"numpynet.linear": {"killed": 6, "survived": 3}},
        "survivors": [{"module": "numpynet.linear", "definition": "Linear", "diff": ["-    a", "+    b"]}] * 3,
    }
}


def test_the_page_is_made_of_what_was_kept_and_of_the_reasons() -> None:
    assert PAGE.read_text("utf-8") == page(kept())


def test_both_kinds_are_kept_and_every_survivor_is_counted() -> None:
    assert set(kept()) == {of.value for of in Of}
    for measured in kept().values():
        assert sum(each["survived"] for each in measured["modules"].values()) == len(measured["survivors"])
        assert measured["commits"]


def test_every_reason_is_of_lines_that_are_there_and_no_two_are_of_the_same() -> None:
    for each in reasons():
        lines = {line.strip() for line in path(each.module).read_text("utf-8").splitlines()}
        assert {line[1:] for line in each.diff if line[0] == "-"} <= lines, each
        assert any(line[0] == "+" for line in each.diff)
    assert len({(each.module, each.diff) for each in reasons()}) == len(reasons())


def test_a_survivor_is_known_by_its_lines_wherever_they_are_and_is_told_with_its_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = [Reason("numpynet.linear", ("-a", "+b"), True, "Both are the same.")]
    monkeypatch.setattr("parity.mutants.reasons.reasons", lambda: known)
    assert reason_of("numpynet.linear", ["-        a", "+        b"]) == known[0]
    assert reason_of("numpynet.linear", ["-        a", "+        c"]) is None
    assert reason_of("numpynet.module", ["-        a", "+        b"]) is None
    assert "Equivalent: Both are the same." in page(MEASURED)
    assert "6 of 9 were killed; of the 3 survivors 3 are equivalent, so that 100.0% of the others" in page(MEASURED)


def test_a_survivor_of_which_no_reason_is_known_says_so() -> None:
    assert "No reason is known yet." in page(MEASURED)
    assert "so that 66.7% of the others were killed" in page(MEASURED)


def test_what_is_kept_names_the_commits_of_the_plans_that_the_records_were_made_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "KEPT", tmp_path / "mutants.json")
    monkeypatch.setattr(report, "PAGE", tmp_path / "mutants.md")
    store = Results(tmp_path)
    records: list[Json] = []
    for commit, passed in (("1111111aaa", True), ("2222222bbb", False), ("2222222bbb", True)):
        monkeypatch.setattr("parity.results.planning._commit", lambda commit=commit: commit)
        made = bare("mutants", module="numpynet.linear", diff=["-a", "+b"], passed=passed) | {"key": f"{len(records)}"}
        with planned(store, "mutants", {}):
            store.append("mutants", made["key"], made)
        records.append(made)
    report.keep(Of.NUMPYNET, store, records, 3, "--of numpynet")
    (measured,) = report.kept().values()
    assert measured["commits"] == ["1111111", "2222222"]
    assert measured["modules"] == {"numpynet.linear": {"killed": 2, "survived": 1}}
    assert [each["diff"] for each in measured["survivors"]] == [["-a", "+b"]]
    assert report.PAGE.read_text("utf-8") == page(report.kept())
