"""The records of the store: a frozen dataclass for each kind, which says its fields, their types and their defaults.

The store checks by them what is appended, readers fill in by them what older records lack, and the JSON schema is made
of them.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from parity.results.records.comparisons import ComparisonRecord
from parity.results.records.facts import (
    DefaultRecord,
    DefectRecord,
    DifferenceRecord,
    MutantRecord,
    PromiseRecord,
    RefusalRecord,
    SpecialRecord,
    ThresholdRecord,
    TwinRecord,
)
from parity.results.records.fingerprints import SignatureRecord, TensorsRecord
from parity.results.records.ladder import CheckRecord, CurveRecord, DerivativeRecord, ModeRecord
from parity.results.records.plans import PlanRecord
from parity.results.records.record import CRASHED, SCHEMA, Json, Judged, Record
from parity.results.records.soaks import ChunkRecord, CurveSoakRecord, MachineRecord, SoakRecord
from parity.results.records.trainings import (
    CalibrationRecord,
    ExperimentRecord,
    RunRecord,
    StudyRecord,
    TrainingRecord,
)

__all__ = [
    "CASES",
    "CRASHED",
    "KINDS",
    "PLANNED",
    "SCHEMA",
    "Json",
    "Judged",
    "Record",
    "check",
    "current",
    "is_crash",
    "schema",
    "told",
]

# In the order in which the report tells of them.
KINDS: dict[str, type[Record]] = {
    each.KIND: each
    for each in (
        CheckRecord,
        DerivativeRecord,
        RefusalRecord,
        SpecialRecord,
        DifferenceRecord,
        DefaultRecord,
        PromiseRecord,
        ModeRecord,
        ComparisonRecord,
        DefectRecord,
        TwinRecord,
        MutantRecord,
        ThresholdRecord,
        TensorsRecord,
        SignatureRecord,
        CurveRecord,
        ExperimentRecord,
        RunRecord,
        StudyRecord,
        CalibrationRecord,
        SoakRecord,
        CurveSoakRecord,
        ChunkRecord,
        MachineRecord,
        PlanRecord,
        TrainingRecord,
    )
}
# Kinds of which every record is one thing that was looked at, in the order of junit's suites.
CASES = tuple(kind for kind, of in KINDS.items() if of.CASE)
# What the commands plan before they make it. Runs are the study's, and what else there is counts itself.
PLANNED = tuple(kind for kind, of in KINDS.items() if of.PLANNED)


def told(kind: str) -> list[str] | None:
    """The fields of a kind that the report tells, beside stack and key; None where it tells nothing of the kind."""
    of = KINDS[kind]
    if of.UNTOLD is None:
        return None
    own = {field.name for field in fields(Record)} | of.UNTOLD
    return [field.name for field in fields(of) if field.name not in own]


def is_crash(kind: str, record: Mapping[str, Any]) -> bool:
    """Tells whether the record only stands for what could not be done.

    A run that crashed is a run all the same: the study counts it.
    """
    return record.get("status") == CRASHED and kind != RunRecord.KIND


def current(kind: str, stored: Mapping[str, Any]) -> Json:
    """A stored record in the words of today, with the defaults of what it lacks.

    That of a crash has no other fields than were known. Raises ValueError, which names it, where it lacks what has no
    default.
    """
    of, record = _of(kind), dict(stored)
    crash = is_crash(kind, record)
    if issubclass(of, Judged) and "passed" not in record:
        record["passed"] = None if crash else of.outcome(record)
    record = {name: value for name, value in (of.reworded(record) | record).items() if name not in of.FORMER}
    if not crash and (lacking := [name for name in _required(of) if name not in record]):
        raise ValueError(f"the record {record.get('key')!r} of the kind {kind!r} lacks {', '.join(lacking)}")
    return _defaults(of) | record


def check(kind: str, record: Mapping[str, Any], text: str) -> None:
    """Raise ValueError, which names what is wrong, unless `record`, written as `text`, is one of this kind."""
    of = _of(kind)
    if is_crash(kind, record):
        known = {field.name for field in fields(of)} | {"status", "message"}
        wrong = [_no_field(name) for name in record if name not in known]
    else:
        try:
            _adapter(kind).validate_json(text)
            return
        except ValidationError as error:
            wrong = [_said(each) for each in error.errors(include_url=False, include_context=False)]
    if wrong:
        raise ValueError(f"the record {record['key']!r} of the kind {kind!r} {'; '.join(wrong)}")


def schema(kind: str) -> Json:
    """The JSON schema of a line of the store."""
    return _adapter(kind).json_schema()


def _of(kind: str) -> type[Record]:
    if kind not in KINDS:
        raise ValueError(f"there is no kind of record called {kind!r}; there are: {', '.join(KINDS)}")
    return KINDS[kind]


def _said(error: ErrorDetails) -> str:
    where = ".".join(map(str, error["loc"]))
    if error["type"] == "missing":
        return f"lacks {where}"
    return _no_field(where) if error["type"] == "unexpected_keyword_argument" else f"has {where}: {error['msg']}"


def _no_field(name: str) -> str:
    return f"has {name}, which is no field of that kind"


@functools.cache
def _adapter(kind: str) -> TypeAdapter[Record]:
    return TypeAdapter(KINDS[kind])


def _required(of: type[Record]) -> list[str]:
    return [each.name for each in fields(of) if each.default is MISSING and each.default_factory is MISSING]


def _defaults(of: type[Record]) -> Json:
    found = {each.name: each.default for each in fields(of) if each.default is not MISSING}
    return found | {each.name: each.default_factory() for each in fields(of) if each.default_factory is not MISSING}
