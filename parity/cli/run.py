"""`parity run`."""

from __future__ import annotations

import shlex
import time
import traceback
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from parity.cli.command import ResultsOption, command, fail, results_in
from parity.cli.main import COMMANDS, load
from parity.cli.terminal import console
from parity.results import planning
from parity.work.pool import kept

# Commands that write down a plan, which a report misses where they never began.
PLANNED = (
    "check",
    "fingerprint",
    "curves",
    "modes",
    "defects",
    "twins",
    "machines",
    "soak",
    "study",
    "experiment",
    "calibrate",
)
OF_ONE = ("study", "experiment")  # which are about one thing, by its name or by its file
CRASHED = 3  # the exit code of a command that an exception ended


class Step(NamedTuple):
    """One of the commands to run: its words, and what they mean to it."""

    words: list[str]
    context: Any

    @property
    def plan(self) -> str:
        """The name under which the command will plan its work: its own and what it is asked for, as it has them."""
        name, params = self.words[0], self.context.command.params
        asked = [self.context.params[each.name] for each in params if each.param_type_name == "argument"]
        if name in OF_ONE:
            return f"{name}:{Path(asked[0]).stem}"
        return " ".join([name, *(str(one) for given in asked for one in given or ())])

    @property
    def said(self) -> str:
        return f"parity {shlex.join(self.words)}"

    def exit_code(self) -> int:
        """Run the command; returns what it ends with. What it raises is told."""
        try:
            with self.context:
                self.context.command.invoke(self.context)
        except typer.Exit as end:
            return int(end.exit_code)
        except Exception:
            traceback.print_exc()
            return CRASHED
        return 0


@command
def run(
    commands: Annotated[list[str], typer.Argument(help='Each quoted with its options: "check --examples 20" "report"')],
    quick: Annotated[
        bool, typer.Option("--quick", help="The job is the quick profile, and its report says so.")
    ] = False,
    results: ResultsOption = None,
) -> None:
    """Runs several commands one after another, whatever those before came to, and writes down first which.

    So the report misses what never started. Their processes are shared, each of which imports a framework once. Exit
    code 0 if every command has it, else 1 if one has that, else the largest of theirs.
    """
    steps = [step(text, results) for text in commands]
    planning.begin(results_in(results), [each.plan for each in steps if each.words[0] in PLANNED], quick)
    codes, took = [], []
    with kept():
        for each in steps:
            console().rule(each.said, align="left")
            began = time.monotonic()
            codes.append(each.exit_code())
            took.append(f"{each.plan} {time.monotonic() - began:.0f} s")
    console().print(", ".join(took), soft_wrap=True)
    if failed := [each.said for each, code in zip(steps, codes, strict=True) if code]:
        console().print(f"[red]not shown: {', '.join(failed)}", soft_wrap=True)
    raise typer.Exit(1 if 1 in codes else max(codes))


def step(text: str, results: Path | None) -> Step:
    """The command that is written so; what is misspelt is told, and with which command, before anything begins."""
    words = shlex.split(text)
    name = words[0] if words else ""
    if name not in COMMANDS or name == "run":
        fail(f"no command called {name!r} that can be run: `parity --help` lists them")
    context = load(name).make_context(f"parity {name}", words[1:])
    takes_it = any(each.name == "results" and not each.multiple for each in context.command.params)
    if takes_it and context.params["results"] is None:
        context.params["results"] = results
    return Step(words, context)
