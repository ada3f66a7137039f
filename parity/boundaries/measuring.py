"""Measures releases one by one, and finds between which two an entry changes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from parity.boundaries.laboratory import Laboratory, Outcomes, code, outcomes_of
from parity.boundaries.one import REFUSALS, SPECIALS
from parity.catalogue import catalogue, refusals, specials
from parity.catalogue.refusal import expected
from parity.catalogue.special import as_stated
from parity.frameworks import FRAMEWORKS
from parity.releases.installing import published
from parity.results.boundaries import MEASURED
from parity.results.conditions import bounds, holds_here, numbers

NOTHING: Mapping[str, Any] = {}
IMPLEMENTATIONS = ("numpynet", *FRAMEWORKS)


def conditions() -> dict[str, list[str]]:
    """The conditions of each entry that has one: of refusals, special values, and the catalogue of differences."""
    found: dict[str, list[str]] = {}
    for known in refusals.KNOWN:
        if known.when:
            for key in known.refusals():
                found.setdefault(key, []).append(known.when)
    for deviation in specials.KNOWN:
        if deviation.when:
            for pair, value in deviation.entries():
                found.setdefault(f"{pair}/{value}", []).append(deviation.when)
    for entry in catalogue():
        if entry.when:
            found.setdefault(entry.id, []).append(entry.when)
    return found


def packages_of(entry: str, listed: dict[str, list[str]]) -> set[str]:
    return {bound.package for when in listed.get(entry, ()) for bound in bounds(when)}


def first_of_each_minor(releases: Iterable[str]) -> list[str]:
    """The oldest release of each minor version: these meet behaviour that comes and goes."""
    firsts: dict[tuple[int, ...], str] = {}
    for version in releases:
        firsts.setdefault(numbers(version)[:2], version)
    return list(firsts.values())


def search(
    releases: list[str],
    measure: Callable[[str], Outcomes | None],
    entries: set[str],
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Outcomes]:
    """The outcomes of as many releases as it takes to say between which two neighbours each of `entries` changes.

    Measured are first one of each minor version and the newest, then the middle between two in which an entry differs.
    What is not measurable is left out, as if it had not been released.
    """
    found: dict[str, Outcomes] = {}
    left = list(releases)
    while waiting := _wanted(left, found, entries):
        for count, version in enumerate(waiting):
            outcomes = measure(version)
            if outcomes is None:
                left.remove(version)
            else:
                found[version] = outcomes
            if progress is not None:
                progress(count + 1, len(waiting))
    return found


def _wanted(releases: list[str], found: dict[str, Outcomes], entries: set[str]) -> list[str]:
    """The releases that are to be measured next."""
    outline = dict.fromkeys([*first_of_each_minor(releases), *releases[-1:]])
    if new := [version for version in outline if version not in found]:
        return new
    middles = []
    for last, first in itertools.pairwise(sorted(found, key=numbers)):
        between = releases[releases.index(last) + 1 : releases.index(first)]
        if between and changed(found[last], found[first], entries):
            middles.append(between[len(between) // 2])
    return middles


def changed(before: Outcomes, after: Outcomes, entries: set[str]) -> list[str]:
    """The entries, of `entries`, whose outcome differs between two releases."""
    return sorted(entry for entry in entries if before.get(entry) != after.get(entry))


def run(
    package: str,
    folder: Path,
    index: str | None = None,
    releases: list[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Measure `releases` of `package`, by default those that `search` asks for."""
    listed = conditions()
    entries = {entry for entry in listed if package in packages_of(entry, listed)}
    laboratory = Laboratory(package, folder, index)
    if releases:
        for count, version in enumerate(releases):
            laboratory.measure(version)
            if progress is not None:
                progress(count + 1, len(releases))
    else:
        search(published(package, index), laboratory.measure, entries, progress)


def changes(folder: Path) -> list[str]:
    """A line for each two neighbouring releases between which entries change, and for each that was not measured."""
    found = found_in(folder, conditions())
    moved = [
        f"{each['package']} {each['last']} -> {each['first']}: {', '.join(each['entries'])}"
        for each in found["boundaries"]
    ]
    lacking = [f"{each['package']} {each['version']} was not measured: {each['why']}" for each in found["unmeasurable"]]
    left_out = [
        f"{record['package']} {record['version']} was measured by code that has changed: measure it again"
        for record in records_in(folder)
        if record["code"] != code()
    ]
    return [*moved, *lacking, *left_out]


def records_in(folder: Path) -> list[dict[str, Any]]:
    """Every record in `folder`, ordered by what the release was measured beside and by its version."""
    files = sorted(folder.glob("*-beside-*/*.json"))
    records = [(file.parent.name, json.loads(file.read_text(encoding="utf-8"))) for file in files]
    return [record for _, record in sorted(records, key=lambda each: (each[0], numbers(each[1]["version"])))]


def found_in(folder: Path, listed: dict[str, list[str]], earlier: Mapping[str, Any] = NOTHING) -> dict[str, Any]:
    """The contents for `measured.json`, made of the records in `folder` that rest on today's code.

    Of `earlier` contents the changes are kept, which another machine's kernels may have shown, and the releases that
    have not been measured anew.
    """
    releases: list[dict[str, Any]] = []
    unmeasurable: list[dict[str, Any]] = []
    between = {
        (each["package"], each["last"], each["first"]): {entry for entry in each["entries"] if entry in listed}
        for each in earlier.get("boundaries", [])
    }
    valid = [record for record in records_in(folder) if record["code"] == code()]
    for record in valid:
        said = {key: record[key] for key in ("package", "version", "beside", "date")}
        if "unmeasurable" in record:
            unmeasurable.append(said | {"why": record["unmeasurable"]})
        else:
            releases.append(said | {"kernels": record["kernels"]} | off(record))
    measured = [record for record in valid if "unmeasurable" not in record]
    for last, first in itertools.pairwise(measured):
        package = last["package"]
        if (package, last["beside"]) != (first["package"], first["beside"]):
            continue
        entries = {entry for entry in listed if package in packages_of(entry, listed)}
        if moved := changed(outcomes_of(last), outcomes_of(first), entries):
            between.setdefault((package, last["version"], first["version"]), set()).update(moved)
    for wide, narrow in itertools.permutations(between, 2):
        if wide[0] == narrow[0] and numbers(wide[1]) <= numbers(narrow[1]) and numbers(narrow[2]) <= numbers(wide[2]):
            between[wide] -= between[narrow]  # what another folder found between nearer neighbours
    return {
        "command": "parity boundaries",
        "boundaries": [
            {"package": package, "last": last, "first": first, "entries": sorted(entries)}
            for (package, last, first), entries in sorted(between.items(), key=lambda item: _order(*item[0]))
            if entries
        ],
        "releases": _with_earlier(releases, earlier.get("releases", []), valid),
        "unmeasurable": _with_earlier(unmeasurable, earlier.get("unmeasurable", []), valid),
    }


def _with_earlier(found: list[Any], earlier: Iterable[Any], measured: Iterable[Mapping[str, Any]]) -> list[Any]:
    """Returns what is said of releases now and, of those not measured anew beside the same packages, was before."""

    def place(each: Mapping[str, Any]) -> tuple[Any, ...]:
        return each["package"], sorted(each["beside"].items()), numbers(each["version"])

    anew = list(map(place, measured))
    return sorted([*found, *(each for each in earlier if place(each) not in anew)], key=place)


def off(record: dict[str, Any]) -> dict[str, Any]:
    """The number of entries that were measured with a release ("judged"), and the keys of those that are "off".

    An entry is off that is not as table and catalogue say for the release's versions, and for the kernels that
    TensorFlow took when it was measured.
    """
    installed, by = record["versions"], record["kernels"]
    entries = {entry.id: entry for entry in catalogue()}
    wrong, judged = [], 0
    tabled = record["outcomes"]
    for key, outcome in outcomes_of(record).items():
        pair, _, wrong_thing = key.partition("/")
        if key in tabled.get(SPECIALS, {}):
            stated = as_stated(pair, wrong_thing, outcome, installed, by)
            judged += 1
        elif key in tabled.get(REFUSALS, {}):
            known = expected(pair, wrong_thing, installed, by)
            alike = outcome in ("", " ".join(IMPLEMENTATIONS))
            stated = alike if known is None else outcome.split() == known.refused_by.split()
            judged += 1
        else:
            applies = holds_here(entries[key].when, installed=installed)
            stated = outcome == "there" or not applies
            judged += applies
        if not stated:
            wrong.append(key)
    return {"judged": judged, "off": sorted(wrong)}


def _order(package: str, last: str, first: str) -> tuple[Any, ...]:
    return package, numbers(last), numbers(first)


def write(folder: Path, to: Path = MEASURED, add: bool = False) -> None:
    """Write `measured.json` from every record in `folder`: anew, or beside what it says of other releases."""
    earlier = json.loads(to.read_text(encoding="utf-8")) if add else NOTHING
    to.write_text(json.dumps(found_in(folder, conditions(), earlier), indent=1) + "\n", encoding="utf-8")
