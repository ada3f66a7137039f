"""`parity thresholds`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from parity.cli.command import (
    PROCESSORS,
    FrameworkOption,
    KeepOption,
    ResultsOption,
    WorkersOption,
    command,
    fail,
    frameworks_of,
    results_in,
    work,
)
from parity.cli.terminal import console, print_crashes
from parity.formats import DTYPES
from parity.items.thresholds import KIND, calls, counts, measured
from parity.ladder.proving import targets
from parity.results.evidence import counted, keep
from parity.thresholds.measuring import EXAMPLES
from parity.work.performing import Records, crashed, off


@command
def thresholds(
    pair: Annotated[list[str] | None, typer.Option(help="Of these classes alone, once for each.")] = None,
    of: Annotated[str, typer.Option(help="The framework that is made wrong.")] = "torch",
    examples: Annotated[int, typer.Option(min=1, help="Among so many of each class and dtype.")] = EXAMPLES,
    seed: Annotated[int, typer.Option(help="Names the examples.")] = 0,
    framework: FrameworkOption = None,
    results: ResultsOption = None,
    workers: WorkersOption = PROCESSORS,
    to_keep: KeepOption = False,
) -> None:
    """How small an error of a framework is seen, class by class. Resumes where it was stopped.

    One quantity at a time is scaled by 1 + e: outputs, input gradients, of optimizers the updated parameters. Exit code
    1 if another one is accused of an error, 3 if something crashed.
    """
    store, frameworks = results_in(results), frameworks_of(framework)
    if of not in frameworks:
        fail(f"{of} is none of the frameworks that are asked: {', '.join(frameworks)}")
    asked = [(one, dtype) for one in targets() for dtype in DTYPES if pair is None or one.__name__ in pair]
    here = counted(store, KIND, lambda record: not crashed(record) and counts(record, of, examples, seed))
    waiting = [one for one in asked if not measured(here, *one)]
    done = work(store, "thresholds", calls(waiting, of, frameworks, examples, seed), workers, "thresholds", seed=seed)
    made = [record for record in done.of(KIND) if not crashed(record)]
    found = [*here, *made]
    _print(found)
    print_crashes(done.of(KIND))
    if to_keep:
        keep(KIND, found)
    raise typer.Exit(1 if any(map(off, found)) else done.exit_code)


def _print(records: Records) -> None:
    table = Table("class", "dtype", "quantity", "ulp", "accused", "seen in")
    for record in records:
        ulps = "not seen" if record["ulps"] is None else f"{record['ulps']:.3g}"
        table.add_row(
            record["target"], record["dtype"], record["quantity"], ulps, ", ".join(record["accused"]), record["seen_in"]
        )
    console().print(table)
