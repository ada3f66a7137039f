"""The command line. Each command imports what it needs: `parity --help` must answer at once."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
import typer.core

from parity.cli.terminal import console, print_check, print_crashes, print_curves, print_modes, print_soak, progress

if TYPE_CHECKING:
    from parity.results.records import Json
    from parity.results.store import Results
    from parity.statistics import Verdict
    from parity.work.pool import Call


class Commands(typer.core.TyperGroup):
    """What may befall any command, a disk that is full or a cluster that is lost, is one line and exit code 3."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            from parity.results.store import ResultsError

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
KeepOption = Annotated[
    bool, typer.Option("--keep", help="Write what was measured to parity/evidence/, to be committed: it counts then.")
]
WorkersOption = Annotated[int, typer.Option("--workers", min=1, help="Processes that share the work.")]
CHUNKS_PER_PROCESS = 100  # of the soak: some thousand networks, of which TensorFlow keeps 200 KB each
# commands that write down a plan
STEPS = ("check", "curves", "modes", "defects", "twins", "machines", "soak", "study", "experiment", "calibrate")


@app.command("list")
def list_() -> None:
    """The pairs, and the versions of the implementations found here."""
    from rich.table import Table

    from numpynet import __version__
    from parity.frameworks import FRAMEWORKS
    from parity.ladder.proving import targets
    from parity.mapping.pair import pair_of
    from parity.results.packages import versions

    found = {"numpynet": __version__, **versions()}
    said = [f"{name} {found.get(name, 'not installed')}" for name in ("numpynet", "numpy", *FRAMEWORKS, "keras")]
    console().print("  ".join(said))
    table = Table("class", "pair", "what to know")
    for target in targets():
        described = (type(pair_of(target)).__doc__ or "").strip().splitlines()
        table.add_row(target.__name__, type(pair_of(target)).__name__, described[0] if described else "")
    console().print(table)


@app.command()
def begin(
    steps: Annotated[list[str], typer.Argument(help="check, curves, modes, defects, study:NAME, experiment:NAME ...")],
    quick: Annotated[
        bool, typer.Option("--quick", help="The job is the quick profile, and its report says so.")
    ] = False,
    results: ResultsOption = None,
) -> None:
    """Writes down that a job is about to run these commands, so that the report misses what never started."""
    from parity.results.planning import begin as write

    for step in steps:
        if step.partition(":")[0] not in STEPS:
            _fail(f"no step called {step!r}; there are: {', '.join(STEPS)}")
    write(_results(results), steps, quick)


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

    Also the derivatives of the reference; without arguments what each implementation refuses, and the catalogue of
    known differences. Exit code 1 if anything is off, 3 if nothing is but something crashed.
    """
    from parity.formats import DTYPES
    from parity.ladder.proving import targets
    from parity.work.jobs import classes_in
    from parity.work.performing import run_check
    from parity.work.pool import Call, Crash, Pool

    frameworks = _frameworks(framework)
    names = {target.__name__ for target in targets()}
    classes: list[tuple[str | None, str]] = []
    with Pool(workers) as pool, progress("outputs, gradients, steps, derivatives") as show:
        for item in what or sorted(names):
            if item.endswith(".py"):
                [(_, found)] = pool.run([Call(item, classes_in, (item,))])
                if isinstance(found, Crash):
                    _fail(f"{item} cannot be imported: {found.message}")
                if not found:
                    _fail(f"{item} defines no pair: decorate a parity.Pair with @parity.pair(YourLayer)")
                classes += [(item, name) for name in found]
            elif item in names:
                classes.append((None, item))
            else:
                _fail(f"no pair for {item!r}; there are: {', '.join(sorted(names))}. A file must end in .py")
        checked = run_check(
            _results(results),
            pool,
            " ".join(["check", *(what or [])]),
            classes,
            examples=examples,
            dtypes=dtype or DTYPES,
            frameworks=frameworks,
            seed=seed,
            everything=not what,
            progress=show,
        )
    print_check(checked)
    raise typer.Exit(1 if checked.failed else 3 if checked.crashes else 0)


@app.command()
def examples(
    what: Annotated[list[str] | None, typer.Argument(help="Class names; default: every pair.")] = None,
    counts: Annotated[
        list[int] | None, typer.Option("--examples", min=1, help="How many, once for each digest; default: 60.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Those of another seed.")] = None,
    workers: WorkersOption = 1,
) -> None:
    """Digests of the examples that `parity check` draws: equal ones mean the same examples, here and elsewhere."""
    from rich.table import Table

    from parity.formats import DTYPES
    from parity.ladder.proving import targets
    from parity.work.jobs import digest_one
    from parity.work.pool import Call, Crash, Pool

    asked = sorted(set(counts or [60]))
    known = [target.__name__ for target in targets()]
    if unknown := [name for name in what or [] if name not in known]:
        _fail(f"no pair for {unknown[0]!r}; there are: {', '.join(known)}")
    calls = [Call(name, digest_one, (name, dtype, asked, seed)) for name in what or known for dtype in DTYPES]
    rows = []
    with Pool(workers) as pool, progress("examples") as show:
        for done, (call, found) in enumerate(pool.run(calls), 1):
            if isinstance(found, Crash):
                _fail(f"no examples of {call.about} could be drawn: {found.message}", code=3)
            rows.append(found)
            show(done, len(calls))
    table = Table("pair", "dtype", *(f"{count} examples" for count in asked))
    for name, dtype, digests in sorted(rows):
        table.add_row(name, dtype, *digests)
    console().print(table)


@app.command()
def soak(
    number: Annotated[int, typer.Option("--examples", min=1, help="Random examples in all.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Names the examples; another one draws others.")] = 1,
    derivatives: Annotated[
        bool, typer.Option("--derivatives", help="Of the reference's derivatives instead of rungs 1 to 3.")
    ] = False,
    framework: FrameworkOption = None,
    results: ResultsOption = None,
    workers: WorkersOption = 2,
    to_keep: KeepOption = False,
) -> None:
    """How often a right implementation is called wrong: every pair with fresh seeds. Resumes where it was stopped.

    Exit code 1 if there was an alarm: a finding, or a hole in the model of rounding; 3 if something crashed.
    """
    from parity.results.evidence import keep
    from parity.soak.examples import CHUNKS, chunks, crashes
    from parity.soak.examples import soak as run_soak
    from parity.work.pool import Pool

    store = _results(results)
    with Pool(workers, calls=CHUNKS_PER_PROCESS) as pool, progress("soak") as show:
        summary = run_soak(store, number, seed, _frameworks(framework), pool.run, show, derivatives)
    judged = chunks(store)
    if to_keep:
        keep(CHUNKS, judged)
    print_soak(summary, judged, crashes(store))
    raise typer.Exit(1 if any(not chunk["passed"] for chunk in judged) else 3 if crashes(store) else 0)


@app.command()
def curves(
    framework: FrameworkOption = None,
    results: ResultsOption = None,
    quick: Annotated[bool, typer.Option("--quick", help="The curves of digits alone.")] = False,
    workers: WorkersOption = 1,
) -> None:
    """Rung 4: training-loss curves from the same weights, judged by the measured one-ulp envelope.

    Exit code 1 if one is off, 3 if none is but something crashed.
    """
    from parity.formats import DTYPES
    from parity.training.networks import EXPERIMENTS
    from parity.work.jobs import curve_one
    from parity.work.performing import Item
    from parity.work.pool import Call

    frameworks = _frameworks(framework)
    calls = [
        Call(
            Item("curves", f"{each.name}/{dtype}", {"name": each.name, "title": each.title, "dtype": dtype}),
            curve_one,
            (each.name, dtype, frameworks),
        )
        for each in EXPERIMENTS
        if not quick or each.name.startswith("digits")
        for dtype in DTYPES
    ]
    # Those of images take longest by far: they come first, so that no worker is left with one at the end.
    calls.sort(key=lambda call: "images" not in call.about.key)
    records = _perform(
        _results(results), "curves", calls, workers, "rung 4: curves", frameworks=frameworks, quick=quick
    )
    print_curves(records)
    _end(records)


@app.command("soak-curves")
def soak_curves(
    count: Annotated[
        int, typer.Option("--curves", min=1, help="Curves, at least; every network in every dtype.")
    ] = 2000,
    seed: Annotated[int, typer.Option(help="The first of the seeds that are used.")] = 1000,
    machine: Annotated[
        list[str] | None, typer.Option(help="An emulated machine, once for each; default: all that can be.")
    ] = None,
    framework: FrameworkOption = None,
    results: ResultsOption = None,
    workers: WorkersOption = 1,
    to_keep: KeepOption = False,
) -> None:
    """Rung 4's budget: how far right implementations stray, on emulated machines in turn. Resumes where it was stopped.

    Exit code 1 if one was called wrong from every seed, 3 if a machine that was asked for could not be run.
    """
    from parity.results.evidence import keep
    from parity.soak.budget import table
    from parity.soak.curves import KIND, records, soak

    store, frameworks = _results(results), _frameworks(framework)
    with progress("rung 4: soak") as show:
        unable = _or_exit(lambda: soak(store, frameworks, count, seed, machine, show, workers))
    for message in unable:
        typer.echo(message, err=True)
    if found := records(store):
        console().print(table(found))
    if to_keep:
        keep(KIND, found)
    raise typer.Exit(1 if any(not record["passed"] for record in found) else 3 * bool(unable or not found))


@app.command()
def modes(framework: FrameworkOption = None, results: ResultsOption = None, workers: WorkersOption = 1) -> None:
    """The ways of writing and running the same model: each framework's agree, and agree with numpynet.

    Exit code 1 if one is off that no known difference explains, 3 if none is but something crashed.
    """
    from parity.modes import asked
    from parity.work.jobs import modes_one
    from parity.work.performing import Item
    from parity.work.pool import Call

    frameworks = _frameworks(framework)
    calls = [
        Call(
            Item("modes", f"{model}/{dtype}/{name}/*", {"model": model, "dtype": dtype, "framework": name}),
            modes_one,
            (model, dtype, name),
        )
        for model, dtype in asked()
        for name in frameworks
    ]
    records = _perform(_results(results), "modes", calls, workers, "ways of writing a model", frameworks=frameworks)
    print_modes(records)
    _end(records)


@app.command()
def study(
    name: Annotated[
        str,
        typer.Argument(
            help="A pre-registered study: digits, digits-convolutional, digits-quick, fashion-mnist, or a .toml file."
        ),
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
    with progress(f"rung 5: {Path(name).stem}") as show, cluster(dask) if dask else nullcontext() as executor:

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
def register(
    experiment: Annotated[
        str, typer.Argument(help="What is trained: FILE.py:VARIABLE, a parity.training.experiment.Experiment.")
    ],
    name: Annotated[str | None, typer.Option(help="The study's name; default: the variable's.")] = None,
    seeds: Annotated[int, typer.Option(min=8, help="How many seeds the study will have; more show more.")] = 24,
    workers: WorkersOption = 2,
) -> None:
    """Registers a study of one's own: trains numpynet from 30 seeds for the margin, and writes two .toml files here.

    Then `parity study NAME.toml` conducts it.
    """
    from parity.study.own import find
    from parity.study.registering import register as write_registration
    from parity.study.registration import registered

    chosen = name or experiment.rpartition(":")[2].lower().replace("_", "-")
    if chosen in registered():
        _fail(f"{chosen} is a study of parity's own: choose another --name")
    with progress(f"reference set of {chosen}") as show:
        written = _or_exit(
            lambda: write_registration(
                chosen, experiment, find(experiment, Path()), Path(), seeds=seeds, workers=workers, progress=show
            ),
            code=2,
        )
    for path in written:
        typer.echo(f"wrote {path}")


@app.command()
def calibrate(
    replications: Annotated[int, typer.Option(min=100, help="Simulated studies for each cell.")] = 20_000,
    results: ResultsOption = None,
) -> None:
    """How often each procedure of rung 5 is wrong, by simulation. Exit code 1 if one errs more than it may."""
    from dataclasses import asdict

    from parity.results.planning import planned
    from parity.statistics import calibrate as simulate

    store = _results(results)
    with planned(store, "calibrate", {"calibration": ["*"]}, replications=replications):
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
    shrink: Annotated[
        bool | None,
        typer.Option(help="Shrink the examples that catch them, at several times the cost; default: of those named."),
    ] = None,
    results: ResultsOption = None,
    workers: WorkersOption = 1,
) -> None:
    """Plants defects, one at a time, and shows which rung catches each.

    Exit code 1 if one escapes, 3 if none does but something crashed.
    """
    from parity.cli.terminal import print_defects
    from parity.defects import gallery
    from parity.work.jobs import plant_one
    from parity.work.performing import Item
    from parity.work.pool import Call

    known = {defect.name: defect for defect in gallery()}
    for name in names or []:
        if name not in known:
            _fail(f"no defect called {name!r}; there are: {', '.join(known)}")
    calls = []
    for name in names or known:
        about = {"title": known[name].title, "target": known[name].target.__name__}
        calls.append(Call(Item("defects", name, about), plant_one, (name, bool(names) if shrink is None else shrink)))
    records = _perform(_results(results), " ".join(["defects", *(names or [])]), calls, workers, "planted defects")
    print_defects(records)
    _end(records)


@app.command()
def twins(
    examples: Annotated[int, typer.Option(min=1, help="Random examples for each twin.")] = 20,
    framework: FrameworkOption = None,
    results: ResultsOption = None,
    workers: WorkersOption = 1,
) -> None:
    """Undamaged twins of the planted defects: the ladder must catch none; the baseline's false alarms are counted.

    Exit code 1 if the ladder catches one, 3 if it does not but something crashed.
    """
    from parity.defects.twins import targets
    from parity.work.jobs import twin_one
    from parity.work.performing import Item, crashed
    from parity.work.pool import Call

    frameworks = _frameworks(framework)
    calls = [Call(Item("twins", name, {}), twin_one, (name, frameworks, examples)) for name in targets()]
    records = _perform(_results(results), "twins", calls, workers, "undamaged twins", frameworks=frameworks)
    looked_at = [record for record in records if not crashed(record)]
    caught = [record["key"] for record in looked_at if not record["passed"]]
    alarms = [record["key"] for record in looked_at if record["usual"] and record["usual"]["caught"]]
    console().print(f"the ladder catches {len(caught)} of {len(looked_at)} undamaged twins {' '.join(caught)}")
    console().print(f"the baseline raises {len(alarms)} false alarms on undamaged twins {' '.join(alarms)}")
    print_crashes(records)
    _end(records)


@app.command()
def machines(
    names: Annotated[list[str] | None, typer.Argument(help="Emulated machines; default: all.")] = None,
    ci: Annotated[
        bool, typer.Option("--ci", help="The two that differ most from this processor, briefly, side by side.")
    ] = False,
    results: ResultsOption = None,
    workers: WorkersOption = 1,
) -> None:
    """Check, modes, curves and twins on other processors, emulated by the switches of the libraries' kernels.

    Resumes where it was stopped. Exit code 1 if anything is off, 3 if a machine could not be run.
    """
    from parity.machines import find
    from parity.machines.run import exit_code, most_different, run_machines
    from parity.machines.table import remarks, table
    from parity.results.planning import planned

    chosen = most_different() if ci and not names else _or_exit(lambda: find(names), code=2)
    store = _results(results)
    plan = planned(store, "machines", {"machines": [f"{machine.name}/*" for machine in chosen]})
    with plan, progress("emulated machines") as show:
        outcomes = run_machines(store, chosen, quick=ci, workers=2 if ci else workers, progress=show)
    console().print(table(outcomes))
    for line in remarks(outcomes):
        typer.echo(line)
    raise typer.Exit(exit_code(outcomes))


@app.command()
def report(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="results/<stack> folders; default: all in results/.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the four files go.")] = Path("results/report"),
) -> None:
    """Writes report.html, report.md, report.json and junit.xml from one or many stacks' results.

    Exit code 0: held, or partial (nothing is off; data or a framework that is not here, and what that kept from being
    looked at, is named); 1: something differs; 2: a study is inconclusive; 3: invalid (a control failed), or incomplete
    (of what was planned something is missing, crashed or was killed, or nobody wrote down what was planned).
    """
    from parity.cli.terminal import print_report
    from parity.report import write_report

    chosen = folders or sorted(path.parent for path in Path("results").glob("*/environment.json"))
    if not chosen:
        _fail(
            "no results to report: run `parity check`, `parity curves` and `parity study` first, or name their folders"
        )
    summary = _or_exit(lambda: write_report(chosen, out))
    print_report(summary)
    console().print(f"wrote {out}/report.html, report.md, report.json, junit.xml")
    raise typer.Exit(summary.exit_code)


@app.command()
def pages(
    folder: Annotated[Path, typer.Argument(help="Where they are written.")] = Path("docs/pages"),
    results: Annotated[
        Path | None, typer.Option(help="The results folder of one stack; default: that of the installed versions.")
    ] = None,
) -> None:
    """Writes the documentation's pages of measured things: known differences, planted defects, experiments.

    A kind of which there are no records leaves its page as it is.
    """
    from parity.report.pages import write_pages
    from parity.results.store import Results, default_folder

    written = _or_exit(lambda: write_pages(Results(results or default_folder()), folder))
    if not written:
        _fail(
            f"no records to write pages of in {results or default_folder()}: run `parity check`, `parity defects` first"
        )
    for path in written:
        typer.echo(f"wrote {path}")


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

    Exit code 1 if one falls short, 2 if one could not be run (its data is missing), 3 if one crashed.
    """
    from rich.table import Table

    from parity.experiments import EXPERIMENTS
    from parity.results.planning import planned
    from parity.results.store import default_folder
    from parity.work.performing import crashed, record_all, run_experiments

    if name is None:
        table = Table("experiment", "what it must show")
        for key, entry in EXPERIMENTS.items():
            table.add_row(key, entry.requirement)
        console().print(table)
        return
    chosen = list(EXPERIMENTS) if name == "all" else [name]
    if unknown := [key for key in chosen if key not in EXPERIMENTS]:
        _fail(f"no experiment called {unknown[0]!r}; `parity experiment` lists them")
    frameworks = _frameworks(framework)
    store = _results(results or (default_folder() / "quick" if quick else None))
    keys = [f"{key}/*" for key in chosen]
    marks = {True: "[green]holds", False: "[red]falls short", None: "[yellow]not judged", "crashed": "[red]crashed"}
    outcomes: list[bool | str | None] = []
    try:
        with planned(store, f"experiment:{name}", {"experiments": keys}, frameworks=frameworks, quick=quick):
            for item, found in run_experiments(chosen, store, frameworks, seeds, quick, workers):
                for record in record_all(store, item, found):
                    outcome = "crashed" if crashed(record) else record["passed"]
                    outcomes.append(outcome)
                    said = record["message"] if crashed(record) else record["summary"]
                    console().print(f"{record['key']}: {marks[outcome]}[/] {said}")
    except KeyboardInterrupt:
        _fail(f"interrupted; every training that had ended is kept in {store.folder}: run it again to go on", 130)
    missing = 2 if None in outcomes and not quick else 0
    raise typer.Exit(1 if False in outcomes else 3 if "crashed" in outcomes else missing)


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
    from parity.boundaries.laboratory import PACKAGES
    from parity.boundaries.measuring import changes, run
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


def _perform(store: Results, command: str, calls: list[Call], workers: int, title: str, **content: Any) -> list[Json]:
    """The records, all of one kind, of what `workers` processes did under a bar of this title."""
    from parity.work.performing import perform
    from parity.work.pool import Pool

    with Pool(workers) as pool, progress(title) as show:
        done = perform(store, pool, command, calls, show, **content)
    return [record for records in done.records.values() for record in records]


def _end(records: list[Json]) -> NoReturn:
    """Exit code 1 if a record of what was looked at is off, 3 if none is but something crashed."""
    from parity.work.performing import crashed, off

    raise typer.Exit(1 if any(map(off, records)) else 3 if any(map(crashed, records)) else 0)


def _results(folder: Path | None) -> Results:
    from parity.results.packages import environment
    from parity.results.store import Results, default_folder

    store = Results(folder or default_folder())
    store.write_environment(environment())
    return store


def _or_exit(action: Any, code: int = 3) -> Any:
    """The result of `action`; its foreseen errors become one line and an exit code."""
    try:
        return action()
    except (FileExistsError, FileNotFoundError, LookupError, ValueError) as error:
        _fail(str(error), code)


def _fail(message: str, code: int = 2) -> None:
    typer.echo(f"parity: {message}", err=True)
    raise typer.Exit(code)
