"""`parity stacks`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from parity.cli.command import command, or_fail
from parity.cli.terminal import console
from parity.drift.listing import Found, listed
from parity.releases.installing import PACKAGES


@command
def stacks(
    own: Annotated[list[Path] | None, typer.Argument(help="Files of requirements of your own, beside ours.")] = None,
    results: Annotated[
        list[Path] | None, typer.Option(help="Where results lie, once for each; default: results.")
    ] = None,
) -> None:
    """The stacks that there are, locks and files of one's own, with the results that each has.

    Results are a stack's where what computes, and Python, are of its versions. What `parity drift` still needs of them
    is said with the command that makes it.
    """
    found = or_fail(lambda: listed(own or [], results or [Path("results")]))
    table = Table("stack", "Python", *PACKAGES, Column("results", overflow="fold"))
    for each in found:
        versions = (each.packages.get(package, "–") for package in PACKAGES)
        told = "\n".join(map(_told, each.results)) or "none"
        table.add_row(each.name, each.python or "any", *versions, told)
    console().print(table)


def _told(found: Found) -> str:
    commands = dict.fromkeys(found.lacks.values())
    return f"{found.folder}" + (f", lacks {', '.join(commands)}" if commands else ", complete")
