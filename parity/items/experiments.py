"""The experiments of the source course, each on all implementations."""

from __future__ import annotations

from collections.abc import Iterable

from parity.experiments import run_experiment
from parity.results.records.trainings import ExperimentRecord
from parity.results.store import Results, plain
from parity.work.performing import Item, Progress, Records
from parity.work.pool import Call

KIND = ExperimentRecord.KIND


def calls(names: Iterable[str], store: Results, frameworks: list[str], seeds: int | None, quick: bool) -> list[Call]:
    """One call for each experiment.

    The trainings are recorded in `store`. It goes to a worker as it is when that is given the call, so that they name
    the plan of the command.
    """
    return [
        Call(Item(KIND, f"{name}/*", {"experiment": name}), run, (name, store, frameworks, seeds, quick))
        for name in names
    ]


def run(
    name: str,
    store: Results,
    frameworks: list[str],
    seeds: int | None,
    quick: bool,
    progress: Progress = lambda done, total: None,
) -> Records:
    seeds_used = range(seeds) if seeds else None
    found = run_experiment(name, frameworks, "quick" if quick else "full", progress, store, seeds_used)
    return [plain(record) for record in found]
