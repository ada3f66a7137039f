"""`parity curves`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from parity.cli.command import (
    PROCESSORS,
    FrameworkOption,
    ResultsOption,
    WorkersOption,
    command,
    frameworks_of,
    results_in,
    work,
)
from parity.cli.terminal import console, print_crashes
from parity.items.curves import KIND, calls
from parity.results.store import number_of
from parity.work.performing import Records, crashed


@command
def curves(
    framework: FrameworkOption = None,
    results: ResultsOption = None,
    quick: Annotated[bool, typer.Option("--quick", help="The curves of digits alone.")] = False,
    workers: WorkersOption = PROCESSORS,
) -> None:
    """Rung 4: training-loss curves from the same weights, judged by the measured one-ulp envelope.

    Exit code 1 if one is off, 3 if none is but something crashed.
    """
    frameworks = frameworks_of(framework)
    asked = calls(frameworks, quick)
    done = work(results_in(results), "curves", asked, workers, "rung 4: curves", frameworks=frameworks, quick=quick)
    _print_curves(done.of(KIND))
    raise typer.Exit(done.exit_code)


def _print_curves(records: Records) -> None:
    found = sorted((record for record in records if not crashed(record)), key=lambda record: record["key"])
    names = sorted({name for curve in found for name in curve["used"]} - {"numpynet"})
    table = Table("curve", "dtype", "steps compared", *(f"{name}\nused/allowed" for name in names), "")
    marks = {True: "[green]within", False: "[red]outside", None: "[yellow]not compared"}
    for curve in found:
        used = [f"{number_of(curve['used'].get(name, 0.0)):.3f}" for name in names]
        table.add_row(curve["name"], curve["dtype"], str(curve["compared"] or 0), *used, marks[curve["passed"]])
    console().print(table)
    for message in sorted({curve["message"] for curve in found if curve["message"]}):
        typer.echo(message)
    print_crashes(records)
