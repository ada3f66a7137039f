"""Reds: everything that is off, by what kind of thing it is, each with its stack and the first line of why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from parity.report.records import Json
from parity.report.study import GREEN
from parity.statistics import Outcome

# In the order in which a maintainer wants to know.
KINDS = {
    "numbers": "implementations compute different things",
    "controls": "the suite cannot be trusted to turn red",
    "refusals": "one implementation refuses what another accepts, and the catalogue does not say so",
    "catalogue": "a known difference is not as stated any more",
    "promises": "numpynet does not do what its docstring says",
    "crashes": "nothing was compared",
}


class Red(NamedTuple):
    kind: str
    stack: str
    what: str  # kind of record
    key: str
    why: str


def reds(kinds: Mapping[str, list[Json]], studies: Sequence[Json], crashes: Sequence[Json]) -> list[Json]:
    """A group for each kind of red of which there is one: its kind, its meaning, and what was found."""
    found = list(_found(kinds, studies, crashes))
    return [
        {
            "kind": kind,
            "meaning": meaning,
            "found": [
                {"stack": red.stack, "what": red.what, "key": red.key, "why": red.why.strip().partition("\n")[0]}
                for red in found
                if red.kind == kind
            ],
        }
        for kind, meaning in KINDS.items()
        if any(red.kind == kind for red in found)
    ]


def _found(kinds: Mapping[str, list[Json]], studies: Sequence[Json], crashes: Sequence[Json]) -> Iterator[Red]:
    for kind, what, why in (
        ("numbers", "checks", "failure"),
        ("numbers", "derivatives", "message"),
        ("numbers", "curves", "message"),
        ("numbers", "modes", "note"),
        ("numbers", "comparisons", "headline"),
        ("numbers", "experiments", "summary"),
        ("controls", "defects", "title"),
        ("controls", "twins", "message"),
        ("controls", "calibration", "procedure"),
        ("refusals", "refusals", "message"),
        ("catalogue", "specials", "message"),
        ("catalogue", "differences", "message"),
        ("catalogue", "defaults", "message"),
        ("promises", "promises", "message"),
    ):
        for record in kinds[what]:
            if record["passed"] is False:
                of = {"refusal": "refusals", "crash": "crashes"}.get(record.get("failed_quantity") or "", kind)
                yield Red(of, record["stack"], what, record["key"], _why(what, record, why))
    for study in studies:
        if study["outcome"] not in (*GREEN, "not decided", Outcome.INCONCLUSIVE.value):
            kind = "controls" if study["outcome"] == Outcome.INVALID.value else "numbers"
            yield Red(kind, study["stack"], "studies", study["name"], f"{study['outcome']}: {study['reason']}")
        for arm in study["arms"]:
            if arm["passed"] is False:
                why = f"{arm['outcome']}: {arm['reason']}"
                yield Red("controls", study["stack"], "arms", f"{study['name']}/{arm['arm']}", why)
    for what in ("soak", "soak-curves"):
        for record in kinds[what]:
            if record["passed"] is False:
                yield Red("controls", record["stack"], what, record["key"], f"{record['alarms']} false alarms")
    for crash in crashes:
        yield Red("crashes", crash["stack"], crash["kind"], crash["key"], crash["message"])
    for run in kinds["runs"]:
        if run["status"] == "crashed":
            yield Red("crashes", run["stack"], "runs", run["key"], run["message"])


def _why(what: str, record: Json, field: str) -> str:
    """The record's own words on what is wrong or, where it has none, what is wrong with records of its kind."""
    if what == "refusals":
        return record["message"] or f"{record['statuses']}, the catalogue says {record['expected']}"
    if what == "curves":
        return record["message"] or f"outside the envelope: shares used {record['used']}"
    if what == "derivatives":
        return record["message"] or f"uses {record['used']} of what is allowed"
    if what == "defects":
        return f"escaped after {record['examples']} examples: {record['title']}"
    return str(record[field]) or "off"
