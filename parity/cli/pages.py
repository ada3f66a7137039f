"""`parity pages`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parity.cli.command import command, fail, or_fail
from parity.report.pages import write_pages
from parity.results.store import Results, default_folder


@command
def pages(
    folder: Annotated[Path, typer.Argument(help="Where they are written.")] = Path("docs/pages"),
    results: Annotated[
        Path | None, typer.Option(help="The results folder of one stack; default: that of the installed versions.")
    ] = None,
) -> None:
    """Writes the documentation's pages of measured things: known differences, planted defects, experiments.

    A kind of which there are no records leaves its page as it is.
    """
    written = or_fail(lambda: write_pages(Results(results or default_folder()), folder))
    if not written:
        fail(
            f"no records to write pages of in {results or default_folder()}: run `parity check`, `parity defects` first"
        )
    for path in written:
        typer.echo(f"wrote {path}")
