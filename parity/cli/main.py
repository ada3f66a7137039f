"""The list of commands. Each is a module, imported when it is asked for, so that `parity --help` answers at once."""

from __future__ import annotations

import importlib
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from parity.starting import lighten

# The first paragraph of the help of each, in the order in which they are listed.
COMMANDS = {
    "list": "The pairs, and the versions of the implementations found here.",
    "run": "Runs several commands one after another, whatever those before came to, and writes down first which.",
    "check": "Rungs 1 to 3: outputs, gradients and update steps, on random examples, judged by derived allowances.",
    "compare": "Any two models: whether they compute the same and, if not, which layer is at fault and what it "
    "probably is.",
    "record": "Records what a model computes and what rounding allows it, so that `parity compare` can compare it "
    "elsewhere.",
    "examples": "Digests of the examples that `parity check` draws: equal ones mean the same examples, here and "
    "elsewhere.",
    "soak": "How often a right implementation is called wrong: every pair with fresh seeds. Resumes where it was "
    "stopped.",
    "curves": "Rung 4: training-loss curves from the same weights, judged by the measured one-ulp envelope.",
    "soak-curves": "Rung 4's budget: how far right implementations stray, on emulated machines in turn. Resumes where "
    "it was stopped.",
    "modes": "The ways of writing and running the same model: each framework's agree, and agree with numpynet.",
    "study": "Rung 5: final accuracies over seeds, by a pre-registered equivalence test. Resumes where it was stopped.",
    "register": "Registers a study of one's own: trains numpynet from 30 seeds for the margin, and writes two .toml "
    "files here.",
    "calibrate": "How often each procedure of rung 5 is wrong, by simulation. Exit code 1 if one errs more than it "
    "may.",
    "defects": "Plants defects, one at a time, and shows which rung catches each.",
    "twins": "Undamaged twins of the planted defects: the ladder must catch none; the baseline's false alarms are "
    "counted.",
    "mutants": "Small changes of numpynet's source, one at a time: the ladder must see them. Resumes where it was "
    "stopped.",
    "thresholds": "How small an error of a framework is seen, class by class. Resumes where it was stopped.",
    "fingerprint": "Keeps what a stack computes, to the bit, and the signatures it has, for `parity drift`. Resumes.",
    "release": "Runs commands of parity with other releases of NumPy or a framework, beside everything else that is "
    "installed.",
    "machines": "Check, modes, curves and twins on other processors, emulated by the switches of the libraries' "
    "kernels.",
    "report": "Writes report.html, report.md, report.json and junit.xml from one or many stacks' results.",
    "drift": "May we upgrade, and what changed? Compares stacks step by step, and writes drift.html, drift.md and "
    "drift.json.",
    "stacks": "The stacks that there are, locks and files of one's own, with the results that each has.",
    "pages": "Writes the documentation's pages of measured things: known differences, planted defects, experiments.",
    "experiment": "Runs one of the source course's experiments, or `all`, on all implementations. Resumes where it was "
    "stopped.",
    "boundaries": "Between which two releases each refusal and difference with a version condition changes: releases "
    "are installed into folders of their own, one after another, and removed again.",
}


class Commands(TyperGroup):
    """The commands, of which only the one that is run is imported; the others are a name and a line of help."""

    def __init__(self, **settings: Any) -> None:
        settings["commands"] = {name: TyperCommand(name, help=about) for name, about in COMMANDS.items()}
        super().__init__(**settings)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, listed, rest = super().resolve_command(ctx, args)
        return name, load(name) if name else listed, rest


def load(name: str) -> TyperCommand:
    """The command of this name, which its module defines under the module's own name."""
    home = "inventory" if name == "list" else name.replace("-", "_")  # Python calls something else a list
    found: TyperCommand = getattr(importlib.import_module(f"parity.cli.{home}"), home)
    return found


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.callback(cls=Commands, no_args_is_help=True)
def parity() -> None:
    """Shows that numpynet, PyTorch and TensorFlow compute the same thing, and by how much they may not."""
    lighten()
