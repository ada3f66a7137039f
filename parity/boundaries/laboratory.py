"""Installs one release of a package into a folder of its own, and measures every entry with it in another process."""

from __future__ import annotations

import datetime
import functools
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import numpynet
from parity import frameworks, mapping
from parity.boundaries.cuda import stand_ins
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
from parity.results.code import ROOT, digest
from parity.results.conditions import numbers
from parity.results.packages import versions

PACKAGES = {
    package: distributions
    for name in frameworks.FRAMEWORKS
    for package, distributions in frameworks.framework(name).distributions.items()
}  # by package, what it is published as

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


def oldest() -> dict[str, Requirement]:
    """The oldest supported release of each package, as the stack `oldest` has it, by the package."""
    lines = (ROOT / "stacks" / "oldest.in").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if "==" in line and not line.startswith("#")]
    return {package: pin for package, known in PACKAGES.items() for pin in pins if pin.name in known}


def published(package: str, index: str | None = None) -> list[str]:
    """The releases that pip finds for this Python, oldest first, from the oldest that is supported."""
    first = oldest()[package]
    command = [sys.executable, "-m", "pip", "index", "versions", first.name]
    said = subprocess.run(command + _from(index), capture_output=True, text=True, check=True).stdout
    listed = re.search(r"Available versions: (.*)", said)
    found = {version.partition("+")[0] for version in (listed[1].split(", ") if listed else ())}
    plain = [version for version in found if re.fullmatch(r"[\d.]+", version)]
    since = SpecifierSet(str(first.specifier).replace("==", ">="))
    return sorted((version for version in plain if version in since), key=numbers)


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
        """Install the release into `home`; returns the environment in which Python imports it."""
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(home), str(ROOT)])}
        if version == self.installed:
            return environment
        self._pip(home, f"{oldest()[self.package].name}=={version}")
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
        """The requirements of the release in `home` that are not installed in a fitting version.

        Those on the packages that it is measured beside are left out.
        """
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
