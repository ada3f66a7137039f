"""`parity soak`."""

from __future__ import annotations

from collections.abc import Sequence
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
    frameworks_of,
    results_in,
)
from parity.cli.terminal import console, progress
from parity.results.evidence import keep
from parity.results.records.soaks import SoakRecord
from parity.results.store import number_of
from parity.soak import examples as soaking
from parity.statistics.tails import upper_bound
from parity.work.performing import Records
from parity.work.pool import Pool

CHUNKS_PER_PROCESS = 100  # some thousand networks, of which TensorFlow keeps 200 KB each


@command
def soak(
    number: Annotated[int, typer.Option("--examples", min=1, help="Random examples in all.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Names the examples; another one draws others.")] = 1,
    derivatives: Annotated[
        bool, typer.Option("--derivatives", help="Of the reference's derivatives instead of rungs 1 to 3.")
    ] = False,
    replay: Annotated[
        bool,
        typer.Option("--replay", help="A sample of what other code judged: where this code finds the same, it counts."),
    ] = False,
    framework: FrameworkOption = None,
    results: ResultsOption = None,
    workers: WorkersOption = PROCESSORS,
    to_keep: KeepOption = False,
) -> None:
    """How often a right implementation is called wrong: every pair with fresh seeds. Resumes where it was stopped.

    Exit code 1 if there was an alarm: a finding, or a hole in the model of rounding; 3 if something crashed.
    """
    store = results_in(results)
    with Pool(workers, calls=CHUNKS_PER_PROCESS) as pool, progress("soak") as show:
        summary = soaking.soak(store, number, seed, frameworks_of(framework), pool.run, show, derivatives, replay)
    found, crashes = soaking.judged(store), soaking.crashes(store)
    judged = found.counted()
    if to_keep:
        keep(soaking.CHUNKS, found.basis())
    _print_summary(summary, judged)
    for sentence in found.told("examples", "judged", "shares"):
        console().print(sentence)
    for chunk in judged:
        if not chunk["passed"]:
            typer.echo(f"\n{chunk['key']}, example {chunk['examples']}:\n{chunk['alarm']}")
    for chunk in crashes:
        typer.echo(f"\n{chunk['key']} crashed: {chunk['message']}")
    raise typer.Exit(1 if any(not chunk["passed"] for chunk in judged) else 3 if crashes else 0)


def _print_summary(summary: Sequence[SoakRecord], chunks: Records) -> None:
    """Print the largest share and the tail by pair and dtype, the worst over implementations and quantities."""
    table = Table("pair", "dtype", "examples", "largest share", "of", "P(share > 1), estimate", "upper 95%", "alarms")
    for pair, dtype in sorted({(record.pair, record.dtype) for record in summary}):
        own = [record for record in summary if (record.pair, record.dtype) == (pair, dtype)]
        largest = max(own, key=lambda record: number_of(record.largest))
        tails = [(r.tail, r.tail_interval[1]) for r in own if r.tail is not None and r.tail_interval is not None]
        estimate, upper = max(tails, default=(None, None))
        alarms = sum(not chunk["passed"] for chunk in chunks if (chunk["pair"], chunk["dtype"]) == (pair, dtype))
        table.add_row(
            pair,
            dtype,
            str(sum(chunk["examples"] for chunk in chunks if (chunk["pair"], chunk["dtype"]) == (pair, dtype))),
            f"{number_of(largest.largest):.3f}",
            f"{largest.implementation}, {largest.quantity}",
            "too few" if estimate is None else f"{estimate:.1e}",
            "" if upper is None else f"{upper:.1e}",
            f"[red]{alarms}" if alarms else "0",
        )
    console().print(table)
    for of, judged in soaking.soaked(chunks).items():
        count, alarms = sum(chunk["examples"] for chunk in judged), sum(not chunk["passed"] for chunk in judged)
        networks = sum(chunk["examples"] for chunk in judged if chunk["pair"] in soaking.NETWORKS)
        console().print(
            f"{of}: {count} examples, {networks} of them random networks; {alarms} alarms: with 95% confidence fewer "
            f"than {upper_bound(alarms, count):.1e} of all examples"
        )
