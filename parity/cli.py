"""The command line. Each command imports what it needs: `parity --help` must answer at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from parity.curves import Curve
    from parity.proving import Report
    from parity.results import Results
    from parity.statistics import Verdict

app = typer.Typer(
    help="Shows that numpynet, PyTorch and TensorFlow compute the same thing, and by how much they may not.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ResultsOption = Annotated[
    Path | None,
    typer.Option("--results", help="Folder that the records are appended to; default: results/<framework versions>."),
]
FrameworkOption = Annotated[
    list[str] | None,
    typer.Option("--framework", help="torch or tensorflow, once for each; default: all that are installed."),
]
WorkersOption = Annotated[int, typer.Option("--workers", min=1, help="Processes that share the work.")]


@app.command("list")
def list_() -> None:
    """The pairs, and the versions of the implementations found here."""
    from rich.table import Table

    from numpynet import __version__
    from parity.frameworks import FRAMEWORKS
    from parity.pairing import pair_of
    from parity.proving import targets
    from parity.results import versions

    found = {"numpynet": __version__, **versions()}
    said = [f"{name} {found.get(name, 'not installed')}" for name in ("numpynet", "numpy", *FRAMEWORKS, "keras")]
    _console().print("  ".join(said))
    table = Table("class", "pair", "what to know")
    for target in targets():
        described = (type(pair_of(target)).__doc__ or "").strip().splitlines()
        table.add_row(target.__name__, type(pair_of(target)).__name__, described[0] if described else "")
    _console().print(table)


@app.command()
def check(
    what: Annotated[
        list[str] | None,
        typer.Argument(help="Class names, or Python files that define layers and their pairs; default: everything."),
    ] = None,
    examples: Annotated[int, typer.Option(min=1, help="Random examples for each pair and dtype.")] = 100,
    dtype: Annotated[list[str] | None, typer.Option(help="float32 or float64, once for each; default: both.")] = None,
    seed: Annotated[int | None, typer.Option(help="Draw other examples; default: the same ones every time.")] = None,
    framework: FrameworkOption = None,
    results: ResultsOption = None,
    workers: WorkersOption = 1,
) -> None:
    """Rungs 1 to 3: outputs, gradients and update steps, on random examples, judged by derived allowances.

    Without arguments also the derivatives of the reference, what each implementation refuses, and the catalogue of
    known differences. Exit code 1 if anything is off.
    """
    from parity.proving import DTYPES, load, targets

    frameworks = _frameworks(framework)
    names = {target.__name__: target for target in targets()}
    jobs: list[tuple[str | None, str]] = []
    for item in what or names:
        if item.endswith(".py"):
            found = targets([_or_exit(lambda item=item: load(item))])
            if not found:
                _fail(f"{item} defines no pair: decorate a parity.Pair with @parity.pair(YourLayer)")
            jobs += [(item, target.__name__) for target in found]
        elif item in names:
            jobs.append((None, item))
        else:
            _fail(f"no pair for {item!r}; there are: {', '.join(names)}. A file must end in .py")
    store = _results(results)
    reports: list[Report] = []
    asked = [(file, name, kind) for file, name in jobs for kind in dtype or DTYPES]
    for report in _run_all(_prove, [(*job, examples, frameworks, seed) for job in asked], workers, "rungs 1 to 3"):
        store.append("checks", report.key, report.as_record())
        reports.append(report)
    _print_checks(reports)
    failed = any(report.failure for report in reports)
    if not what:
        failed |= _check_facts(store, frameworks, examples)
    raise typer.Exit(int(failed))


@app.command()
def curves(framework: FrameworkOption = None, results: ResultsOption = None) -> None:
    """Rung 4: training-loss curves from the same weights, judged by the measured one-ulp envelope."""
    from parity.curves import run_curves

    store = _results(results)
    with _progress("rung 4: curves") as progress:
        found = run_curves(store, _frameworks(framework), progress)
    _print_curves(found)
    raise typer.Exit(int(any(curve.passed is False for curve in found)))


@app.command()
def study(
    name: Annotated[
        str, typer.Argument(help="A pre-registered study: digits, digits-quick or fashion-mnist.")
    ] = "digits",
    framework: FrameworkOption = None,
    results: ResultsOption = None,
    workers: WorkersOption = 2,
    optional: Annotated[bool, typer.Option("--optional", help="Exit with 0 where its data cannot be had.")] = False,
) -> None:
    """Rung 5: final accuracies over seeds, by a pre-registered equivalence test. Resumes where it was stopped.

    Exit code 0: identical, equivalent or negligibly different; 1: different; 2: inconclusive; 3: invalid.
    """
    from parity.study import NoData
    from parity.study import study as run_study

    store, frameworks = _results(results), _frameworks(framework)
    with _progress(f"rung 5: {name}") as progress:

        def conduct() -> Verdict | None:
            try:
                return run_study(name, store, frameworks=frameworks, workers=workers, progress=progress)
            except NoData as error:
                if not optional:
                    raise
                typer.echo(str(error), err=True)
                return None

        verdict = _or_exit(conduct)
    if verdict is None:
        return
    _console().print(f"[bold]{verdict.outcome.value}[/bold]: {verdict.reason}")
    raise typer.Exit(verdict.outcome.exit_code)


@app.command()
def defects(
    names: Annotated[list[str] | None, typer.Argument(help="Defects to plant; default: all.")] = None,
    results: ResultsOption = None,
    workers: WorkersOption = 1,
) -> None:
    """Plants defects, one at a time, and shows which rung catches each. Exit code 1 if one escapes."""
    from rich.table import Table

    from parity.defects import gallery

    known = [defect.name for defect in gallery()]
    for name in names or []:
        if name not in known:
            _fail(f"no defect called {name!r}; there are: {', '.join(known)}")
    store, table, escaped = _results(results), Table("defect", "rung", "examples", "usual way"), 0
    for record in _run_all(_plant, [(name,) for name in names or known], workers, "planted defects"):
        store.append("defects", record["key"], record)
        escaped += not record["caught"]
        rung = f"{record['rung']}" if record["caught"] else "[red]escaped"
        table.add_row(record["title"], rung, str(record["examples"]), record["usual"]["by"] or "[yellow]not caught")
    _console().print(table)
    raise typer.Exit(int(escaped > 0))


@app.command()
def report(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="results/<stack> folders; default: all in results/.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the four files go.")] = Path("results/report"),
) -> None:
    """Writes report.html, report.md, report.json and junit.xml from one or many stacks' results.

    Exit code 0: nothing is off; 1: something differs; 2: a study is inconclusive; 3: no verdict may be drawn.
    """
    from parity.report import write_report

    chosen = folders or sorted(path.parent for path in Path("results").glob("*/environment.json"))
    if not chosen:
        _fail(
            "no results to report: run `parity check`, `parity curves` and `parity study` first, or name their folders"
        )
    summary = _or_exit(lambda: write_report(chosen, out))
    _console().print(f"[bold]{summary.headline}[/bold]\nwrote {out}/report.html, report.md, report.json, junit.xml")
    raise typer.Exit(summary.exit_code)


@app.command()
def experiment(
    name: Annotated[str | None, typer.Argument(help="Which one; default: list them.")] = None,
    framework: FrameworkOption = None,
    results: ResultsOption = None,
    workers: WorkersOption = 1,
) -> None:
    """Runs one of the source course's experiments, or `all`, on all implementations.

    Exit code 1 if one falls short, 2 if one could not be run (its data is missing).
    """
    from rich.table import Table

    from parity.experiments import EXPERIMENTS

    if name is None:
        table = Table("experiment", "what it must show")
        for key, entry in EXPERIMENTS.items():
            table.add_row(key, entry.requirement)
        _console().print(table)
        return
    chosen = list(EXPERIMENTS) if name == "all" else [name]
    if unknown := [key for key in chosen if key not in EXPERIMENTS]:
        _fail(f"no experiment called {unknown[0]!r}; `parity experiment` lists them")
    store, outcomes = _results(results), []
    jobs = [(key, _frameworks(framework), str(store.folder)) for key in chosen]
    marks = {True: "[green]holds", False: "[red]falls short", None: "[yellow]not judged"}
    for records in _run_all(_experiment, jobs, workers, "experiments"):
        for record in records:
            store.append("experiments", record["key"], record)
            outcomes.append(record["passed"])
            _console().print(f"{record['key']}: {marks[record['passed']]}[/] {record['summary']}")
    raise typer.Exit(1 if False in outcomes else 2 if None in outcomes else 0)


# Work that other processes can do: functions of plain arguments.


def _prove(file: str | None, name: str, dtype: str, examples: int, frameworks: list[str], seed: int | None) -> Report:
    from parity.proving import load, prove, targets

    modules = None if file is None else [load(file)]
    target = next(target for target in targets(modules) if target.__name__ == name)
    return prove(target, dtype, examples=examples, frameworks=frameworks, random_seed=seed)


def _plant(name: str) -> dict[str, Any]:
    from parity.defects import gallery, run

    return run(next(defect for defect in gallery() if defect.name == name))


def _experiment(name: str, frameworks: list[str], folder: str) -> list[dict[str, Any]]:
    from parity.experiments import run_experiment
    from parity.results import Results

    return run_experiment(name, frameworks, results=Results(folder))


def _run_all(work: Any, arguments: list[tuple[Any, ...]], workers: int, title: str) -> Iterator[Any]:
    """`work(*arguments)` for each, as they finish, under a progress bar."""
    with _progress(title) as progress:
        progress(0, len(arguments))
        if workers == 1:
            done: Iterable[Any] = (work(*each) for each in arguments)
            for count, result in enumerate(done, 1):
                progress(count, len(arguments))
                yield result
            return
        from concurrent.futures import ProcessPoolExecutor, as_completed
        from multiprocessing import get_context

        with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_single_threaded) as pool:
            futures = [pool.submit(work, *each) for each in arguments]
            for count, future in enumerate(as_completed(futures), 1):
                progress(count, len(arguments))
                yield future.result()


def _single_threaded() -> None:
    """Processes that share the cores must not each take them all."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")


def _check_facts(store: Results, frameworks: list[str], examples: int) -> bool:
    """Derivatives, refusals and known differences; whether anything is off."""
    from parity.derivatives import prove_derivative
    from parity.differences import catalogue, measure
    from parity.proving import targets
    from parity.refusals import measure_refusals

    failed = False
    with _progress("derivatives, refusals, differences") as progress:
        all_targets, entries = targets(), catalogue()
        total = 2 * len(all_targets) + len(entries)
        for count, target in enumerate(all_targets):
            record = prove_derivative(target, examples=min(examples, 50))
            store.append("derivatives", record["key"], record)
            failed |= not record["holds"]
            progress(2 * count + 1, total)
            for refusal in measure_refusals(target, frameworks):
                store.append("refusals", refusal["key"], refusal)
                failed |= not refusal["holds"]
            progress(2 * count + 2, total)
        for count, entry in enumerate(entries):
            record = measure(entry)
            store.append("differences", record["key"], record)
            failed |= not record["holds"]
            progress(2 * len(all_targets) + count + 1, total)
    for kind in ("derivatives", "refusals", "differences"):
        records = store.read(kind)
        off = [record["key"] for record in records if not record["holds"]]
        left_out = sum(not record.get("measured", True) for record in records)
        judged = len(records) - left_out
        said = f"{kind}: {judged - len(off)} of {judged} as stated" + f", {left_out} not measurable here" * (
            left_out > 0
        )
        _console().print(said + "".join(f"\n  [red]{key}" for key in off))
    return failed


def _print_checks(reports: list[Report]) -> None:
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
    _console().print(table)
    seconds = sum(report.seconds for report in reports)
    inside = sum(report.seconds_inside for report in reports)
    count = sum(report.examples for report in reports)
    _console().print(
        f"{count} examples in {seconds:.0f} s ({count / seconds:.0f} a second), {seconds / inside:.2f} times what the "
        "implementations' own calls took"
    )
    for report in reports:
        if report.failure:
            typer.echo(f"\n{report.pair}, {report.dtype}, example {report.failed_after}:\n{report.failure}")


def _print_curves(curves: list[Curve]) -> None:
    from rich.table import Table

    names = sorted({name for curve in curves if curve.training for name in curve.training.used} - {"numpynet"})
    table = Table("curve", "dtype", "steps compared", *(f"{name}\nused/allowed" for name in names), "")
    marks = {True: "[green]within", False: "[red]outside", None: "[yellow]not compared"}
    for curve in curves:
        series = [part for part in (curve.training, curve.validation) if part]
        used = [max((part.used.get(name, 0.0) for part in series), default=0.0) for name in names]
        steps = str(curve.training.compared) if curve.training else "0"
        table.add_row(curve.name, curve.dtype, steps, *(f"{share:.3f}" for share in used), marks[curve.passed])
    _console().print(table)
    for message in sorted({curve.message for curve in curves if curve.message}):
        typer.echo(message)


@contextmanager
def _progress(title: str) -> Iterator[Any]:
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
    with Progress(*columns, console=_console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _console(stderr: bool = False) -> Any:
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal:
        console.width = 120  # a log file has no width to keep to
    return console


def _frameworks(asked: list[str] | None) -> list[str]:
    from parity.frameworks import FRAMEWORKS, available

    found = available()
    for name in asked or []:
        if name not in FRAMEWORKS:
            _fail(f"no framework called {name!r}: torch or tensorflow")
        if name not in found:
            _fail(f"{name} is not installed here")
    for name in FRAMEWORKS:
        if name not in found:
            typer.echo(f"{name} is not installed: nothing is compared with it", err=True)
    return asked or found


def _results(folder: Path | None) -> Results:
    from parity.results import Results, environment, stack_name

    store = Results(folder or Path("results") / stack_name())
    _or_exit(lambda: store.write_environment(environment()))
    return store


def _or_exit(action: Any) -> Any:
    """The result of `action`; its foreseen errors become one line and exit code 3."""
    from parity.results import ResultsError

    try:
        return action()
    except (ResultsError, FileNotFoundError, LookupError, ValueError) as error:
        _fail(str(error), code=3)


def _fail(message: str, code: int = 2) -> None:
    typer.echo(f"parity: {message}", err=True)
    raise typer.Exit(code)
