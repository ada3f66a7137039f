"""Installs releases one by one into folders of their own, and finds between which two an entry changes."""

from __future__ import annotations

import datetime
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import parity
from parity.boundaries import MEASURED
from parity.boundaries.cuda import stand_ins
from parity.differences import catalogue
from parity.differences.refused import KNOWN, expected
from parity.frameworks import FRAMEWORKS
from parity.installed import bounds, holds_here, numbers
from parity.results import versions

PACKAGES = ("keras", "torch", "tensorflow")
DISTRIBUTIONS = {"keras": "keras", "torch": "torch", "tensorflow": "tensorflow-cpu"}
OLDEST = {"keras": "3.3.3", "torch": "2.2.2", "tensorflow": "2.16.2"}  # of the stack `oldest`

IMPLEMENTATIONS = ("numpynet", *FRAMEWORKS)
Outcomes = dict[str, str]


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
    """Measures releases of one package beside everything else that is installed; keeps what it found in `folder`."""

    def __init__(self, package: str, folder: Path, index: str | None = None) -> None:
        self.package, self.index = package, index
        self.beside = {name: version for name, version in versions().items() if name in {"numpy", *PACKAGES}}
        self.beside.pop(package, None)
        named = "-".join(f"{name}{version}" for name, version in sorted(self.beside.items()))
        self.folder = folder / f"{package}-beside-{named}"

    def record(self, version: str) -> Path:
        return self.folder / f"{self.package}-{version}.json"

    def measure(self, version: str) -> Outcomes:
        """The outcomes of every entry with this release, measured or read."""
        record = self.record(version)
        if not record.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            home = self.folder / f"{self.package}-{version}"
            try:
                environment = self._install(version, home)
                part = record.with_suffix(".part")
                command = [sys.executable, "-m", "parity.boundaries.one", str(part)]
                subprocess.run(command, env=environment, check=True, stderr=subprocess.DEVNULL)
                self._dated(part)
                part.rename(record)
            finally:
                shutil.rmtree(home, ignore_errors=True)
        outcomes: Outcomes = json.loads(record.read_text(encoding="utf-8"))["outcomes"]
        return outcomes

    def _install(self, version: str, home: Path) -> dict[str, str]:
        """The environment in which Python imports this release."""
        requirement = f"{DISTRIBUTIONS[self.package]}=={version}"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(home), requirement]
        if not home.exists():
            subprocess.run(command + _from(self.index), check=True, stderr=subprocess.DEVNULL)
        parents = [str(home), str(Path(parity.__file__).parents[1])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(parents)}
        if self.package == "torch" and (home / "torch" / "lib" / "libtorch_cuda.so").exists():
            stand_ins(home, home / "cuda")
            environment["LD_LIBRARY_PATH"] = str(home / "cuda")
        return environment

    def _dated(self, record: Path) -> None:
        found = json.loads(record.read_text(encoding="utf-8"))
        found |= {"beside": self.beside, "date": datetime.date.today().isoformat()}
        record.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def first_of_each_minor(releases: Iterable[str]) -> list[str]:
    """The oldest release of each minor version: where behaviour that comes and goes is met."""
    firsts: dict[tuple[int, ...], str] = {}
    for version in releases:
        firsts.setdefault(numbers(version)[:2], version)
    return list(firsts.values())


def search(
    releases: list[str],
    measure: Callable[[str], Outcomes],
    entries: set[str],
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Outcomes]:
    """The outcomes of as many releases as it takes to say between which two neighbours each of `entries` changes.

    First one of each minor version, and the newest; then the middle between two in which an entry differs.
    """
    found: dict[str, Outcomes] = {}
    waiting = list(dict.fromkeys([*first_of_each_minor(releases), releases[-1]]))
    while waiting:
        for count, version in enumerate(waiting):
            found[version] = measure(version)
            if progress is not None:
                progress(count + 1, len(waiting))
        tried = sorted(found, key=numbers)
        waiting = []
        for last, first in itertools.pairwise(tried):
            between = releases[releases.index(last) + 1 : releases.index(first)]
            if between and changed(found[last], found[first], entries):
                waiting.append(between[len(between) // 2])
    return found


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
    """A line for each two neighbouring releases between which entries change, by every record in `folder`."""
    return [
        f"{found['package']} {found['last']} -> {found['first']}: {', '.join(found['entries'])}"
        for found in found_in(folder, conditions())["boundaries"]
    ]


def found_in(folder: Path, listed: dict[str, list[str]]) -> dict[str, Any]:
    """What `measured.json` holds, made of every record in `folder`."""
    releases: list[dict[str, Any]] = []
    between: dict[tuple[str, str, str], set[str]] = {}
    for home in sorted(folder.glob("*-beside-*")):
        package = home.name.partition("-beside-")[0]
        records = [json.loads(file.read_text(encoding="utf-8")) for file in home.glob("*.json")]
        records.sort(key=lambda record: numbers(record["versions"][package]))
        for record in records:
            said = {"package": package, "version": record["versions"][package]}
            releases.append(said | {key: record[key] for key in ("beside", "date")} | off(record))
        entries = {entry for entry in listed if package in packages_of(entry, listed)}
        for before, after in itertools.pairwise(records):
            pair = (package, before["versions"][package], after["versions"][package])
            if moved := changed(before["outcomes"], after["outcomes"], entries):
                between.setdefault(pair, set()).update(moved)
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
    }


def off(record: dict[str, Any]) -> dict[str, Any]:
    """How many entries were measured with a release, and which are not as table and catalogue say for its versions."""
    outcomes, installed = record["outcomes"], record["versions"]
    wrong, judged = [], 0
    for key, outcome in outcomes.items():
        pair, slash, wrong_thing = key.partition("/")
        if slash:
            known = expected(pair, wrong_thing, installed)
            alike = outcome in ("", " ".join(IMPLEMENTATIONS))
            stated = alike if known is None else outcome.split() == known.refused_by.split()
            judged += 1
        else:
            entry = next(entry for entry in catalogue() if entry.id == key)
            stated = outcome == "there" or not holds_here(entry.when, installed=installed)
            judged += holds_here(entry.when, installed=installed)
        if not stated:
            wrong.append(key)
    return {"judged": judged, "off": sorted(wrong)}


def _order(package: str, last: str, first: str) -> tuple[Any, ...]:
    return package, numbers(last), numbers(first)


def write(folder: Path, to: Path = MEASURED) -> None:
    """Make the file of the package from every record in `folder`."""
    to.write_text(json.dumps(found_in(folder, conditions()), indent=1) + "\n", encoding="utf-8")
