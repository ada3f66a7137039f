"""The experiments of the source course, each on all implementations."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter

from parity.experiments import run_experiment
from parity.results.store import Results
from parity.work.performing import Item, Kind, Progress, Records
from parity.work.pool import Call

KIND = Kind("experiments", itemgetter("passed"))


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
    return run_experiment(name, frameworks, "quick" if quick else "full", progress, store, seeds_used)
