"""`parity twins`."""

from __future__ import annotations

from typing import Annotated

import typer

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
from parity.items.twins import KIND, calls
from parity.work.performing import Records, crashed, off


@command
def twins(
    examples: Annotated[int, typer.Option(min=1, help="Random examples for each twin.")] = 20,
    framework: FrameworkOption = None,
    results: ResultsOption = None,
    workers: WorkersOption = PROCESSORS,
) -> None:
    """Undamaged twins of the planted defects: the ladder must catch none; the baseline's false alarms are counted.

    Exit code 1 if the ladder catches one, 3 if it does not but something crashed.
    """
    frameworks = frameworks_of(framework)
    asked = calls(frameworks, examples)
    done = work(results_in(results), "twins", asked, workers, "undamaged twins", frameworks=frameworks)
    _print_twins(done.of(KIND))
    raise typer.Exit(done.exit_code)


def _print_twins(records: Records) -> None:
    looked_at = [record for record in records if not crashed(record)]
    caught = [record["key"] for record in looked_at if off(record)]
    alarms = [record["key"] for record in looked_at if record["baseline"] and record["baseline"]["caught"]]
    console().print(f"the ladder catches {len(caught)} of {len(looked_at)} undamaged twins {' '.join(caught)}")
    console().print(f"the baseline raises {len(alarms)} false alarms on undamaged twins {' '.join(alarms)}")
    print_crashes(records)
