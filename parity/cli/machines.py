"""`parity machines`."""

from __future__ import annotations

from typing import Annotated

import typer

from parity.cli.command import ResultsOption, WorkersOption, command, or_fail, results_in
from parity.cli.terminal import console, progress
from parity.machines import find
from parity.machines.run import exit_code, most_different, run_machines
from parity.machines.table import remarks, table
from parity.results.planning import planned


@command
def machines(
    names: Annotated[list[str] | None, typer.Argument(help="Emulated machines; default: all.")] = None,
    ci: Annotated[
        bool, typer.Option("--ci", help="The two that differ most from this processor, briefly, side by side.")
    ] = False,
    results: ResultsOption = None,
    workers: WorkersOption = 1,
) -> None:
    """Check, modes, curves and twins on other processors, emulated by the switches of the libraries' kernels.

    Resumes where it was stopped. Exit code 1 if anything is off, 3 if a machine could not be run.
    """
    chosen = most_different() if ci and not names else or_fail(lambda: find(names), code=2)
    store = results_in(results)
    plan = planned(store, "machines", {"machines": [f"{machine.name}/*" for machine in chosen]})
    with plan, progress("emulated machines") as show:
        outcomes = run_machines(store, chosen, quick=ci, workers=2 if ci else workers, progress=show)
    console().print(table(outcomes))
    for line in remarks(outcomes):
        typer.echo(line)
    raise typer.Exit(exit_code(outcomes))
