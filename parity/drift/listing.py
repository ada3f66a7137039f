"""The stacks that there are: locks of the project, files of one's own beside them, and results without either."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from parity.drift.stack import NEEDED
from parity.releases.installing import PACKAGES
from parity.results.code import ROOT
from parity.results.records import Json

LOCKS = ROOT / "stacks"
NO_STACKS = re.compile(r"(tools|docs)-.*|.*-cuda")  # what lints and documents, and what belongs to another file


@dataclass(frozen=True)
class Found:
    """A folder of results, and what `parity drift` needs that it has no record of: by kind, the command."""

    folder: Path
    lacks: dict[str, str]


@dataclass
class Listed:
    """One stack: its name, the versions of what computes, and the results that were made by these.

    file: the lock or the file of one's own; None for results of no file
    python: such as "3.11"; "" where the file does not say
    """

    name: str
    file: Path | None
    python: str
    packages: dict[str, str]
    results: list[Found] = field(default_factory=list)


def listed(own: Iterable[Path], roots: Iterable[Path]) -> list[Listed]:
    """The stacks of the project and the files `own`, with their results below `roots`; then results of no file."""
    files = [path for path in sorted(LOCKS.glob("*.txt")) if not NO_STACKS.fullmatch(path.stem)]
    found = [_stack(file) for file in [*files, *own]]
    for folder, environment in _results(roots):
        python = environment["python"].rpartition(".")[0]
        packages = {name: version for name, version in environment["packages"].items() if name in PACKAGES}
        here = Found(folder, {kind: by for kind, by in NEEDED.items() if not (folder / f"{kind}.jsonl").exists()})
        mine = [each for each in found if each.packages == packages and each.python in (python, "")]
        for each in mine or [Listed(environment["stack"], None, python, packages)]:
            each.results.append(here)
            found += [each] if each not in found else []
    return found


def _stack(file: Path) -> Listed:
    """The stack of a lock, or of a file of requirements; of the latter, versions that are not pinned are left out."""
    text = file.read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE))
    python = re.search(r"-py([\d.]+)$", file.stem) or re.search(r"^# pythons: ([\d.]+)$", text, re.MULTILINE)
    versions = {package: pins[name] for package, known in PACKAGES.items() for name in known if name in pins}
    return Listed(file.stem, file, python[1] if python else "", versions)


def _results(roots: Iterable[Path]) -> Iterator[tuple[Path, Json]]:
    """Yields the folders of results below each root, two deep, with what their environment.json says."""
    for root in roots:
        for path in sorted([*root.glob("*/environment.json"), *root.glob("*/*/environment.json")]):
            yield path.parent, json.loads(path.read_text(encoding="utf-8"))
