"""The page of mutants says what was measured, and for each survivor why, as far as it is known."""

from __future__ import annotations

import pytest

from parity.mutants.modules import Of, path
from parity.mutants.reasons import Reason, reason_of, reasons
from parity.report.mutants import PAGE, kept, page

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
