"""The work that commands give to other processes: functions of plain arguments that return records in JSON's types."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from types import ModuleType
from typing import Any, TypeAlias, cast

from parity.cli.terminal import progress
from parity.results.records import Json
from parity.results.store import Results, plain

Records: TypeAlias = list[Json]


def classes_in(file: str) -> list[str]:
    """The names of the classes whose pairs the Python file defines."""
    from parity.ladder.proving import targets

    return [target.__name__ for target in targets([_module(file)])]


def prove_one(
    file: str | None, name: str, dtype: str, examples: int, frameworks: list[str], seed: int | None
) -> Records:
    from parity.ladder.proving import prove

    report = prove(_target(file, name), dtype, examples=examples, frameworks=frameworks, random_seed=seed)
    return [plain(report.as_record())]


def digest_one(name: str, dtype: str, counts: list[int], seed: int | None) -> tuple[str, str, list[str]]:
    from parity.ladder.proving import digests

    return name, dtype, digests(_target(None, name), dtype, counts, seed)


def derive_one(file: str | None, name: str, examples: int) -> Records:
    from parity.derivatives.proving import prove_derivative

    return [plain(prove_derivative(_target(file, name), examples=examples))]


def refuse_one(name: str, frameworks: list[str]) -> Records:
    from parity.refusals import measure_refusals

    return cast(Records, plain(measure_refusals(_target(None, name), frameworks)))


def measure_one(entry: str) -> Records:
    from parity.catalogue import catalogue, measure

    return [plain(measure(next(difference for difference in catalogue() if difference.id == entry)))]


def plant_one(name: str, shrink: bool) -> Records:
    from parity.defects import gallery, run

    return [plain(run(next(defect for defect in gallery() if defect.name == name), shrink=shrink))]


def twin_one(name: str, frameworks: list[str], examples: int) -> Records:
    from parity.defects import run_twin

    return [plain(run_twin(name, frameworks, examples))]


def curve_one(name: str, dtype: str, frameworks: list[str]) -> Records:
    from parity.training.curves import confirmed

    return [plain(confirmed(name, dtype, frameworks).as_record())]


def modes_one(model: str, dtype: str, framework: str) -> Records:
    from parity.modes import run_modes

    return [plain(row.as_record()) for row in run_modes(model, dtype, framework)]


def experiment_on_all(
    name: str, frameworks: list[str], folder: str, plan: str, seeds: int | None, quick: bool, shown: bool = False
) -> Records:
    """Run one experiment on numpynet and on `frameworks`; returns its records.

    Its trainings are recorded in `folder` for the given plan. Where it is `shown`, a bar of its own counts the epochs.
    """
    from parity.experiments import run_experiment

    store = Results(folder)
    store.plan = plan
    with progress(name) if shown else nullcontext() as show:
        tell: Callable[[int, int], Any] = show or (lambda done, total: None)
        profile: Any = "quick" if quick else "full"
        found = run_experiment(name, frameworks, profile, tell, store, range(seeds) if seeds else None)
        return cast(Records, plain(found))


def _target(file: str | None, name: str) -> type:
    from parity.ladder.proving import targets

    modules = None if file is None else [_module(file)]
    return next(target for target in targets(modules) if target.__name__ == name)


@cache
def _module(file: str) -> ModuleType:
    """The module of a Python file, imported once in each process."""
    from parity.ladder.proving import load

    return load(file)
