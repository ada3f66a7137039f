"""`parity calibrate`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from parity import statistics
from parity.cli.command import ResultsOption, command, results_in
from parity.cli.terminal import console
from parity.results.planning import planned


@command
def calibrate(
    replications: Annotated[int, typer.Option(min=100, help="Simulated studies for each cell.")] = 20_000,
    results: ResultsOption = None,
) -> None:
    """How often each procedure of rung 5 is wrong, by simulation. Exit code 1 if one errs more than it may."""
    store = results_in(results)
    with planned(store, "calibrate", {"calibration": ["*"]}, replications=replications):
        cells = statistics.calibrate(replications)
        for cell in cells:
            place = (cell.kind, cell.procedure, cell.law, cell.size, cell.noise, cell.difference_over_margin)
            store.append("calibration", "/".join(map(str, place)), asdict(cell) | {"passed": cell.passed})
    off = [cell for cell in cells if not cell.passed]
    worst = max(cell.rate for cell in cells if cell.kind == "type I")
    console().print(
        f"{len(cells) - len(off)} of {len(cells)} rates within Monte Carlo error of what they may be; "
        f"largest type-I error {worst:.4f}, nominal 0.05"
    )
    for cell in off:
        console().print(f"[red]{cell}")
    raise typer.Exit(int(bool(off)))
