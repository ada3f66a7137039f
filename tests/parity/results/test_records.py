"""The dataclasses of the records say what the store takes, what readers find, and what the schema is."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from made_up_records import bare, filled
from pydantic_core import to_json

from parity.results.evidence import stored
from parity.results.records import CASES, KINDS, Judged, Record, check, current, schema
from parity.results.records.ladder import CheckRecord
from parity.results.store import Results, ResultsError


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_that_says_no_more_than_it_must_is_taken_and_read_with_all_its_fields(
    kind: str, tmp_path: Path
) -> None:
    Results(tmp_path).append(kind, "a", bare(kind))
    (record,) = Results(tmp_path).read(kind)
    assert record.keys() == {field.name for field in fields(KINDS[kind])}
    assert (record["key"], record.get("passed", True)) == ("a", True)


@pytest.mark.parametrize(
    ("kind", "record", "said"),
    [
        ("chekcs", {}, "no kind of record called 'chekcs'; there are: checks, derivatives"),
        ("checks", bare("checks", failed_rnug=1), "'a' of the kind 'checks' has failed_rnug, which is no field"),
        ("checks", {"passed": True, "pair": "ReLU", "frameworks": []}, "'a' of the kind 'checks' lacks dtype"),
        ("checks", bare("checks", uses=[{"used": 1.0}]), r"lacks uses\.0\.implementation"),
        ("checks", bare("checks", failed_rung=6), "has failed_rung: Input should be less than or equal to 5"),
        ("checks", {"status": "crashed", "massage": ""}, "has massage, which is no field"),
        ("modes", bare("modes", status="agree"), "has status: Input should be 'agrees'"),
        ("runs", {"status": "crashed"}, "lacks implementation"),  # of the study: it is no stand-in
    ],
)
def test_what_is_no_record_is_refused_by_name_and_leaves_nothing(
    kind: str, record: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=said):
        Results(tmp_path).append(kind, "a", record)
    assert Results(tmp_path).kinds() == []


OLDER = [
    ("checks", {"failure": None}, True),
    ("checks", {"failure": "rung 1"}, False),
    ("derivatives", {"holds": True, "measured": True}, True),
    ("derivatives", {"holds": False, "measured": False}, False),
    ("refusals", {"holds": False}, False),
    ("differences", {"holds": True, "measured": False}, None),
    ("differences", {"holds": None, "measured": True, "boundary": "not verified"}, None),
    ("modes", {"status": "finding"}, True),
    ("modes", {"status": "off"}, False),
    ("modes", {"status": "not run"}, None),
    ("defects", {"caught": False}, False),
    ("calibration", {"lowest": 0.04, "rate": 0.07, "highest": 0.06}, False),
    ("soak", {"alarms": 2}, False),
    ("soak-curves", {"alarms": 0, "alarm": False}, True),
    ("soak-chunks", {"alarm": "rung 1"}, False),
    ("machines", {"status": "red"}, False),
    ("machines", {"status": "cannot be emulated here"}, None),
    ("checks", {"status": "crashed", "message": "signal 9"}, None),
]


@pytest.mark.parametrize(("kind", "words", "passed"), OLDER)
def test_the_outcome_of_an_older_record_is_read_from_the_words_of_its_time(
    kind: str, words: dict[str, Any], passed: bool | None, tmp_path: Path
) -> None:
    older = {name: value for name, value in bare(kind).items() if name != "passed"}
    (tmp_path / f"{kind}.jsonl").write_text(json.dumps({"schema": 1, "key": "a", **older, **words}) + "\n")
    (record,) = Results(tmp_path).read(kind)
    assert record["passed"] is passed
    assert not {"holds", "caught"} & record.keys()


def test_what_each_package_does_is_read_from_the_field_that_it_had_in_older_records() -> None:
    older = bare("differences", key="a", torch="unbiased", keras="biased", tensorflow="")
    record = current("differences", older)
    assert record["does"] == {"torch": "unbiased", "keras": "biased"}
    check("differences", record, json.dumps(record))
    assert current("differences", record) == record


def test_every_kind_whose_records_are_judged_knows_the_words_of_older_ones_or_always_said_passed() -> None:
    judged = {kind for kind, of in KINDS.items() if issubclass(of, Judged)}
    assert set(CASES) < judged
    assert judged - {kind for kind, *_ in OLDER} == {
        "comparisons",
        "twins",
        "curves",
        "experiments",
        "specials",
        "defaults",
        "promises",
        "mutants",
        "thresholds",
    }


def test_a_stored_record_that_lacks_what_has_no_default_is_named(tmp_path: Path) -> None:
    (tmp_path / "checks.jsonl").write_text('{"schema": 1, "key": "a", "pair": "ReLU", "failure": null}\n')
    with pytest.raises(ResultsError, match="line 1: the record 'a' of the kind 'checks' lacks dtype, frameworks"):
        Results(tmp_path).read("checks")


@pytest.mark.usefixtures("committed")
@pytest.mark.parametrize("kind", ["soak-chunks", "soak-curves", "thresholds"])
def test_what_is_kept_with_the_code_is_read_as_todays_records(kind: str) -> None:
    records = stored(kind)
    assert records
    for record in records:
        check(kind, record, to_json(record).decode())
        assert record["passed"] is True


def test_the_made_up_records_follow_the_schema_of_their_kind(tmp_path: Path) -> None:
    validator = pytest.importorskip("jsonschema").Draft202012Validator
    results = filled(tmp_path)
    assert set(results.kinds()) == set(KINDS) - {"calibration", "soak-chunks", "trainings"}
    for kind in results.kinds():
        found = validator(schema(kind))
        for line in (tmp_path / f"{kind}.jsonl").read_text().splitlines():
            found.validate(json.loads(line))
        assert not found.is_valid({"schema": 1, "key": "a", "unknown": 1})


def test_a_crash_has_what_is_known_of_what_crashed_and_has_not_passed() -> None:
    crash = current("checks", {"key": "a", "pair": "ReLU", "status": "crashed", "message": "signal 9"})
    assert (crash["passed"], crash["pair"], crash["message"]) == (None, "ReLU", "signal 9")


def test_a_record_cannot_be_changed() -> None:
    record: Record = CheckRecord(key="a", passed=True, pair="ReLU", dtype="float32", frameworks=[])
    with pytest.raises(AttributeError):
        record.key = "b"  # type: ignore[misc]
