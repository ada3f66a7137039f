"""`parity soak-curves`."""

from __future__ import annotations

from typing import Annotated

import typer

from parity.cli.command import (
    PROCESSORS,
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
from parity.soak import curves as soaking
from parity.soak.budget import table


@command
def soak_curves(
    count: Annotated[
        int, typer.Option("--curves", min=1, help="Curves, at least; every network in every dtype.")
    ] = 2000,
    seed: Annotated[int, typer.Option(help="The first of the seeds that are used.")] = 1000,
    machine: Annotated[
        list[str] | None, typer.Option(help="An emulated machine, once for each; default: all that can be.")
    ] = None,
    replay: Annotated[
        bool,
        typer.Option(
            "--replay", help="A sample of what other code trained: where this code finds the same, it counts."
        ),
    ] = False,
    framework: FrameworkOption = None,
    results: ResultsOption = None,
    workers: WorkersOption = PROCESSORS,
    to_keep: KeepOption = False,
) -> None:
    """Rung 4's budget: how far right implementations stray, on emulated machines in turn. Resumes where it was stopped.

    Exit code 1 if one was called wrong from every seed, 3 if a machine that was asked for could not be run.
    """
    store, frameworks = results_in(results), frameworks_of(framework)
    with progress("rung 4: soak") as show:
        unable = or_fail(
            lambda: (
                soaking.replay(store, frameworks, show, workers)
                if replay
                else soaking.soak(store, frameworks, count, seed, machine, show, workers)
            )
        )
    for message in unable:
        typer.echo(message, err=True)
    trained = soaking.trained(store)
    if found := trained.counted():
        console().print(table(found))
    for sentence in trained.told("curves", "trained", "factors"):
        console().print(sentence)
    if to_keep:
        keep(soaking.KIND, trained.basis())
    raise typer.Exit(1 if any(not record["passed"] for record in found) else 3 * bool(unable or not found))
