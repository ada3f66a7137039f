"""`parity mutants`."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from typing import Annotated

import typer
from rich.table import Table

from parity.cli.command import (
    PROCESSORS,
    FrameworkOption,
    ResultsOption,
    WorkersOption,
    command,
    fail,
    frameworks_of,
    or_fail,
    results_in,
    work,
)
from parity.cli.terminal import console, print_crashes
from parity.items.mutants import KIND, calls
from parity.mutants import mutant
from parity.mutants.modules import Of, modules
from parity.mutants.reasons import reason_of
from parity.report.mutants import UNKNOWN, keep
from parity.results.records import Json
from parity.work.performing import Records, crashed, off

KILLERS = {Of.NUMPYNET: "the ladder", Of.JUDGEMENT: "its tests"}


@command
def mutants(
    of: Annotated[Of, typer.Option(help="numpynet, killed by the ladder; or parity's judgement, by its tests.")] = (
        Of.NUMPYNET
    ),
    number: Annotated[int | None, typer.Option("--sample", min=1, help="So many, drawn by the seed; else all.")] = None,
    seed: Annotated[int, typer.Option(help="Names the sample; the first n of a larger one are the same.")] = 0,
    module: Annotated[list[str] | None, typer.Option(help="Of these modules alone.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Look again at what survived and is not equivalent.")] = False,
    framework: FrameworkOption = None,
    results: ResultsOption = None,
    workers: WorkersOption = PROCESSORS,
    to_keep: Annotated[bool, typer.Option("--keep", help="Write it to the documentation's page of mutants.")] = False,
) -> None:
    """Small changes of numpynet's source, one at a time: the ladder must see them. Resumes where it was stopped.

    With `--of judgement` what is changed are the modules of parity that judge (rounding, ladder, statistics, study),
    and the tests of their rooms and of tests/meta must see it; these must pass without a change first.

    Exit code 1 if one survived, 3 if none did but something crashed.
    """
    frameworks = frameworks_of(framework)
    store = results_in(results)
    if to_keep and module:
        fail("of some modules alone nothing is kept")
    if unknown := [name for name in module or [] if name not in modules(of)]:
        fail(f"no module of {of.value} that has mutants is called {unknown[0]!r}: {', '.join(modules(of))}")
    drawn = mutant.sample(mutant.candidates(module or modules(of)), number, seed)
    asked = [one for one in drawn if one.counts]
    known = {
        record["key"]: record for record in store.read(KIND) if not crashed(record) and not (again and _open(record))
    }
    # What was looked at before an edit may have been another change of the same name.
    before = [record for one in asked if (record := known.get(one.key)) and record["diff"] == one.diff()]
    looked_at = {record["key"] for record in before}
    unseen = [one for one in asked if one.key not in looked_at]
    with ExitStack() as stack:
        waiting = or_fail(lambda: stack.enter_context(calls(of, unseen, frameworks)))
        done = work(store, "mutants", waiting, workers, "mutants", frameworks=frameworks, seed=seed)
    found = [*before, *done.of(KIND)]
    _print_mutants(found, len(drawn) - len(asked), KILLERS[of])
    if to_keep and not done.crashes:
        sampled = f" --sample {number} --seed {seed}" if number else ""
        for path in keep(of, store, found, len(drawn) - len(asked), f"--of {of.value}{sampled}"):
            typer.echo(f"wrote {path}")
    raise typer.Exit(1 if any(map(off, found)) else done.exit_code)


def _open(record: Json) -> bool:
    """Tells whether a mutant survived that is not known to be equivalent."""
    reason = reason_of(record["module"], record["diff"])
    return off(record) and not (reason and reason.equivalent)


def _print_mutants(records: Records, left_out: int, killer: str) -> None:
    looked_at = [record for record in records if not crashed(record)]
    table = Table("module", "mutants", "killed", "survived")
    outcomes = Counter((record["module"], record["passed"]) for record in looked_at)
    for name in sorted({module for module, _ in outcomes}):
        dead, alive = outcomes[name, True], outcomes[name, False]
        table.add_row(name, str(dead + alive), f"{dead / (dead + alive):.0%}", str(alive))
    console().print(table)
    for record in filter(off, looked_at):
        console().print(f"{record['module']}:{record['line']} {record['definition']}", highlight=False, markup=False)
        console().print("\n".join(f"    {line}" for line in record["diff"]), highlight=False, markup=False)
        reason = reason_of(record["module"], record["diff"])
        console().print(f"    {reason.reason if reason else UNKNOWN}", highlight=False, markup=False)
    dead = sum(not off(record) for record in looked_at)
    console().print(
        f"{killer} killed {dead} of {len(looked_at)} mutants; {left_out} more are no Python, or change an annotation"
    )
    print_crashes(records)
