"""`parity defects`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from parity.cli.command import PROCESSORS, ResultsOption, WorkersOption, command, fail, results_in, work
from parity.cli.terminal import console, print_crashes
from parity.defects import gallery
from parity.items.defects import KIND, calls
from parity.work.performing import Records, crashed, off


@command
def defects(
    names: Annotated[list[str] | None, typer.Argument(help="Defects to plant; default: all.")] = None,
    shrink: Annotated[
        bool | None,
        typer.Option(help="Shrink the examples that catch them, at several times the cost; default: of those named."),
    ] = None,
    results: ResultsOption = None,
    workers: WorkersOption = PROCESSORS,
) -> None:
    """Plants defects, one at a time, and shows which rung catches each.

    Exit code 1 if one escapes, 3 if none does but something crashed.
    """
    known = {defect.name: defect for defect in gallery()}
    for name in names or []:
        if name not in known:
            fail(f"no defect called {name!r}; there are: {', '.join(known)}")
    asked = calls([known[name] for name in names or known], bool(names) if shrink is None else shrink)
    done = work(results_in(results), " ".join(["defects", *(names or [])]), asked, workers, "planted defects")
    print_defects(done.of(KIND))
    raise typer.Exit(done.exit_code)


def print_defects(records: Records) -> None:
    """Print which rung catches each defect, whether the baseline does, and what crashed."""
    table = Table("defect", "rung", "examples", "baseline")
    for record in records:
        if crashed(record):
            table.add_row(record["title"], "[red]crashed", "–", "–")
            continue
        rung = "[red]escaped" if off(record) else f"{record['rung']}"
        baseline = "–" if record["baseline"] is None else record["baseline"]["by"] or "[yellow]not caught"
        table.add_row(record["title"], rung, str(record["examples"]), baseline)
    console().print(table)
    if any(not crashed(record) and record["baseline"] is None for record in records):
        console().print("The baseline was not tried: no framework that has one is installed")
    print_crashes(records)
