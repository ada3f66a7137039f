"""`parity report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parity.cli.command import command, fail, or_fail
from parity.cli.terminal import console
from parity.report import Summary, write_report


@command
def report(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="results/<stack> folders; default: all in results/.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the four files go.")] = Path("results/report"),
) -> None:
    """Writes report.html, report.md, report.json and junit.xml from one or many stacks' results.

    Exit code 0: held, or partial (nothing is off; data or a framework that is not here, and what that kept from being
    looked at, is named); 1: something differs; 2: a study is inconclusive; 3: invalid (a control failed), or incomplete
    (of what was planned something is missing, crashed or was killed, or nobody wrote down what was planned).
    """
    chosen = folders or sorted(path.parent for path in Path("results").glob("*/environment.json"))
    if not chosen:
        fail(
            "no results to report: run `parity check`, `parity curves` and `parity study` first, or name their folders"
        )
    summary = or_fail(lambda: write_report(chosen, out))
    _print_summary(summary)
    console().print(f"wrote {out}/report.html, report.md, report.json, junit.xml")
    raise typer.Exit(summary.exit_code)


def _print_summary(summary: Summary) -> None:
    """Print the headline, everything that is off by kind, what is missing, and what was left out, each cause once."""
    document = summary.document
    console().print(f"[bold]{summary.headline}[/bold]", soft_wrap=True)
    for title, sentences in (("missing", document["missing"]), ("left out", document["not_compared"])):
        for sentence in sentences:
            console().print(f"{title}: {sentence}", soft_wrap=True, markup=False)
    for group in document["reds"]:
        console().print(f"[red]{group['kind']}[/]: {len(group['found'])}")
        for red in group["found"]:
            console().print(f"  {red['key']} ({red['stack']}): {red['why']}", soft_wrap=True, markup=False)
