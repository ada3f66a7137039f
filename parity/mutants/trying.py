"""Whether tests see a mutant of parity's judgement: those that concern its module, run until one fails."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from parity.mutants.checkout import Checkout, Ran
from parity.mutants.killing import SECONDS, Death
from parity.mutants.modules import files_of_tests
from parity.mutants.mutant import Mutant

LONGER = 3  # times as long as without a mutant: what a test draws and shrinks where it fails takes longer


@dataclass(frozen=True)
class Baseline:
    """The outcome of the tests on the tree as it is, which is in `folder`: all passed."""

    folder: Path
    ran: Ran

    def seconds(self) -> dict[str, float]:
        """How long each file of tests takes."""
        found: dict[str, float] = {}
        for test, took in self.ran.seconds.items():
            file = test.partition("::")[0]
            found[file] = found.get(file, 0.0) + took
        return found


def baseline(folder: Path, modules: Iterable[str]) -> Baseline:
    """Copy the checkout to a folder, and run all tests that concern these modules.

    Raises ValueError if one fails, and where processes are not forked.
    """
    if not hasattr(os, "fork"):
        raise ValueError("mutants of the judgement need a system that forks processes, such as Linux")
    tests = list(dict.fromkeys(test for module in modules for test in files_of_tests(module)))
    checkout = Checkout(folder / "unchanged")
    try:
        ran = checkout.run(tests, limit=SECONDS * len(tests) * LONGER, bytecode=True)
    finally:
        checkout.close()
    if ran.by:
        raise ValueError(f"{ran.by} does not pass on the unchanged tree: no mutant can be told from it")
    return Baseline(folder, ran)


def tried(mutant: Mutant, before: Baseline) -> Death:
    """Plant the mutant in this process's own copy of the tree, and run the tests that concern it."""
    tests = files_of_tests(mutant.module)
    seconds = before.seconds()
    checkout = _own(before.folder, tuple(before.ran.imported), min(seconds, key=seconds.__getitem__))
    with checkout.planted(mutant):
        found = checkout.run(
            tests, SECONDS + LONGER * math.ceil(sum(seconds.get(test, 0.0) for test in tests)), before.ran.seconds
        )
    return Death(found.by or None, None, len(found.seconds))


@functools.cache
def _own(folder: Path, imported: Sequence[str], test: str) -> Checkout:
    """The copy that this process plants its mutants in; the bytecode of what is unchanged comes with it.

    Raises RuntimeError where the test fails there without a mutant, as it did not elsewhere: all would be killed.
    """
    checkout = Checkout(folder / str(os.getpid()), folder / "unchanged", imported)
    if by := checkout.run([test], SECONDS * LONGER).by:
        raise RuntimeError(f"{by} does not pass in a child of a process that has imported what it needs")
    return checkout
