"""`parity study`."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from parity import study as studies
from parity.cli.command import (
    PROCESSORS,
    FrameworkOption,
    ResultsOption,
    WorkersOption,
    command,
    frameworks_of,
    or_fail,
    results_in,
)
from parity.cli.terminal import console, progress
from parity.statistics import Verdict


@command
def study(
    name: Annotated[
        str,
        typer.Argument(
            help="A pre-registered study: digits, digits-convolutional, digits-quick, fashion-mnist, or a .toml file."
        ),
    ] = "digits",
    framework: FrameworkOption = None,
    results: ResultsOption = None,
    workers: WorkersOption = PROCESSORS,
    dask: Annotated[
        str | None,
        typer.Option(help="Address of a Dask scheduler (tcp://host:port) whose workers perform the runs instead."),
    ] = None,
    optional: Annotated[bool, typer.Option("--optional", help="Exit with 0 where its data cannot be had.")] = False,
) -> None:
    """Rung 5: final accuracies over seeds, by a pre-registered equivalence test. Resumes where it was stopped.

    Exit code 0: identical, equivalent or negligibly different; 1: different; 2: inconclusive; 3: invalid.
    """
    store, frameworks = results_in(results), frameworks_of(framework)
    with progress(f"rung 5: {Path(name).stem}") as show, studies.cluster(dask) if dask else nullcontext() as executor:

        def conduct() -> Verdict | None:
            try:
                return studies.study(
                    name, store, frameworks=frameworks, workers=workers, executor=executor, progress=show
                )
            except studies.NoData as error:
                if not optional:
                    raise
                typer.echo(str(error), err=True)
                return None

        verdict = or_fail(conduct)
    if verdict is None:
        return
    console().print(f"[bold]{verdict.outcome.value}[/bold]: {verdict.reason}")
    raise typer.Exit(verdict.outcome.exit_code)
