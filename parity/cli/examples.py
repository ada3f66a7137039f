"""`parity examples`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from parity.cli.command import WorkersOption, command, fail
from parity.cli.terminal import console, progress
from parity.formats import DTYPES
from parity.items.classes import ClassName, names
from parity.ladder.proving import digests
from parity.work.pool import Call, Crash, Pool


@command
def examples(
    what: Annotated[list[str] | None, typer.Argument(help="Class names; default: every pair.")] = None,
    counts: Annotated[
        list[int] | None, typer.Option("--examples", min=1, help="How many, once for each digest; default: 60.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Those of another seed.")] = None,
    workers: WorkersOption = 1,
) -> None:
    """Digests of the examples that `parity check` draws: equal ones mean the same examples, here and elsewhere."""
    asked, known = sorted(set(counts or [60])), names()
    if unknown := [name for name in what or [] if name not in known]:
        fail(f"no pair for {unknown[0]!r}; there are: {', '.join(known)}")
    calls = [Call((name, dtype), drawn, (name, dtype, asked, seed)) for name in what or known for dtype in DTYPES]
    rows = []
    with Pool(workers) as pool, progress("examples") as show:
        for done, (call, found) in enumerate(pool.run(calls), 1):
            if isinstance(found, Crash):
                fail(f"no examples of {call.about[0]} could be drawn: {found.message}", code=3)
            rows.append((*call.about, *found))
            show(done, len(calls))
    table = Table("pair", "dtype", *(f"{count} examples" for count in asked))
    for row in sorted(rows):
        table.add_row(*row)
    console().print(table)


def drawn(name: str, dtype: str, counts: list[int], seed: int | None) -> list[str]:
    """The digests of the first examples of a class, one for each of the counts."""
    return digests(ClassName(name).load(), dtype, counts, seed)
