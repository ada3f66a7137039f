"""The mutants of numpynet, one at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from parity.mutants.killing import killed
from parity.mutants.mutant import Mutant
from parity.results.records.facts import MutantRecord
from parity.results.store import plain
from parity.work.performing import Item, Records
from parity.work.pool import Call

KIND = MutantRecord.KIND


def calls(mutants: Iterable[Mutant], frameworks: list[str]) -> list[Call]:
    return [Call(Item(KIND, mutant.key, asdict(mutant)), plant, (mutant, frameworks)) for mutant in mutants]


def plant(mutant: Mutant, frameworks: list[str]) -> Records:
    death = killed(mutant, frameworks)
    record = MutantRecord(
        key=mutant.key, passed=death.by is not None, diff=mutant.diff(), **asdict(mutant), **asdict(death)
    )
    return [plain(record)]
