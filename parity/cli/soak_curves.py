"""`parity soak-curves`."""

from __future__ import annotations

from typing import Annotated

import typer

from parity.cli.command import (
    FrameworkOption,
    KeepOption,
    ResultsOption,
    WorkersOption,
    command,
    frameworks_of,
    or_fail,
    results_in,
)
from parity.cli.terminal import console, progress
from parity.results.evidence import keep
from parity.soak.budget import table
from parity.soak.curves import KIND, records, soak


@command
def soak_curves(
    count: Annotated[
        int, typer.Option("--curves", min=1, help="Curves, at least; every network in every dtype.")
    ] = 2000,
    seed: Annotated[int, typer.Option(help="The first of the seeds that are used.")] = 1000,
    machine: Annotated[
        list[str] | None, typer.Option(help="An emulated machine, once for each; default: all that can be.")
    ] = None,
    framework: FrameworkOption = None,
    results: ResultsOption = None,
    workers: WorkersOption = 1,
    to_keep: KeepOption = False,
) -> None:
    """Rung 4's budget: how far right implementations stray, on emulated machines in turn. Resumes where it was stopped.

    Exit code 1 if one was called wrong from every seed, 3 if a machine that was asked for could not be run.
    """
    store, frameworks = results_in(results), frameworks_of(framework)
    with progress("rung 4: soak") as show:
        unable = or_fail(lambda: soak(store, frameworks, count, seed, machine, show, workers))
    for message in unable:
        typer.echo(message, err=True)
    if found := records(store):
        console().print(table(found))
    if to_keep:
        keep(KIND, found)
    raise typer.Exit(1 if any(not record["passed"] for record in found) else 3 * bool(unable or not found))
