"""What commands have in common: how one is made of a function, the options that several take, and how one ends."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar, cast

import typer
from typer.core import TyperCommand

from parity import frameworks
from parity.cli.terminal import progress
from parity.results.packages import environment
from parity.results.store import Results, ResultsError, default_folder
from parity.work.performing import Done, perform
from parity.work.pool import Call, Pool

T = TypeVar("T")
OR = " or ".join(frameworks.FRAMEWORKS)

ResultsOption = Annotated[
    Path | None,
    typer.Option("--results", help="Folder that the records are appended to; default: results/<framework versions>."),
]
FrameworkOption = Annotated[
    list[str] | None,
    typer.Option("--framework", help=f"{OR}, once for each; default: all that are installed."),
]
KeepOption = Annotated[
    bool,
    typer.Option("--keep", help="Write what was measured to parity/results/kept/, to be committed: it counts then."),
]
WorkersOption = Annotated[
    int,
    typer.Option(
        "--workers",
        min=1,
        envvar="PARITY_WORKERS",
        show_default="one for each processor",
        help="Processes that share the work.",
    ),
]
PROCESSORS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Command(TyperCommand):
    """What may befall any command, a disk that is full or a cluster that is lost, is one line and exit code 3."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (ResultsError, OSError) as error:
            fail(str(error), code=3)


def write(file: Path, text: str) -> None:
    """Write what an option asked for, in a folder that need not be there yet."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")


def command(function: Callable[..., None]) -> TyperCommand:
    """Make a command of the function: its arguments by their annotations, its help by its docstring."""
    app = typer.Typer(add_completion=False)
    app.command(cls=Command)(function)
    return cast(TyperCommand, typer.main.get_command(app))


def frameworks_of(asked: list[str] | None) -> list[str]:
    """The frameworks that were asked for, by default all that are installed; tells which are not."""
    found = frameworks.available()
    for name in asked or []:
        if name not in frameworks.FRAMEWORKS:
            fail(f"no framework called {name!r}: {OR}")
        if name not in found:
            fail(f"{name} is not installed here")
    for name in frameworks.FRAMEWORKS:
        if name not in found:
            typer.echo(f"{name} is not installed: nothing is compared with it", err=True)
    return asked or found


def results_in(folder: Path | None) -> Results:
    """The store in the folder, by default that of the installed versions, with what it is written by."""
    store = Results(folder or default_folder())
    store.write_environment(environment())
    return store


def work(store: Results, named: str, calls: Sequence[Call], workers: int, title: str, **content: Any) -> Done:
    """Perform the calls of the command `named` in so many processes, under a bar of this title."""
    with Pool(workers) as pool, progress(title) as show:
        return perform(store, pool.run, named, calls, show, **content)


def or_fail(action: Callable[[], T], code: int = 3) -> T:
    """The result of `action`; its foreseen errors become one line and an exit code."""
    try:
        return action()
    except (FileExistsError, FileNotFoundError, LookupError, ValueError) as error:
        fail(str(error), code)


def fail(message: str, code: int = 2) -> NoReturn:
    """End the command with one line and this exit code."""
    typer.echo(f"parity: {message}", err=True)
    raise typer.Exit(code)
