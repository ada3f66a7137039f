"""Installs releases one by one into folders of their own, and finds between which two an entry changes."""

from __future__ import annotations

import datetime
import functools
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from parity.boundaries import MEASURED
from parity.boundaries.cuda import stand_ins
from parity.boundaries.one import REFUSALS
from parity.differences import TOPICS, catalogue
from parity.differences.refused import KNOWN, expected
from parity.frameworks import FRAMEWORKS
from parity.installed import bounds, holds_here, numbers
from parity.results import versions
from parity.study.origin import ROOT, digest

PACKAGES = ("keras", "torch", "tensorflow")
DISTRIBUTIONS = {"keras": "keras", "torch": "torch", "tensorflow": "tensorflow-cpu"}
OLDEST = {"keras": "3.3.3", "torch": "2.2.2", "tensorflow": "2.16.2"}  # of the stack `oldest`

IMPLEMENTATIONS = ("numpynet", *FRAMEWORKS)
Outcomes = dict[str, str]
# the code that the outcomes of a part rest on: where it changed, a record no longer says what it says
REFUSED = ("numpynet", "parity/frameworks", "parity/pairs", "parity/refusals")
DIFFERENCES = ROOT / "parity" / "differences"


@functools.cache
def code() -> dict[str, str]:
    """The digest of the code behind each part of a record: the refusals, and each topic of the catalogue."""
    refused = [path for folder in REFUSED for path in (ROOT / folder).rglob("*.py")]
    shared = [DIFFERENCES / "difference.py", DIFFERENCES / "kernels.py"]
    topics = {topic: digest([DIFFERENCES / f"{topic}.py", *shared]) for topic in TOPICS}
    return {REFUSALS: digest(refused)} | topics


def outcomes_of(record: dict[str, Any]) -> Outcomes:
    """Of every part in one; none where the release was not measurable."""
    return {key: outcome for part in record.get("outcomes", {}).values() for key, outcome in part.items()}


def conditions() -> dict[str, list[str]]:
    """The conditions of each entry that has one, in the table of refusals and in the catalogue of differences."""
    found: dict[str, list[str]] = {}
    for known in KNOWN:
        if known.when:
            for key in known.refusals():
                found.setdefault(key, []).append(known.when)
    for entry in catalogue():
        if entry.when:
            found.setdefault(entry.id, []).append(entry.when)
    return found


def packages_of(entry: str, listed: dict[str, list[str]]) -> set[str]:
    return {bound.package for when in listed.get(entry, ()) for bound in bounds(when)}


def published(package: str, index: str | None = None) -> list[str]:
    """The releases that pip finds for this Python, oldest first, from the oldest that is supported."""
    command = [sys.executable, "-m", "pip", "index", "versions", DISTRIBUTIONS[package]]
    said = subprocess.run(command + _from(index), capture_output=True, text=True, check=True).stdout
    listed = re.search(r"Available versions: (.*)", said)
    found = {version.partition("+")[0] for version in (listed[1].split(", ") if listed else ())}
    plain = [version for version in found if re.fullmatch(r"[\d.]+", version)]
    return sorted((v for v in plain if numbers(v) >= numbers(OLDEST[package])), key=numbers)


def _from(index: str | None) -> list[str]:
    return ["--index-url", index] if index else []


class Laboratory:
    """Measures releases of one package beside everything else that is installed; keeps what it found in `folder`.

    A record is used again for the parts whose code is as it was. A release that cannot be installed, or does not work
    beside the rest, has a record that says why, and no outcomes.
    """

    def __init__(self, package: str, folder: Path, index: str | None = None) -> None:
        self.package, self.index = package, index
        self.beside = {name: version for name, version in versions().items() if name in {"numpy", *PACKAGES}}
        self.installed = self.beside.pop(package, None)
        named = "-".join(f"{name}{version}" for name, version in sorted(self.beside.items()))
        self.folder = folder / f"{package}-beside-{named}"

    def record(self, version: str) -> Path:
        return self.folder / f"{self.package}-{version}.json"

    def measure(self, version: str) -> Outcomes | None:
        """The outcomes of every entry with this release, measured or read; None where it is not measurable."""
        file = self.record(version)
        known: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        stale = [part for part, now in code().items() if known.get("code", {}).get(part) != now]
        if stale:
            known.pop("unmeasurable", None)
            known = {"package": self.package, "version": version, "beside": self.beside} | known
            known |= self._found(version, known, stale)
            known |= {"date": datetime.date.today().isoformat(), "code": code()}
            file.parent.mkdir(parents=True, exist_ok=True)
            file.with_suffix(".part").write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
            file.with_suffix(".part").rename(file)
        return None if "unmeasurable" in known else outcomes_of(known)

    def _found(self, version: str, known: dict[str, Any], parts: list[str]) -> dict[str, Any]:
        """What a process that imports this release finds of `parts`, with what is `known` of the others."""
        with tempfile.TemporaryDirectory(dir=_existing(self.folder)) as scratch:
            record = Path(scratch, "record.json")
            record.write_text(json.dumps(known), encoding="utf-8")
            try:
                environment = self._install(version, Path(scratch, self.package))
                _run(sys.executable, "-m", "parity.boundaries.one", str(record), *parts, env=environment)
            except subprocess.CalledProcessError as error:
                return {"unmeasurable": _said_last(error)}
            found: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
            return found

    def _install(self, version: str, home: Path) -> dict[str, str]:
        """The environment in which Python imports this release."""
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(home), str(ROOT)])}
        if version == self.installed:
            return environment
        self._pip(home, f"{DISTRIBUTIONS[self.package]}=={version}")
        if self.package == "tensorflow" and (lacking := self._lacking(home)):
            self._pip(home, *lacking)
        if self.package == "torch" and (home / "torch" / "lib" / "libtorch_cuda.so").exists():
            stand_ins(home, home / "cuda")
            environment["LD_LIBRARY_PATH"] = str(home / "cuda")
        return environment

    def _pip(self, home: Path, *requirements: str) -> None:
        options = ("--quiet", "--no-deps", "--no-compile", "--target", str(home))
        _run(sys.executable, "-m", "pip", "install", *options, *requirements, *_from(self.index))

    def _lacking(self, home: Path) -> list[str]:
        """What the release in `home` requires in other versions than those installed, but for what it is beside."""
        (found,) = metadata.distributions(path=[str(home)])
        lacking = []
        for requirement in map(Requirement, found.requires or ()):
            if (
                requirement.marker and not requirement.marker.evaluate({"extra": ""})
            ) or requirement.name in self.beside:
                continue
            try:
                if metadata.version(requirement.name) in requirement.specifier:
                    continue
            except metadata.PackageNotFoundError:
                pass
            lacking.append(f"{requirement.name}{requirement.specifier}")
        return lacking


def _existing(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _run(*command: str, env: dict[str, str] | None = None) -> None:
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def _said_last(error: subprocess.CalledProcessError) -> str:
    """The first error of pip, or the last line that a process wrote before it failed, or the signal that ended it."""
    lines = [line.strip() for line in error.stderr.splitlines() if line.strip()]
    ended = f"ended by signal {-error.returncode}" if error.returncode < 0 else f"exit code {error.returncode}"
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return [*errors, *lines[-1:]][0] if lines and error.returncode > 0 else ended


def first_of_each_minor(releases: Iterable[str]) -> list[str]:
    """The oldest release of each minor version: where behaviour that comes and goes is met."""
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

    First one of each minor version, and the newest; then the middle between two in which an entry differs. What is not
    measurable is left out, as if it had not been released.
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
    """Those of `entries` whose outcome differs between two releases."""
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
    """Every record, by what the release was measured beside and by its version."""
    files = sorted(folder.glob("*-beside-*/*.json"))
    records = [(file.parent.name, json.loads(file.read_text(encoding="utf-8"))) for file in files]
    return [record for _, record in sorted(records, key=lambda each: (each[0], numbers(each[1]["version"])))]


def found_in(folder: Path, listed: dict[str, list[str]]) -> dict[str, Any]:
    """What `measured.json` holds, made of the records in `folder` that rest on today's code."""
    releases: list[dict[str, Any]] = []
    unmeasurable: list[dict[str, Any]] = []
    between: dict[tuple[str, str, str], set[str]] = {}
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
        "releases": releases,
        "unmeasurable": unmeasurable,
    }


def off(record: dict[str, Any]) -> dict[str, Any]:
    """How many entries were measured with a release, and which are not as table and catalogue say for its versions, and
    for the kernels that TensorFlow took when it was measured.
    """
    installed, by = record["versions"], record["kernels"]
    entries = {entry.id: entry for entry in catalogue()}
    wrong, judged = [], 0
    for key, outcome in outcomes_of(record).items():
        pair, slash, wrong_thing = key.partition("/")
        if slash:
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


def write(folder: Path, to: Path = MEASURED) -> None:
    """Make the file of the package from every record in `folder`."""
    to.write_text(json.dumps(found_in(folder, conditions()), indent=1) + "\n", encoding="utf-8")
