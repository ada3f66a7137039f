"""junit.xml: a test case for each check, curve, mode, defect, refusal, difference, special value, and so on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as xml

from parity.report.records import Json
from parity.report.study import GREEN
from parity.results.records import CASES
from parity.statistics import Outcome

# What XML 1.0 has no place for, escaped or not.
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
Case = tuple[Json, str, "str | None"]  # what it is about, its name, and what is wrong, None if nothing is


def junit(document: Json) -> str:
    """The document as XML for JUnit, one test suite for each kind of record."""
    root = xml.Element("testsuites", name="parity")
    lost = _lost(document)
    for kind in CASES:
        cases = [(record, record["key"], _failure(kind, record)) for record in document[kind]]
        _suite(root, kind, cases, lost.pop(kind, []))
    decided = [(study, study["name"], _study(study)) for study in document["studies"]]
    undone = {(row["stack"], key) for row, key, _ in lost.get("studies", [])}
    known = [case for case in decided if (case[0]["stack"], case[1]) not in undone]
    _suite(root, "studies", known, lost.pop("studies", []))
    for kind, cases in lost.items():
        _suite(root, kind, [], cases)
    arms = [(study, arm) for study in document["studies"] for arm in study["arms"] if arm["passed"] is not None]
    failures = [None if arm["passed"] else f"{arm['outcome']}: {arm['reason']}" for _, arm in arms]
    _suite(root, "arms", [(s, f"{s['name']}/{arm['arm']}", why) for (s, arm), why in zip(arms, failures, strict=True)])
    xml.indent(root)
    return xml.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _lost(document: Json) -> dict[str, list[Case]]:
    """The cases, by kind, for what was planned and is missing, or crashed: errors, each with the reason."""
    lost: dict[str, list[Case]] = {}
    for row in document["planned_and_missing"]:
        kind, names = row["kind"] or "plans", row["keys"] or [row["command"] or "plan"]
        lost.setdefault(kind, []).extend((row, name, f"missing: {row['why']}") for name in names)
    for crash in document["crashes"]:
        lost.setdefault(crash["kind"], []).append((crash, crash["key"], f"crashed: {crash['message']}"))
    return lost


def _failure(kind: str, record: Json) -> str | None:
    """The message on what is wrong with a record; None if nothing is."""
    if record["passed"] is not False:
        return None
    if kind == "checks":
        return str(record["failure"])
    if kind in ("specials", "defaults", "promises"):
        return str(record["message"])
    if kind == "comparisons":
        return "\n".join(record["told"])
    if kind == "derivatives":
        return record["message"] or f"uses {record['used']} of what rounding allows"
    if kind == "refusals":
        return f"{record['statuses']}, expected {record['expected']}"
    if kind == "differences":
        sizes = f"naive {record['naive']}, predicted {record['predicted']}, mapped {record['mapped']}"
        return f"{record['title']} is not as catalogued: {sizes}"
    if kind == "defects":
        return f"escaped the ladder after {record['examples']} examples"
    if kind == "twins":
        return f"an undamaged twin was caught: {record['message']}"
    if kind == "curves":
        return f"outside the envelope: shares used {record['used']} {record['message']}"
    if kind == "modes":
        return record["note"] or "parts from the other modes or numpynet"
    return f"{record['summary']}; must show: {record['requirement']}"


def _study(study: Json) -> str | None:
    """The message on what is wrong with a study; None also where its data could not be had, for then it is skipped."""
    left_out = study["outcome"] == "not decided" and study["reason"].startswith("not run: ")
    return None if study["outcome"] in GREEN or left_out else f"{study['outcome']}: {study['reason']}"


def _suite(root: xml.Element, kind: str, cases: Sequence[Case], lost: Sequence[Case] = ()) -> None:
    """Add a test suite of `cases` to `root`, and of those that were `lost`, which are errors all of them."""
    if not (cases or lost):
        return
    suite = xml.SubElement(root, "testsuite", name=kind, tests=str(len(cases) + len(lost)))
    failures = errors = skipped = 0
    for record, name, why, is_lost in [(*case, False) for case in cases] + [(*case, True) for case in lost]:
        case = xml.SubElement(suite, "testcase", classname=f"parity.{kind}.{record['stack']}", name=_clean(name))
        if record.get("seconds"):
            case.set("time", f"{record['seconds']:.3f}")
        if why is None:
            if record.get("passed", True) is None or record.get("outcome") == "not decided":
                why_not = record.get("message") or record.get("note") or record.get("reason") or "not judged"
                xml.SubElement(case, "skipped", message=_clean(why_not))
                skipped += 1
            continue
        invalid = (kind == "studies" and record.get("outcome") == Outcome.INVALID.value) or is_lost
        failures, errors = failures + (not invalid), errors + invalid
        found = xml.SubElement(case, "error" if invalid else "failure", message=_clean(why.splitlines()[0]), type=kind)
        found.text = _clean(why)
    for name, counted in (("failures", failures), ("errors", errors), ("skipped", skipped)):
        suite.set(name, str(counted))


def _clean(text: str) -> str:
    return FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
