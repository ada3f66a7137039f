"""The output of the commands: progress on stderr, tables on stdout."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from parity.report import Summary
    from parity.results.records import Json
    from parity.results.records.soaks import SoakRecord
    from parity.work.performing import Checked


@contextmanager
def progress(title: str) -> Iterator[Any]:
    """A context that yields a function (done, total), which moves a bar; it is silent where nobody watches."""
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


def print_check(checked: Checked) -> None:
    """Print the shares of the allowances, what else was looked at, and everything that is off, by kind."""
    from parity.work.performing import crashed

    proven = [record for record in checked.of("checks") if not crashed(record)]
    if proven:
        _print_proven(proven)
    for kind in ("derivatives", "refusals", "differences"):
        if records := checked.of(kind):
            console().print(_counted(kind, records))
    for record in proven:
        if not record["passed"]:
            typer.echo(f"\n{record['pair']}, {record['dtype']}, example {record['failed_after']}:\n{record['failure']}")
    for kind, record in checked.crashes:
        typer.echo(f"\n{kind}, {record['key']}: crashed and was not compared: {record['message']}")
    if checked.crashes:
        console().print(f"[red]{len(checked.crashes)} crashed and count as not shown")


def _print_proven(records: list[Json]) -> None:
    from rich.table import Table

    names = ["numpynet", *sorted({name for record in records for name in record["frameworks"]})]
    table = Table("pair", "dtype", "examples", *(f"{name}\nused/allowed" for name in names), "")
    for record in sorted(records, key=lambda record: record["key"]):
        used: dict[str, float] = {}
        for use in record["uses"]:
            used[use["implementation"]] = max(_share(use["used"]), used.get(use["implementation"], 0.0))
        table.add_row(
            record["pair"],
            record["dtype"],
            str(record["examples"]),
            *(f"{used.get(name, 0.0):.3f}" for name in names),
            "[green]within" if record["passed"] else "[red]failed",
        )
    console().print(table)
    seconds = sum(record["seconds"] for record in records)
    inside = sum(record["seconds_inside"] for record in records)
    count = sum(record["examples"] for record in records)
    if seconds and inside:
        console().print(
            f"{count} examples in {seconds:.0f} s ({count / seconds:.0f} a second), {seconds / inside:.2f} times what "
            "the implementations' own calls took"
        )


def _counted(kind: str, records: list[Json]) -> str:
    """A line on how many records are as stated and how many could not be looked at, with the keys that are off."""
    from parity.work.performing import crashed, off

    judged = [record for record in records if record.get("passed") is not None]
    wrong = [record for record in judged if off(record)]
    lost, unverified = sum(map(crashed, records)), [record for record in records if record.get("boundary")]
    said = f"{len(judged) - len(wrong)} of {len(judged)} as stated" if judged else f"0 of {len(records)} measured"
    if absent := len(records) - len(judged) - lost:
        said += f", {absent} not measurable here"
    if unverified:
        said += f", {len(unverified)} with a boundary not verified for these versions"
    if lost:
        said += f", [red]{lost} crashed[/]"
    return f"{kind}: {said}" + "".join(f"\n  [red]{record['key']}" for record in wrong)


def print_defects(records: list[Json]) -> None:
    from rich.table import Table

    from parity.work.performing import crashed

    table = Table("defect", "rung", "examples", "usual way")
    for record in records:
        if crashed(record):
            table.add_row(record["title"], "[red]crashed", "–", "–")
            continue
        rung = f"{record['rung']}" if record["passed"] else "[red]escaped"
        usual = "–" if record["usual"] is None else record["usual"]["by"] or "[yellow]not caught"
        table.add_row(record["title"], rung, str(record["examples"]), usual)
    console().print(table)
    if any(not crashed(record) and record["usual"] is None for record in records):
        console().print("The usual way was not tried: it is torch's, and torch is not installed")
    print_crashes(records)


def print_report(summary: Summary) -> None:
    """Print the headline, everything that is off by kind, what is missing, and what was left out, each cause once."""
    document = summary.document
    console().print(f"[bold]{summary.headline}[/bold]", soft_wrap=True)
    for title, sentences in (("missing", document["missing"]), ("left out", document["not_compared"])):
        for sentence in sentences:
            console().print(f"{title}: {sentence}", soft_wrap=True, markup=False)
    for group in document["reds"]:
        console().print(f"[red]{group['kind']}[/]: {len(group['found'])}")
        for red in group["found"]:
            console().print(f"  {red['key']} ({red['stack']}): {red['why']}", soft_wrap=True, markup=False)


def print_curves(records: list[Json]) -> None:
    from rich.table import Table

    from parity.work.performing import crashed

    curves = sorted((record for record in records if not crashed(record)), key=lambda record: record["key"])
    names = sorted({name for curve in curves for name in curve["used"]} - {"numpynet"})
    table = Table("curve", "dtype", "steps compared", *(f"{name}\nused/allowed" for name in names), "")
    marks = {True: "[green]within", False: "[red]outside", None: "[yellow]not compared"}
    for curve in curves:
        used = [f"{_share(curve['used'].get(name, 0.0)):.3f}" for name in names]
        table.add_row(curve["name"], curve["dtype"], str(curve["compared"] or 0), *used, marks[curve["passed"]])
    console().print(table)
    for message in sorted({curve["message"] for curve in curves if curve["message"]}):
        typer.echo(message)
    print_crashes(records)


def print_modes(records: list[Json]) -> None:
    from rich.table import Table

    from parity.work.performing import crashed

    colours = {"agrees": "[green]", "finding": "[yellow]", "off": "[red]", "not run": "[yellow]"}
    rows = [record for record in records if not crashed(record)]
    executions = list(dict.fromkeys(row["execution"] for row in rows))
    table = Table("model", "dtype", "framework", "mode", *executions, title="largest share of the allowance used")
    cells: dict[tuple[str, ...], dict[str, str]] = {}
    for row in rows:
        shares = [*map(_share, row["used"].values()), *map(_share, row["apart"].values())]
        largest = f" {max(shares):.3g}" if row["used"] else ""
        place = (row["model"], row["dtype"], row["framework"], row["mode"])
        said = largest.strip() if row["status"] == "agrees" else row["status"] + largest
        cells.setdefault(place, {})[row["execution"]] = colours[row["status"]] + said
    for names, found in cells.items():
        table.add_row(*names, *(found.get(execution, "") for execution in executions))
    console().print(table)
    for row in rows:
        if row["note"]:
            typer.echo(f"{row['key']}: {row['note']}")
    print_crashes(records)


def _share(stored: float | None) -> float:
    """The share of the allowance that a record stores, infinity where it stores None."""
    return math.inf if stored is None else stored


def print_crashes(records: list[Json]) -> None:
    """Print a line for each record of what crashed."""
    from parity.work.performing import crashed

    for record in filter(crashed, records):
        typer.echo(f"{record['key']} crashed and was not looked at: {record['message']}")


def print_soak(records: list[SoakRecord], chunks: list[Json], crashes: list[Json]) -> None:
    """Print the largest share and the tail by pair and dtype, the worst over implementations and quantities."""
    from rich.table import Table

    from parity.soak.examples import NETWORKS, soaked
    from parity.statistics.tails import upper_bound

    table = Table("pair", "dtype", "examples", "largest share", "of", "P(share > 1), estimate", "upper 95%", "alarms")
    for pair, dtype in sorted({(record.pair, record.dtype) for record in records}):
        own = [record for record in records if (record.pair, record.dtype) == (pair, dtype)]
        largest = max(own, key=lambda record: _share(record.largest))
        tails = [(r.tail, r.tail_interval[1]) for r in own if r.tail is not None and r.tail_interval is not None]
        estimate, upper = max(tails, default=(None, None))
        alarms = sum(not chunk["passed"] for chunk in chunks if (chunk["pair"], chunk["dtype"]) == (pair, dtype))
        table.add_row(
            pair,
            dtype,
            str(sum(chunk["examples"] for chunk in chunks if (chunk["pair"], chunk["dtype"]) == (pair, dtype))),
            f"{_share(largest.largest):.3f}",
            f"{largest.implementation}, {largest.quantity}",
            "too few" if estimate is None else f"{estimate:.1e}",
            "" if upper is None else f"{upper:.1e}",
            f"[red]{alarms}" if alarms else "0",
        )
    console().print(table)
    for of, judged in soaked(chunks).items():
        count, alarms = sum(chunk["examples"] for chunk in judged), sum(not chunk["passed"] for chunk in judged)
        networks = sum(chunk["examples"] for chunk in judged if chunk["pair"] in NETWORKS)
        console().print(
            f"{of}: {count} examples, {networks} of them random networks; {alarms} alarms: with 95% confidence fewer "
            f"than {upper_bound(alarms, count):.1e} of all examples"
        )
    for chunk in chunks:
        if not chunk["passed"]:
            typer.echo(f"\n{chunk['key']}, example {chunk['examples']}:\n{chunk['alarm']}")
    for chunk in crashes:
        typer.echo(f"\n{chunk['key']} crashed: {chunk['message']}")
