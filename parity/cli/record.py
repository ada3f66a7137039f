"""`parity record`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from parity.cli.command import command, fail
from parity.cli.models import named
from parity.cli.terminal import progress
from parity.comparison.model import Unfit
from parity.comparison.recorder import record as record_model


@command
def record(
    file: Annotated[
        Path, typer.Argument(help="A Python file that defines `model` (or `first`) and `inputs`.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--output", "-o", help="The recording that is written.")] = Path(
        "reference.parity"
    ),
    seed: Annotated[int, typer.Option(help="Draws the cotangents that gradients are compared under.")] = 0,
    beside: Annotated[
        str, typer.Option("--beside", help="The framework that it will be compared with: torch, keras or numpynet.")
    ] = "keras",
    thorough: Annotated[
        bool,
        typer.Option("--thorough", help="Look at the allowances twice, which takes six times as long."),
    ] = False,
) -> None:
    """Records what a model computes and what rounding allows it, so that `parity compare` can compare it elsewhere.

    The recording holds inputs, weights, and every layer's values and gradients in both modes, as plain arrays: it is
    never executed, and comparing it needs nothing that the model is written in. Where the file defines `optimizer`,
    `loss` and `batches`, the losses of a training are recorded for `parity drift`; of two, as `parity compare` takes
    them, the first is meant. Exit code 3 if it cannot be recorded.
    """
    found = named(file, {"model": ("model", "first"), "inputs": ("inputs",)})
    try:
        with progress("runs of the model") as show:
            told = record_model(
                found["model"],
                found["inputs"],
                out,
                seed=seed,
                beside=beside,
                thorough=thorough,
                show=show,
                **_training(found),
            )
    except Unfit as error:
        fail(str(error), code=3)
    for line in told:
        typer.echo(line)
    typer.echo(f"{out}: {out.stat().st_size / 1e6:.1f} MB. Compare it by `parity compare {out} FILE.py`")


def _training(found: Mapping[str, Any]) -> dict[str, Any]:
    """What the file defines of a training; nothing where it has no batches."""
    if "batches" not in found:
        return {}

    def first(of: Any) -> Any:
        return of[0] if isinstance(of, tuple | list) else of

    given = {"optimizer": ("optimizer", "optimizers"), "loss": ("loss",), "batches": ("batches",)}
    known = {name: found[one] for name, others in given.items() for one in others if one in found}
    return {name: value if name == "batches" else first(value) for name, value in known.items()}
