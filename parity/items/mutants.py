"""The mutants, one at a time: of numpynet, which the ladder must see, and of parity's judgement, which tests must."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from parity.mutants.killing import Death, killed
from parity.mutants.modules import Of
from parity.mutants.mutant import Mutant
from parity.mutants.trying import baseline, tried
from parity.results.records.facts import MutantRecord
from parity.results.store import plain
from parity.work.performing import Item, Records
from parity.work.pool import Call

KIND = MutantRecord.KIND
T = TypeVar("T")  # what a mutant is looked at by: frameworks, or tests with their baseline


@contextmanager
def calls(of: Of, mutants: Sequence[Mutant], frameworks: list[str]) -> Iterator[list[Call]]:
    """A context with the calls that look at each mutant. Raises ValueError where tests fail without any."""
    if of is Of.NUMPYNET or not mutants:
        yield _calls(killed, mutants, frameworks)
        return
    with TemporaryDirectory(prefix="parity-mutants-", ignore_cleanup_errors=True) as folder:
        before = baseline(Path(folder), sorted({mutant.module for mutant in mutants}))
        yield _calls(tried, mutants, before)


def _calls(looking: Callable[[Mutant, T], Death], mutants: Sequence[Mutant], by: T) -> list[Call]:
    return [Call(Item(KIND, mutant.key, asdict(mutant)), plant, (looking, mutant, by)) for mutant in mutants]


def plant(looking: Callable[[Mutant, T], Death], mutant: Mutant, by: T) -> Records:
    death = looking(mutant, by)
    record = MutantRecord(
        key=mutant.key, passed=death.by is not None, diff=mutant.diff(), **asdict(mutant), **asdict(death)
    )
    return [plain(record)]
