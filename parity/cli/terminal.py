"""What the output of several commands shares: progress on stderr, tables on stdout."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from parity.results.records import Json
from parity.work.performing import crashed


@contextmanager
def progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """A context that yields a function (done, total), which moves a bar; it is silent where nobody watches."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def console(stderr: bool = False) -> Console:
    made = Console(stderr=stderr, highlight=False)
    if not made.is_terminal:
        made.width = 120  # a log file has no width to keep to
    return made


def print_crashes(records: Iterable[Json]) -> None:
    """Print a line for each record of what crashed."""
    for record in filter(crashed, records):
        typer.echo(f"{record['key']} crashed and was not looked at: {record['message']}")
