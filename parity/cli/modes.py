"""`parity modes`."""

from __future__ import annotations

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
from parity.items.modes import KIND, calls
from parity.modes import MODELS
from parity.results.store import number_of
from parity.work.performing import Records, crashed

COLOURS = {"agrees": "[green]", "finding": "[yellow]", "off": "[red]", "not run": "[yellow]"}


@command
def modes(
    framework: FrameworkOption = None, results: ResultsOption = None, workers: WorkersOption = PROCESSORS
) -> None:
    """The ways of writing and running the same model: each framework's agree, and agree with numpynet.

    Exit code 1 if one is off that no known difference explains, 3 if none is but something crashed.
    """
    frameworks = frameworks_of(framework)
    asked = calls(frameworks)
    done = work(results_in(results), "modes", asked, workers, "ways of writing a model", frameworks=frameworks)
    _print_modes(done.of(KIND))
    raise typer.Exit(done.exit_code)


def _print_modes(records: Records) -> None:
    asked_for = list(MODELS)
    rows = [record for record in records if not crashed(record)]
    rows.sort(key=lambda row: (asked_for.index(row["model"]), row["dtype"], row["framework"]))
    executions = list(dict.fromkeys(row["execution"] for row in rows))
    table = Table("model", "dtype", "framework", "mode", *executions, title="largest share of the allowance used")
    cells: dict[tuple[str, ...], dict[str, str]] = {}
    for row in rows:
        shares = [*map(number_of, row["used"].values()), *map(number_of, row["apart"].values())]
        largest = f" {max(shares):.3g}" if row["used"] else ""
        place = (row["model"], row["dtype"], row["framework"], row["mode"])
        said = largest.strip() if row["status"] == "agrees" else row["status"] + largest
        cells.setdefault(place, {})[row["execution"]] = COLOURS[row["status"]] + said
    for names, found in cells.items():
        table.add_row(*names, *(found.get(execution, "") for execution in executions))
    console().print(table)
    for row in rows:
        if row["note"]:
            typer.echo(f"{row['key']}: {row['note']}")
    print_crashes(records)
