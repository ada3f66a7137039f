"""`parity drift`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parity.cli.command import command, fail
from parity.cli.terminal import console
from parity.comparison.model import Unfit
from parity.drift import models
from parity.drift.between import bisected
from parity.drift.comparing import drift as compared
from parity.drift.document import Drift
from parity.report.drift import write_drift
from parity.report.drifts import keep


@command
def drift(
    folders: Annotated[
        list[Path],
        typer.Argument(help="results/<stack> folders, the oldest first; or two folders of recordings of your models."),
    ],
    floor: Annotated[
        list[Path] | None,
        typer.Option(help="Results of one of these stacks on other threads or another processor, once for each."),
    ] = None,
    bisect: Annotated[
        bool,
        typer.Option("--bisect", help="Measure releases between, where one package changed: which brought what?"),
    ] = False,
    index: Annotated[str | None, typer.Option(help="Where pip finds releases, such as torch's CPU wheels.")] = None,
    to_keep: Annotated[bool, typer.Option("--keep", help="Write it to the documentation's page of drift.")] = False,
    out: Annotated[Path, typer.Option(help="Where the three files go.")] = Path("results/drift"),
) -> None:
    """May we upgrade, and what changed? Compares stacks step by step, and writes drift.html, drift.md and drift.json.

    Behaviour first, then numbers, then training, then what is missing. Exit code 0: safe; 1: something behaves
    otherwise; 2: numbers leave their allowance, or accuracies are not shown to be equivalent; 3: evidence is missing.
    """
    if any(map(models.holds, folders)):
        found = _of_models(folders, bool(floor or bisect))
    else:
        found = compared(folders, floor or [])
    if bisect:
        found = bisected(found, folders, out / "releases", index)
    write_drift(found, out)
    for step in found.steps:
        console().print(step.sentence, soft_wrap=True, markup=False)
        for lacking in step.missing:
            keys = f" ({len(lacking.keys)})" if lacking.keys else ""
            console().print(f"missing, {lacking.what}: {lacking.why}{keys}", soft_wrap=True, markup=False)
    console().print(f"wrote {out}/drift.html, drift.md, drift.json")
    for path in keep(found.steps) if to_keep else ():
        console().print(f"wrote {path}")
    raise typer.Exit(found.exit_code)


def _of_models(folders: list[Path], more: bool) -> Drift:
    if len(folders) != 2 or more:
        fail("recordings of models are compared two folders at a time, without a floor, and without releases between")
    try:
        return models.drift(*folders)
    except Unfit as error:
        fail(str(error), code=3)
