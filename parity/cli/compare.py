"""`parity compare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from parity.cli.command import command, fail
from parity.cli.terminal import console, progress
from parity.comparison.comparing import compare as compare_models
from parity.comparison.model import Unfit
from parity.comparison.result import Comparison, describe
from parity.ladder.proving import load

NAMES = ("first", "second", "inputs")
MORE = ("optimizers", "batches", "loss")  # which a file may define


@command
def compare(
    file: Annotated[
        Path, typer.Argument(help="A Python file that defines `first` and `second`, the models, and `inputs`.")
    ],
    weights: Annotated[
        Path | None,
        typer.Option("--weights", help="JSON: names of the first's arrays and of the second's that hold the same."),
    ] = None,
    keep_weights: Annotated[
        Path | None, typer.Option("--keep-weights", help="Write which array was taken for which to this file.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Draws the cotangents that gradients are compared under.")] = 0,
    every: Annotated[bool, typer.Option("--all", help="List every tensor, not only those outside.")] = False,
) -> None:
    """Any two models: whether they compute the same and, if not, which layer is at fault and what it probably is.

    The weights of `first` are copied into `second`, once it is found out which is which; a dict `weights` in the file,
    or --weights, says it as far as it is known better. Where the file defines `optimizers`, their updates are compared
    too, and with `batches` and `loss` the losses of a training. Exit code 1 if they do not compute the same, 3 if they
    cannot be compared.
    """
    named = _named(file)
    given = _mapping(weights) if weights else named.get("weights") or {}
    try:
        with progress("runs under rounding errors") as show:
            more = {name: named[name] for name in MORE if name in named}
            found = compare_models(*(named[name] for name in NAMES), weights=given, seed=seed, show=show, **more)
    except Unfit as error:
        fail(str(error), code=3)
    _print(found, every)
    typer.echo(describe(found))
    if keep_weights:
        keep_weights.write_text(json.dumps(found.weights, indent=2) + "\n", "utf-8")
    raise typer.Exit(0 if found.passed else 1)


def _named(file: Path) -> dict[str, Any]:
    try:
        named = vars(load(file))
    except FileNotFoundError as error:
        fail(str(error), code=3)
    except Exception as error:
        fail(f"{file} cannot be imported: {type(error).__name__}: {error}", code=3)
    if missing := [name for name in NAMES if name not in named]:
        fail(f"{file} defines no {', no '.join(missing)}: it has to define `first`, `second` and `inputs`", code=3)
    return named


def _mapping(file: Path) -> dict[str, str]:
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        fail(f"{file} holds no JSON: {error}", code=3)
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found.values()):
        fail(
            f"{file} has to hold one object, whose names are the first model's and whose values are the second's",
            code=3,
        )
    return found


def _print(found: Comparison, every: bool) -> None:
    table = Table("mode", "tensor", "used/allowed", "digits", "")
    for mode, tensors in found.judged.items():
        for tensor in tensors:
            if every or not tensor.passed:
                mark = (
                    "[red]outside"
                    if not tensor.passed
                    else "[green]within"
                    if tensor.known is None
                    else "[yellow]known"
                )
                table.add_row(mode, tensor.name, f"{tensor.share:.3g}", f"{tensor.digits:.1f}", mark)
    if table.row_count:
        console().print(table)
