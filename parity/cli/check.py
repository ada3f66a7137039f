"""`parity check`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from parity.cli.command import (
    PROCESSORS,
    FrameworkOption,
    ResultsOption,
    WorkersOption,
    command,
    fail,
    frameworks_of,
    results_in,
)
from parity.cli.terminal import console, progress
from parity.formats import DTYPES
from parity.items import checks, defaults, derivatives, differences, promises, refusals, specials
from parity.items.classes import ClassName, names, names_in
from parity.results.store import number_of
from parity.work.performing import Done, Records, crashed, off, perform
from parity.work.pool import Call, Crash, Pool


@command
def check(
    what: Annotated[
        list[str] | None,
        typer.Argument(help="Class names, or Python files that define layers and their pairs; default: everything."),
    ] = None,
    examples: Annotated[int, typer.Option(min=1, help="Random examples for each pair and dtype.")] = 100,
    dtype: Annotated[list[str] | None, typer.Option(help="float32 or float64, once for each; default: both.")] = None,
    seed: Annotated[int | None, typer.Option(help="Draw other examples; default: the same ones every time.")] = None,
    guided: Annotated[
        bool, typer.Option("--guided", help="Vary the examples that used the largest shares of the allowance.")
    ] = False,
    framework: FrameworkOption = None,
    results: ResultsOption = None,
    workers: WorkersOption = PROCESSORS,
) -> None:
    """Rungs 1 to 3: outputs, gradients and update steps, on random examples, judged by derived allowances.

    Also the derivatives of the reference; without arguments what each implementation refuses and what it makes of NaN
    and other special values, the catalogue of known differences, every default, and what numpynet's docstrings promise.
    Exit code 1 if anything is off, 3 if nothing is but something crashed.
    """
    frameworks = frameworks_of(framework)
    with Pool(workers) as pool, progress("outputs, gradients, steps, derivatives") as show:
        classes = [of for item in what or sorted(names()) for of in _classes(item, pool, len(dtype or DTYPES))]
        calls = checks.calls(classes, dtype or DTYPES, examples, frameworks, seed, guided)
        calls += derivatives.calls(classes, examples)
        if not what:
            calls += refusals.calls(classes, frameworks) + specials.calls(classes, frameworks)
            calls += differences.calls() + defaults.calls() + promises.calls(frameworks)
        done = perform(
            results_in(results),
            pool.run,
            " ".join(["check", *(what or [])]),
            calls,
            show,
            frameworks=frameworks,
            examples=examples,
            seed=seed,
        )
    print_check(done)
    raise typer.Exit(done.exit_code)


def _classes(item: str, pool: Pool, dtypes: int) -> list[ClassName]:
    """The class of this name or, for a Python file, those whose pairs it defines, as processes of the pool say.

    As many as there will be work for import the file at the same time.
    """
    if not item.endswith(".py"):
        if item not in names():
            fail(f"no pair for {item!r}; there are: {', '.join(sorted(names()))}. A file must end in .py")
        return [ClassName(item)]
    [(_, found), *_] = pool.run([Call(item, names_in, (item,))] * min(pool.workers, dtypes))
    if isinstance(found, Crash):
        fail(f"{item} cannot be imported: {found.message}")
    if not found:
        fail(f"{item} defines no pair: decorate a parity.LayerPair with @parity.pair(YourLayer)")
    return [ClassName(name, item) for name in found]


def print_check(done: Done) -> None:
    """Print the shares of the allowances, what else was looked at, and everything that is off, by kind."""
    proven = [record for record in done.of(checks.KIND) if not crashed(record)]
    if proven:
        _print_proven(proven)
    for looked_at in (derivatives, refusals, specials, defaults, promises, differences):
        if records := done.of(looked_at.KIND):
            console().print(_counted(looked_at.KIND, records))
    for record in filter(off, proven):
        typer.echo(f"\n{record['pair']}, {record['dtype']}, example {record['failed_after']}:\n{record['failure']}")
    for kind, record in done.crashes:
        typer.echo(f"\n{kind}, {record['key']}: crashed and was not compared: {record['message']}")
    if done.crashes:
        console().print(f"[red]{len(done.crashes)} crashed and count as not shown")


def _print_proven(records: Records) -> None:
    implementations = ["numpynet", *sorted({name for record in records for name in record["frameworks"]})]
    table = Table("pair", "dtype", "examples", *(f"{name}\nused/allowed" for name in implementations), "")
    for record in sorted(records, key=lambda record: record["key"]):
        used: dict[str, float] = {}
        for use in record["uses"]:
            used[use["implementation"]] = max(number_of(use["used"]), used.get(use["implementation"], 0.0))
        table.add_row(
            record["pair"],
            record["dtype"],
            str(record["examples"]),
            *(f"{used.get(name, 0.0):.3f}" for name in implementations),
            "[red]failed" if off(record) else "[green]within",
        )
    console().print(table)
    seconds = sum(record["seconds"] for record in records)
    inside = sum(record["seconds_inside"] for record in records)
    count = sum(record["examples"] for record in records)
    if beyond := sum(record.get("beyond", 0) for record in records):
        console().print(f"{beyond} more are not counted: their numbers leave the format's range at once")
    if seconds and inside:
        console().print(
            f"{count} examples in {seconds:.0f} s ({count / seconds:.0f} a second), {seconds / inside:.2f} times what "
            "the implementations' own calls took"
        )


def _counted(kind: str, records: Records) -> str:
    """A line on how many records are as stated and how many could not be looked at, with the keys that are off."""
    looked_at = [record for record in records if not crashed(record)]
    judged = [record for record in looked_at if record["passed"] is not None]
    wrong = [record for record in judged if off(record)]
    lost, unverified = len(records) - len(looked_at), [record for record in records if record.get("boundary")]
    said = f"{len(judged) - len(wrong)} of {len(judged)} as stated" if judged else f"0 of {len(records)} measured"
    if absent := len(looked_at) - len(judged):
        said += f", {absent} not measurable here"
    if unverified:
        said += f", {len(unverified)} with a boundary not verified for these versions"
    if lost:
        said += f", [red]{lost} crashed[/]"
    return f"{kind}: {said}" + "".join(f"\n  [red]{record['key']}" for record in wrong)
