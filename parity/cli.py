"""The command line. Each command imports what it needs: `parity --help` must answer at once."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

from parity.jobs import experiment_on_all, plant_one, prove_one, run_all
from parity.terminal import console, print_checks, print_curves, print_modes, progress

if TYPE_CHECKING:
    from parity.proving import Report
    from parity.results import Results
    from parity.statistics import Verdict


class Commands(typer.core.TyperGroup):
    """What may befall any command, a disk that is full or a cluster that is lost, is one line and exit code 3."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            from parity.results import ResultsError

            if isinstance(error, ResultsError | OSError):
                _fail(str(error), code=3)
            raise


app = typer.Typer(
    cls=Commands,
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
    console().print("  ".join(said))
    table = Table("class", "pair", "what to know")
    for target in targets():
        described = (type(pair_of(target)).__doc__ or "").strip().splitlines()
        table.add_row(target.__name__, type(pair_of(target)).__name__, described[0] if described else "")
    console().print(table)


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
            found = targets([_or_exit(lambda item=item: load(item), code=2)])
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
    for report in run_all(prove_one, [(*job, examples, frameworks, seed) for job in asked], workers, "rungs 1 to 3"):
        store.append("checks", report.key, report.as_record())
        reports.append(report)
    print_checks(reports)
    failed = any(report.failure for report in reports)
    if not what:
        failed |= _check_facts(store, frameworks, examples)
    raise typer.Exit(int(failed))


@app.command()
def curves(framework: FrameworkOption = None, results: ResultsOption = None) -> None:
    """Rung 4: training-loss curves from the same weights, judged by the measured one-ulp envelope."""
    from parity.curves import run_curves

    store = _results(results)
    with progress("rung 4: curves") as show:
        found = run_curves(store, _frameworks(framework), show)
    print_curves(found)
    raise typer.Exit(int(any(curve.passed is False for curve in found)))


@app.command()
def modes(framework: FrameworkOption = None, results: ResultsOption = None) -> None:
    """The ways of writing and running the same model: each framework's agree, and agree with numpynet.

    Exit code 1 if one is off that no known difference explains.
    """
    from parity.modes import run_modes

    store = _results(results)
    with progress("ways of writing a model") as show:
        found = run_modes(store, _frameworks(framework), progress=show)
    print_modes(found)
    raise typer.Exit(int(any(row.status == "off" for row in found)))


@app.command()
def study(
    name: Annotated[
        str, typer.Argument(help="A pre-registered study: digits, digits-convolutional, digits-quick or fashion-mnist.")
    ] = "digits",
    framework: FrameworkOption = None,
    results: ResultsOption = None,
    workers: WorkersOption = 2,
    dask: Annotated[
        str | None,
        typer.Option(help="Address of a Dask scheduler (tcp://host:port) whose workers perform the runs instead."),
    ] = None,
    optional: Annotated[bool, typer.Option("--optional", help="Exit with 0 where its data cannot be had.")] = False,
) -> None:
    """Rung 5: final accuracies over seeds, by a pre-registered equivalence test. Resumes where it was stopped.

    Exit code 0: identical, equivalent or negligibly different; 1: different; 2: inconclusive; 3: invalid.
    """
    from parity.study import NoData, cluster
    from parity.study import study as run_study

    store, frameworks = _results(results), _frameworks(framework)
    with progress(f"rung 5: {name}") as show, cluster(dask) if dask else nullcontext() as executor:

        def conduct() -> Verdict | None:
            try:
                return run_study(name, store, frameworks=frameworks, workers=workers, executor=executor, progress=show)
            except NoData as error:
                if not optional:
                    raise
                typer.echo(str(error), err=True)
                return None

        verdict = _or_exit(conduct)
    if verdict is None:
        return
    console().print(f"[bold]{verdict.outcome.value}[/bold]: {verdict.reason}")
    raise typer.Exit(verdict.outcome.exit_code)


@app.command()
def calibrate(
    replications: Annotated[int, typer.Option(min=100, help="Simulated studies for each cell.")] = 20_000,
    results: ResultsOption = None,
) -> None:
    """How often each procedure of rung 5 is wrong, by simulation. Exit code 1 if one errs more than it may."""
    from dataclasses import asdict

    from parity.statistics import calibrate as simulate

    store = _results(results)
    cells = simulate(replications)
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
    for record in run_all(plant_one, [(name,) for name in names or known], workers, "planted defects"):
        store.append("defects", record["key"], record)
        escaped += not record["caught"]
        rung = f"{record['rung']}" if record["caught"] else "[red]escaped"
        table.add_row(record["title"], rung, str(record["examples"]), record["usual"]["by"] or "[yellow]not caught")
    console().print(table)
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
    console().print(f"[bold]{summary.headline}[/bold]\nwrote {out}/report.html, report.md, report.json, junit.xml")
    raise typer.Exit(summary.exit_code)


@app.command()
def experiment(
    name: Annotated[str | None, typer.Argument(help="Which one; default: list them.")] = None,
    framework: FrameworkOption = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Seeds 0 to N - 1; default: the experiment's own.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="One epoch on a few rows, not judged; kept in a folder of its own.")
    ] = False,
    results: ResultsOption = None,
    workers: WorkersOption = 1,
) -> None:
    """Runs one of the source course's experiments, or `all`, on all implementations. Resumes where it was stopped.

    Exit code 1 if one falls short, 2 if one could not be run (its data is missing).
    """
    from rich.table import Table

    from parity.experiments import EXPERIMENTS
    from parity.results import stack_name

    if name is None:
        table = Table("experiment", "what it must show")
        for key, entry in EXPERIMENTS.items():
            table.add_row(key, entry.requirement)
        console().print(table)
        return
    chosen = list(EXPERIMENTS) if name == "all" else [name]
    if unknown := [key for key in chosen if key not in EXPERIMENTS]:
        _fail(f"no experiment called {unknown[0]!r}; `parity experiment` lists them")
    store = _results(results or (Path("results") / stack_name() / "quick" if quick else None))
    jobs = [(key, _frameworks(framework), str(store.folder), seeds, quick) for key in chosen]
    marks = {True: "[green]holds", False: "[red]falls short", None: "[yellow]not judged"}
    outcomes = []
    try:
        one_by_one = (experiment_on_all(*job, shown=True) for job in jobs)
        for records in one_by_one if workers == 1 else run_all(experiment_on_all, jobs, workers, "experiments"):
            for record in records:
                store.append("experiments", record["key"], record)
                outcomes.append(record["passed"])
                console().print(f"{record['key']}: {marks[record['passed']]}[/] {record['summary']}")
    except KeyboardInterrupt:
        _fail(f"interrupted; every training that had ended is kept in {store.folder}: run it again to go on", 130)
    raise typer.Exit(1 if False in outcomes else 2 if None in outcomes and not quick else 0)


@app.command()
def boundaries(
    packages: Annotated[list[str] | None, typer.Argument(help="keras, torch, tensorflow; default: all three.")] = None,
    release: Annotated[list[str] | None, typer.Option(help="Measure these releases, and search no others.")] = None,
    folder: Annotated[Path, typer.Option(help="Records, one for each release; resumes.")] = Path("results/boundaries"),
    index: Annotated[str | None, typer.Option(help="Where pip finds the releases, such as torch's CPU wheels.")] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Make parity/boundaries/measured.json of all records.")
    ] = False,
) -> None:
    """Between which two releases each refusal and difference with a version condition changes: releases are installed
    into folders of their own, one after another, and removed again.
    """
    from parity.boundaries.measuring import PACKAGES, changes, run
    from parity.boundaries.measuring import write as write_measured

    for package in packages or PACKAGES:
        if package not in PACKAGES:
            _fail(f"no package called {package!r}: {', '.join(PACKAGES)}")
        with progress(f"releases of {package}") as show:
            run(package, folder, index, release, show)
    for change in changes(folder):
        console().print(change)
    if write:
        write_measured(folder)


def _check_facts(store: Results, frameworks: list[str], examples: int) -> bool:
    """Derivatives, refusals and known differences; whether anything is off."""
    from parity.derivatives import prove_derivative
    from parity.differences import catalogue, measure
    from parity.proving import targets
    from parity.refusals import measure_refusals

    failed = False
    with progress("derivatives, refusals, differences") as show:
        all_targets, entries = targets(), catalogue()
        total = 2 * len(all_targets) + len(entries)
        for count, target in enumerate(all_targets):
            record = prove_derivative(target, examples=min(examples, 50))
            store.append("derivatives", record["key"], record)
            failed |= not record["holds"]
            show(2 * count + 1, total)
            for refusal in measure_refusals(target, frameworks):
                store.append("refusals", refusal["key"], refusal)
                failed |= refusal["holds"] is False
            show(2 * count + 2, total)
        for count, entry in enumerate(entries):
            record = measure(entry)
            store.append("differences", record["key"], record)
            failed |= record["holds"] is False
            show(2 * len(all_targets) + count + 1, total)
    for kind in ("derivatives", "refusals", "differences"):
        records = store.read(kind)
        off = [record["key"] for record in records if record["holds"] is False]
        left_out = sum(record["holds"] is None for record in records)
        judged = len(records) - left_out
        said = f"{kind}: {judged - len(off)} of {judged} as stated" + f", {left_out} not measurable here" * (
            left_out > 0
        )
        console().print(said + "".join(f"\n  [red]{key}" for key in off))
    return failed


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
    store.write_environment(environment())
    return store


def _or_exit(action: Any, code: int = 3) -> Any:
    """The result of `action`; its foreseen errors become one line and an exit code."""
    try:
        return action()
    except (FileNotFoundError, LookupError, ValueError) as error:
        _fail(str(error), code)


def _fail(message: str, code: int = 2) -> None:
    typer.echo(f"parity: {message}", err=True)
    raise typer.Exit(code)
