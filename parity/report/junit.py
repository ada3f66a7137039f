"""junit.xml: a test case for each check, curve, mode, defect, refusal, difference, derivative, experiment and study."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as xml

from parity.report.records import Json
from parity.report.study import GREEN
from parity.statistics import Outcome

# What XML 1.0 has no place for, escaped or not.
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
JUDGED = ("passed", "holds", "caught", "largest")  # None, or empty, where a record was not judged


def junit(document: Json) -> str:
    """The document as JUnit's XML, one test suite for each kind of record."""
    root = xml.Element("testsuites", name="parity")
    for kind in ("checks", "derivatives", "refusals", "differences", "modes", "defects", "curves", "experiments"):
        _suite(root, kind, [(record, record["key"], _failure(kind, record)) for record in document[kind]])
    _suite(root, "studies", [(study, study["name"], _study(study)) for study in document["studies"]])
    arms = [(study, arm) for study in document["studies"] for arm in study["arms"] if arm["holds"] is not None]
    failures = [None if arm["holds"] else f"{arm['outcome']}: {arm['reason']}" for _, arm in arms]
    _suite(root, "arms", [(s, f"{s['name']}/{arm['arm']}", why) for (s, arm), why in zip(arms, failures, strict=True)])
    xml.indent(root)
    return xml.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _failure(kind: str, record: Json) -> str | None:
    """What is wrong, None if nothing is."""
    if kind == "checks":
        return str(record["failure"]) if record["failure"] else None
    if kind == "derivatives":
        wrong = f"uses {record['used']} of what numerical differentiation allows"
        return None if record["holds"] else record["message"] or wrong
    if kind == "refusals":
        return f"{record['statuses']}, expected {record['expected']}" if record["holds"] is False else None
    if kind == "differences":
        sizes = f"naive {record['naive']}, predicted {record['predicted']}, mapped {record['mapped']}"
        return f"{record['title']} is not as catalogued: {sizes}" if record["holds"] is False else None
    if kind == "defects":
        return None if record["caught"] is not False else f"escaped the ladder after {record['examples']} examples"
    if kind == "curves":
        return (
            None
            if record["passed"] is not False
            else f"outside the envelope: shares used {record['used']} {record['message']}"
        )
    if kind == "modes":
        return record["note"] or "parts from the other modes or numpynet" if record["status"] == "off" else None
    return f"{record['summary']}; must show: {record['requirement']}" if record["passed"] is False else None


def _study(study: Json) -> str | None:
    return None if study["outcome"] in GREEN else f"{study['outcome']}: {study['reason']}"


def _suite(root: xml.Element, kind: str, cases: Sequence[tuple[Json, str, str | None]]) -> None:
    if not cases:
        return
    suite = xml.SubElement(root, "testsuite", name=kind, tests=str(len(cases)))
    failures = errors = skipped = 0
    for record, name, why in cases:
        case = xml.SubElement(suite, "testcase", classname=f"parity.{kind}.{record['stack']}", name=_clean(name))
        if record.get("seconds"):
            case.set("time", f"{record['seconds']:.3f}")
        if why is None:
            if any(record.get(field, True) in (None, {}) for field in JUDGED):
                why_not = record.get("message") or record.get("note") or "not judged"
                xml.SubElement(case, "skipped", message=_clean(why_not))
                skipped += 1
            continue
        invalid = kind == "studies" and record["outcome"] == Outcome.INVALID.value
        failures, errors = failures + (not invalid), errors + invalid
        found = xml.SubElement(case, "error" if invalid else "failure", message=_clean(why.splitlines()[0]), type=kind)
        found.text = _clean(why)
    for name, counted in (("failures", failures), ("errors", errors), ("skipped", skipped)):
        suite.set(name, str(counted))


def _clean(text: str) -> str:
    return FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
