"""`parity boundaries`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parity.boundaries import measuring
from parity.cli.command import command, fail
from parity.cli.terminal import console, progress
from parity.frameworks import FRAMEWORKS, framework

PACKAGES = [package for name in FRAMEWORKS for package in framework(name).distributions]


@command
def boundaries(
    packages: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(PACKAGES)}; default: all.")] = None,
    release: Annotated[list[str] | None, typer.Option(help="Measure these releases, and search no others.")] = None,
    folder: Annotated[Path, typer.Option(help="Records, one for each release; resumes.")] = Path("results/boundaries"),
    index: Annotated[str | None, typer.Option(help="Where pip finds the releases, such as torch's CPU wheels.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Make parity/results/measured.json of all records.")] = False,
    add: Annotated[bool, typer.Option("--add", help="Write, and keep what is known of other releases.")] = False,
) -> None:
    """Between which two releases each refusal and difference with a version condition changes: releases are installed
    into folders of their own, one after another, and removed again.
    """
    for package in packages or PACKAGES:
        if package not in PACKAGES:
            fail(f"no package called {package!r}: {', '.join(PACKAGES)}")
        with progress(f"releases of {package}") as show:
            measuring.run(package, folder, index, release, show)
    for change in measuring.changes(folder):
        console().print(change)
    if write or add:
        measuring.write(folder, add=add)
