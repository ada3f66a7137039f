"""`parity register`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parity.cli.command import PROCESSORS, WorkersOption, command, fail, or_fail
from parity.cli.terminal import progress
from parity.study import registering
from parity.study.own import find
from parity.study.registration import registered


@command
def register(
    experiment: Annotated[
        str, typer.Argument(help="What is trained: FILE.py:VARIABLE, a parity.training.experiment.Experiment.")
    ],
    name: Annotated[str | None, typer.Option(help="The study's name; default: the variable's.")] = None,
    seeds: Annotated[int, typer.Option(min=8, help="How many seeds the study will have; more show more.")] = 24,
    workers: WorkersOption = PROCESSORS,
) -> None:
    """Registers a study of one's own: trains numpynet from 30 seeds for the margin, and writes two .toml files here.

    Then `parity study NAME.toml` conducts it.
    """
    chosen = name or experiment.rpartition(":")[2].lower().replace("_", "-")
    if chosen in registered():
        fail(f"{chosen} is a study of parity's own: choose another --name")
    with progress(f"reference set of {chosen}") as show:
        written = or_fail(
            lambda: registering.register(
                chosen, experiment, find(experiment, Path()), Path(), seeds=seeds, workers=workers, progress=show
            ),
            code=2,
        )
    for path in written:
        typer.echo(f"wrote {path}")
