"""Measures the releases between two stacks that differ in one package, and says in which of them what changed."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from parity.drift.bisecting import BY_CHECK, located
from parity.drift.document import Drift, Step, Versions
from parity.drift.numbers import compare
from parity.drift.origins import in_words, machines
from parity.drift.sources import told
from parity.drift.stack import TENSORS, Stack, read
from parity.releases.installing import PACKAGES, published, said_last
from parity.releases.trying import perform, releases
from parity.results.code import whole
from parity.results.conditions import numbers
from parity.results.packages import installed, lock
from parity.results.planning import KIND as PLANS
from parity.results.store import Results

Commands = Sequence[Sequence[str]]


def bisected(drift: Drift, folders: Sequence[Path], kept: Path, index: str | None = None) -> Drift:
    """The drift with the releases in which its changes appeared, where they are looked for here; else it says why not.

    folders: those of the stacks, in their order
    kept: where the records of each release that is measured are kept, and found again
    """
    steps = [_step(step, ends, kept, index) for step, ends in zip(drift.steps, pairwise(read(folders)), strict=True)]
    return replace(drift, steps=steps)


def _step(step: Step, ends: tuple[Stack, Stack], kept: Path, index: str | None) -> Step:
    if not (step.behaviour or step.numbers):
        return step
    if why := _unfit(step, ends):
        return replace(step, notes=[*step.notes, f"the releases between were not looked for: {why}"])
    (versions,) = step.packages
    try:
        between = _released(versions, index)
    except subprocess.CalledProcessError as error:
        return replace(step, notes=[*step.notes, f"pip lists no releases of {versions.name}: {said_last(error)}"])
    laboratory = Laboratory(step, ends, kept, index)
    found = located(step, versions, ends, between, laboratory.measure)
    found = replace(
        found,
        behaviour=[told(row, step.packages) for row in found.behaviour],
        numbers=[told(row, step.packages) for row in found.numbers],
    )
    said = f"of {len(between)} releases between, {laboratory.tried} were measured"
    if laboratory.failed:
        said += f"; these do not work beside the rest: {', '.join(laboratory.failed)}"
    if laboratory.unlike:
        said += f"; their tensors cannot be compared with those of the stacks: {laboratory.unlike}"
    return replace(found, notes=[*found.notes, said])


def _unfit(step: Step, ends: tuple[Stack, Stack]) -> str:
    """Why nothing can be measured between the two; empty where it can."""
    if len(step.packages) != 1:
        return "several packages changed, measure the stacks between first" if step.packages else "no package changed"
    (versions,) = step.packages
    if versions.name not in PACKAGES or not (versions.before and versions.after):
        return f"{versions.name} has no releases that could be installed between"
    if not any(_fits_here(stack, versions.name) for stack in ends):
        return f"this environment is neither of the two, whatever its {versions.name} is; run `parity drift` in one"
    return ""


def _fits_here(stack: Stack, package: str) -> bool:
    """Tells whether what computes here, but for one package, is what computes in the stack.

    What that package's releases require may be another version, since it comes with each of them.
    """
    others = {each for name, known in PACKAGES.items() if name != package for each in known}
    here, there = (
        {name: at for name, at in each.items() if name in others}
        for each in (installed(), stack.environment.get("installed", {}))
    )
    return stack.lock == lock() or (here == there and stack.environment["python"] == platform.python_version())


def _unlike(end: Stack, stack: Stack) -> str:
    """Why no tensor of a stack is compared with one of an end of the step; empty where some are."""
    if machine := machines(end, stack):
        return f"the machine is not theirs ({in_words(machine)})"
    found = compare(end, stack)
    return "" if found.compared else "; ".join(found.refused)


def _released(versions: Versions, index: str | None) -> list[str]:
    """The releases between the two versions, in the direction from one to the other."""
    low, high = sorted(map(numbers, (versions.before, versions.after)))
    found = [version for version in published(versions.name, index) if low < numbers(version) < high]
    return found if numbers(versions.before) == low else found[::-1]


class Laboratory:
    """Measures releases of the package of a step by that which its changes are of; keeps the records.

    tried: how many releases were asked for
    failed: those that do not work
    unlike: why tensors that are measured here cannot be compared with those of the stacks; empty where they can
    """

    def __init__(self, step: Step, ends: tuple[Stack, Stack], kept: Path, index: str | None) -> None:
        self.package, self.kept, self.index = step.packages[0].name, kept, index
        self.end, self.unlike = ends[0], ""
        self.tried, self.failed = 0, list[str]()
        classes = {move.pair for move in step.numbers}
        classes |= {change.key.partition("/")[0] for change in step.behaviour if change.kind == "examples"}
        classes |= {each for change in step.behaviour if change.kind == "warnings" for each in change.key.split(", ")}
        tensors = ends[0].of(TENSORS).values()
        self.asked = sorted(
            {f"{name}/{each['dtype']}" for each in tensors for name in (each["pair"],) if name in classes}
        )
        of_any = next(iter(tensors), {"examples": 1, "seed": 0})
        drawn = ["--examples", str(of_any["examples"]), "--seed", str(of_any["seed"])]
        # Signatures are read with the tensors of one class at least, the cheapest where none is asked for.
        pairs = [word for name in sorted(classes) or ["ReLU"] for word in ("--pair", name)]
        self.commands = [["fingerprint", *pairs, *drawn]]
        if any(change.kind in BY_CHECK and not change.releases for change in step.behaviour):
            self.commands.append(["check", "--examples", "1"])

    def measure(self, version: str) -> Stack | None:
        """The stack with this release in place of the installed one, measured or read; None where it does not work."""
        folder = self.kept / f"{self.package}-{version}-in-{lock()[:12]}"
        self.tried += 1
        if not self._here(folder):
            try:
                with releases({self.package: version}, self.index) as variables:
                    perform([[*command, "--results", str(folder)] for command in self.commands], variables)
            except subprocess.CalledProcessError:  # pip finds no wheel that fits
                pass
        if not (folder.is_dir() and self._here(folder)):
            self.failed.append(version)
            return None
        (stack,) = read([folder])
        if self.asked:
            self.unlike = _unlike(self.end, stack)
        return stack

    def _here(self, folder: Path) -> bool:
        """Tells whether all that is asked for has been measured there, by the code of today."""
        results = Results(folder)
        done = {plan["command"] for plan in results.read(PLANS) if plan["ended"] and plan["code"] == whole()}
        keys = {record["key"] for record in results.read(TENSORS)}
        return {command[0] for command in self.commands} <= done and {*self.asked} <= keys
