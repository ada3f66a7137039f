"""`parity experiment`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import typer
from rich.table import Table

from parity.cli.command import (
    PROCESSORS,
    FrameworkOption,
    ResultsOption,
    WorkersOption,
    command,
    fail,
    frameworks_of,
    results_in,
)
from parity.cli.terminal import console, progress
from parity.experiments import EXPERIMENTS
from parity.items.experiments import KIND, calls
from parity.results.records import Json
from parity.results.store import ResultsError, default_folder
from parity.work.performing import crashed, perform
from parity.work.pool import Call, Crash, Pool, said

MARKS = {True: "[green]holds", False: "[red]falls short", None: "[yellow]not judged"}


@command
def experiment(
    name: Annotated[str | None, typer.Argument(help="Which one; default: list them.")] = None,
    framework: FrameworkOption = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Seeds 0 to N - 1; default: the experiment's own.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="One epoch on a few rows, not judged; kept in a folder of its own.")
    ] = False,
    results: ResultsOption = None,
    workers: WorkersOption = PROCESSORS,
) -> None:
    """Runs one of the source course's experiments, or `all`, on all implementations. Resumes where it was stopped.

    Exit code 1 if one falls short, 2 if one could not be run (its data is missing), 3 if one crashed.
    """
    if name is None:
        table = Table("experiment", "what it must show")
        for key, entry in EXPERIMENTS.items():
            table.add_row(key, entry.requirement)
        console().print(table)
        return
    chosen = list(EXPERIMENTS) if name == "all" else [name]
    if unknown := [key for key in chosen if key not in EXPERIMENTS]:
        fail(f"no experiment called {unknown[0]!r}; `parity experiment` lists them")
    frameworks = frameworks_of(framework)
    store = results_in(results or (default_folder() / "quick" if quick else None))
    with Pool(workers) as pool:
        try:
            done = perform(
                store,
                pool.run if workers > 1 else _here,
                f"experiment:{name}",
                calls(chosen, store, frameworks, seeds, quick),
                tell=_print_outcome,
                frameworks=frameworks,
                quick=quick,
            )
        except KeyboardInterrupt:
            fail(f"interrupted; every training that had ended is kept in {store.folder}: run it again to go on", 130)
    not_judged = any(not crashed(record) and record["passed"] is None for record in done.of(KIND))
    raise typer.Exit(done.exit_code or (2 if not_judged and not quick else 0))


def _here(calls: Iterable[Call]) -> Iterator[tuple[Call, Any]]:
    """Yields each call with its records or its `Crash`, performed in this process, which shows the epochs."""
    for call in calls:
        with progress(call.about.fields["experiment"]) as show:
            try:
                found = call.work(*call.arguments, show)
            except (ResultsError, OSError):  # the disk's, not the experiment's
                raise
            except (Exception, SystemExit) as error:
                found = Crash(said(error))
        yield call, found


def _print_outcome(record: Json) -> None:
    if crashed(record):
        console().print(f"{record['key']}: [red]crashed[/] {record['message']}")
    else:
        console().print(f"{record['key']}: {MARKS[record['passed']]}[/] {record['summary']}")
