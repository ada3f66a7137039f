"""`parity begin`."""

from __future__ import annotations

from typing import Annotated

import typer

from parity.cli.command import ResultsOption, command, fail, results_in
from parity.results import planning

# commands that write down a plan
STEPS = (
    "check",
    "fingerprint",
    "curves",
    "modes",
    "defects",
    "twins",
    "machines",
    "soak",
    "study",
    "experiment",
    "calibrate",
)


@command
def begin(
    steps: Annotated[
        list[str], typer.Argument(help="check, fingerprint, curves, modes, defects, study:NAME, experiment:NAME ...")
    ],
    quick: Annotated[
        bool, typer.Option("--quick", help="The job is the quick profile, and its report says so.")
    ] = False,
    results: ResultsOption = None,
) -> None:
    """Writes down that a job is about to run these commands, so that the report misses what never started."""
    for step in steps:
        if step.partition(":")[0] not in STEPS:
            fail(f"no step called {step!r}; there are: {', '.join(STEPS)}")
    planning.begin(results_in(results), steps, quick)
