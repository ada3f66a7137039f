"""Installs one release of a package into a folder of its own, and measures every entry with it in another process."""

from __future__ import annotations

import datetime
import functools
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpynet
from parity import frameworks, mapping
from parity.boundaries.one import REFUSALS, SPECIALS
from parity.catalogue import (
    attempt,
    difference,
    example,
    kernels,
    policy,
    refusal,
    refusals,
    running,
    settings,
    special,
    specials,
    variation,
)
from parity.catalogue.differences import topics
from parity.releases.installing import PACKAGES, in_front, install, run, said_last
from parity.releases.scratch import scratch
from parity.results.code import digest
from parity.results.packages import versions

Outcomes = dict[str, str]
# The code that the outcomes of a part rest on: where it changed, a record no longer says what it says. What the table
# of refusals, or of special values, says is none of it.
COMPUTED = (numpynet, frameworks, mapping)
REFUSED_BY, SPOILED_BY = (attempt, refusal, settings), (attempt, example, policy, special, variation)
DEMONSTRATED_BY = (difference, kernels, running)


@functools.cache
def code() -> dict[str, str]:
    """The digest of the code behind each part of a record: refusals, special values, each topic of the catalogue."""

    def tabled(table: ModuleType, by: Iterable[ModuleType]) -> str:
        packages = [path for package in (*COMPUTED, table) for path in _file(package).parent.rglob("*.py")]
        return digest([*packages, *map(_file, by)], but="KNOWN")

    shared = [_file(module) for module in DEMONSTRATED_BY]
    return {REFUSALS: tabled(refusals, REFUSED_BY), SPECIALS: tabled(specials, SPOILED_BY)} | {
        topic: digest([_file(module), *shared]) for topic, module in topics().items()
    }


def _file(module: ModuleType) -> Path:
    assert module.__file__
    return Path(module.__file__)


def outcomes_of(record: dict[str, Any]) -> Outcomes:
    """The outcomes of today's parts of a record in one mapping; it is empty where the release was not measurable."""
    measured = record.get("outcomes", {})
    return {key: outcome for part in code() for key, outcome in measured.get(part, {}).items()}


class Laboratory:
    """Measures releases of one package beside everything else that is installed; keeps what it found in `folder`.

    A record is used again for the parts whose code is as it was. A release that cannot be installed, or does not work
    beside the rest, has a record that says why, and no outcomes.
    """

    def __init__(self, package: str, folder: Path, index: str | None = None) -> None:
        self.package, self.index = package, index
        self.beside = {name: version for name, version in versions().items() if name in PACKAGES}
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
            known |= self._found_before(version) or self._found(version, known, stale)
            known |= {"date": datetime.date.today().isoformat(), "code": code()}
            file.parent.mkdir(parents=True, exist_ok=True)
            file.with_suffix(".part").write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
            file.with_suffix(".part").rename(file)
        return None if "unmeasurable" in known else outcomes_of(known)

    def _found_before(self, version: str) -> dict[str, Any]:
        """The findings of another laboratory with the same packages; empty where none has any.

        One measurement of the versions that are installed here serves all laboratories.
        """
        if version == self.installed:
            for file in self.folder.parent.glob("*-beside-*/*.json"):
                record = json.loads(file.read_text(encoding="utf-8"))
                if record["code"] == code() and record.get("versions") == versions():
                    return {key: record[key] for key in ("versions", "kernels", "outcomes")}
        return {}

    def _found(self, version: str, known: dict[str, Any], parts: list[str]) -> dict[str, Any]:
        """The findings on `parts` of a process that imports this release, beside what is `known` of the others."""
        with scratch(_existing(self.folder)) as folder:
            record = folder / "record.json"
            record.write_text(json.dumps(known), encoding="utf-8")
            try:
                environment = self._install(version, folder / self.package)
                run(sys.executable, "-m", "parity.boundaries.one", str(record), *parts, env=environment)
            except subprocess.CalledProcessError as error:
                return {"unmeasurable": said_last(error)}
            found: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
            return found

    def _install(self, version: str, home: Path) -> dict[str, str]:
        """Install the release into `home`; returns the environment in which Python imports it."""
        if version == self.installed:
            return in_front([home])
        return install(self.package, version, home, self.index)


def _existing(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
