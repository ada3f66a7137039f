"""What the commands say: progress on stderr, tables on stdout."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from parity.curves import Curve
    from parity.modes import Row
    from parity.proving import Report
    from parity.results import Record


@contextmanager
def progress(title: str) -> Iterator[Any]:
    """A function (done, total) that moves a bar; silent where nobody watches."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

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


def console(stderr: bool = False) -> Any:
    from rich.console import Console

    made = Console(stderr=stderr, highlight=False)
    if not made.is_terminal:
        made.width = 120  # a log file has no width to keep to
    return made


def print_checks(reports: list[Report]) -> None:
    from rich.table import Table

    names = ["numpynet", *sorted({name for report in reports for name in report.frameworks})]
    table = Table("pair", "dtype", "examples", *(f"{name}\nused/allowed" for name in names), "")
    for report in sorted(reports, key=lambda report: report.key):
        largest = {n: max((u.used for u in report.uses.values() if u.implementation == n), default=0.0) for n in names}
        table.add_row(
            report.pair,
            report.dtype,
            str(report.examples),
            *(f"{largest[name]:.3f}" for name in names),
            "[red]failed" if report.failure else "[green]within",
        )
    console().print(table)
    seconds = sum(report.seconds for report in reports)
    inside = sum(report.seconds_inside for report in reports)
    count = sum(report.examples for report in reports)
    console().print(
        f"{count} examples in {seconds:.0f} s ({count / seconds:.0f} a second), {seconds / inside:.2f} times what the "
        "implementations' own calls took"
    )
    for report in reports:
        if report.failure:
            typer.echo(f"\n{report.pair}, {report.dtype}, example {report.failed_after}:\n{report.failure}")


def print_curves(curves: list[Curve]) -> None:
    from rich.table import Table

    names = sorted({name for curve in curves if curve.training for name in curve.training.used} - {"numpynet"})
    table = Table("curve", "dtype", "steps compared", *(f"{name}\nused/allowed" for name in names), "")
    marks = {True: "[green]within", False: "[red]outside", None: "[yellow]not compared"}
    for curve in curves:
        series = [part for part in (curve.training, curve.validation) if part]
        used = [max((part.used.get(name, 0.0) for part in series), default=0.0) for name in names]
        steps = str(curve.training.compared) if curve.training else "0"
        table.add_row(curve.name, curve.dtype, steps, *(f"{share:.3f}" for share in used), marks[curve.passed])
    console().print(table)
    for message in sorted({curve.message for curve in curves if curve.message}):
        typer.echo(message)


def print_modes(rows: list[Row]) -> None:
    from rich.table import Table

    colours = {"agrees": "[green]", "finding": "[yellow]", "off": "[red]", "not run": "[yellow]"}
    executions = list(dict.fromkeys(row.execution for row in rows))
    table = Table("model", "dtype", "framework", "mode", *executions, title="largest share of the allowance used")
    cells: dict[tuple[str, ...], dict[str, str]] = {}
    for row in rows:
        largest = f" {max([*row.used.values(), *row.apart.values()]):.3g}" if row.used else ""
        place = (row.model, row.dtype, row.framework, row.mode)
        said = largest.strip() if row.status == "agrees" else row.status + largest
        cells.setdefault(place, {})[row.execution] = colours[row.status] + said
    for names, found in cells.items():
        table.add_row(*names, *(found.get(execution, "") for execution in executions))
    console().print(table)
    for row in rows:
        if row.note:
            typer.echo(f"{row.key}: {row.note}")


def print_soak(records: list[Record], chunks: list[Record]) -> None:
    """The largest share and the tail by pair and dtype, the worst over implementations and quantities."""
    from rich.table import Table

    from parity.statistics.tails import upper_bound

    table = Table("pair", "dtype", "examples", "largest share", "of", "P(share > 1), estimate", "upper 95%", "alarms")
    for pair, dtype in sorted({(record["pair"], record["dtype"]) for record in records}):
        own = [record for record in records if (record["pair"], record["dtype"]) == (pair, dtype)]
        largest = max(own, key=lambda record: record["largest"])
        tails = [(r["tail"], r["tail_interval"][1]) for r in own if r["tail"] is not None]
        estimate, upper = max(tails, default=(None, None))
        alarms = sum(bool(chunk["alarm"]) for chunk in chunks if (chunk["pair"], chunk["dtype"]) == (pair, dtype))
        table.add_row(
            pair,
            dtype,
            str(sum(chunk["examples"] for chunk in chunks if (chunk["pair"], chunk["dtype"]) == (pair, dtype))),
            f"{largest['largest']:.3f}",
            f"{largest['implementation']}, {largest['quantity']}",
            "too few" if estimate is None else f"{estimate:.1e}",
            "" if upper is None else f"{upper:.1e}",
            f"[red]{alarms}" if alarms else "0",
        )
    console().print(table)
    count, alarms = sum(chunk["examples"] for chunk in chunks), sum(bool(chunk["alarm"]) for chunk in chunks)
    networks = sum(chunk["examples"] for chunk in chunks if chunk["pair"] in ("Sequential", "Graph"))
    console().print(
        f"{count} examples, {networks} of them random networks; {alarms} alarms: with 95% confidence fewer than "
        f"{upper_bound(alarms, count):.1e} of all examples"
    )
    for chunk in chunks:
        if chunk["alarm"]:
            typer.echo(f"\n{chunk['key']}, example {chunk['examples']}:\n{chunk['alarm']}")
