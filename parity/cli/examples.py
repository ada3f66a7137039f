"""`parity examples`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from parity.cli.command import PROCESSORS, WorkersOption, command, fail
from parity.cli.terminal import console, progress
from parity.drawing.tails import ODDS
from parity.formats import DTYPES
from parity.items.classes import ClassName, names
from parity.ladder.proving import digests
from parity.ladder.proving import tails as tails_of
from parity.work.pool import Call, Crash, Pool


@command
def examples(
    what: Annotated[list[str] | None, typer.Argument(help="Class names; default: every pair.")] = None,
    counts: Annotated[
        list[int] | None, typer.Option("--examples", min=1, help="How many, once for each digest; default: 60.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Those of another seed.")] = None,
    tails: Annotated[
        bool, typer.Option("--tails", help="How many of them are from which tail (parity/drawing/tails.py).")
    ] = False,
    workers: WorkersOption = PROCESSORS,
) -> None:
    """Digests of the examples that `parity check` draws: equal ones mean the same examples, here and elsewhere."""
    asked, known = sorted(set(counts or [60])), names()
    if unknown := [name for name in what or [] if name not in known]:
        fail(f"no pair for {unknown[0]!r}; there are: {', '.join(known)}")
    abouts = ((name, dtype) for name in what or known for dtype in (DTYPES[:1] if tails else DTYPES))
    calls = [Call(about, covered if tails else drawn, (*about, asked, seed)) for about in abouts]
    rows = []
    with Pool(workers) as pool, progress("examples") as show:
        for done, (call, found) in enumerate(pool.run(calls), 1):
            if isinstance(found, Crash):
                fail(f"no examples of {call.about[0]} could be drawn: {found.message}", code=3)
            rows.append((*call.about, *found))
            show(done, len(calls))
    columns = ODDS if tails else [f"{count} examples" for count in asked]
    table = Table("pair", "dtype", *columns, title=f"of {asked[-1]} examples" if tails else None)
    for row in sorted(rows):
        table.add_row(*row)
    console().print(table)


def drawn(name: str, dtype: str, counts: list[int], seed: int | None) -> list[str]:
    """The digests of the first examples of a class, one for each of the counts."""
    return digests(ClassName(name).load(), dtype, counts, seed)


def covered(name: str, dtype: str, counts: list[int], seed: int | None) -> list[str]:
    """How many of the first examples of a class, of the largest count, are from each tail; empty where none is."""
    return [str(number or "") for number in tails_of(ClassName(name).load(), dtype, counts[-1], seed).values()]
