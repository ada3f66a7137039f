"""`parity release`."""

from __future__ import annotations

import itertools
import subprocess
from typing import Annotated

import typer

from parity.cli.command import command, fail, or_fail
from parity.releases.installing import said_last
from parity.releases.trying import perform, pinned, releases

BETWEEN = "--"


@command
def release(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="PACKAGE==VERSION... -- COMMAND...",
            help="The releases, and one or more of parity's commands with their options, with -- before each.",
            show_default=False,
        ),
    ],
    index: Annotated[str | None, typer.Option(help="Where pip finds them, such as torch's CPU wheels.")] = None,
) -> None:
    """Runs commands of parity with other releases of NumPy or a framework, beside everything else that is installed.

    They are installed without dependencies, into folders that go in front of what is installed and are removed
    afterwards: `parity release keras==3.9.2 -- fingerprint -- check`. Records go to a folder that is named after the
    versions. The exit code is the largest of the commands'; 3 if a release cannot be installed.
    """
    parts = [list(part) for same, part in itertools.groupby(words, BETWEEN.__eq__) if not same]
    pins = list(itertools.takewhile(lambda word: "==" in word, parts[0]))
    commands = [part for part in (parts[0][len(pins) :], *parts[1:]) if part]
    versions = or_fail(lambda: pinned(pins), code=2)
    if not versions or not commands:
        fail("name releases, and after -- what to run with them: parity release keras==3.9.2 -- fingerprint")
    try:
        with releases(versions, index) as variables:
            codes = perform(commands, variables)
    except subprocess.CalledProcessError as error:
        fail(f"{' '.join(pins)} cannot be installed: {said_last(error)}", code=3)
    raise typer.Exit(max(map(abs, codes)))
