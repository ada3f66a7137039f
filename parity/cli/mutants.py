"""`parity mutants`."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer
from rich.table import Table

from parity.cli.command import FrameworkOption, ResultsOption, WorkersOption, command, frameworks_of, results_in, work
from parity.cli.terminal import console, print_crashes
from parity.items.mutants import KIND, calls
from parity.mutants import mutant
from parity.work.performing import Records, crashed, off


@command
def mutants(
    number: Annotated[int | None, typer.Option("--sample", min=1, help="So many, drawn by the seed; else all.")] = None,
    seed: Annotated[int, typer.Option(help="Names the sample; the first n of a larger one are the same.")] = 0,
    module: Annotated[list[str] | None, typer.Option(help="Of these modules of numpynet alone.")] = None,
    framework: FrameworkOption = None,
    results: ResultsOption = None,
    workers: WorkersOption = 1,
) -> None:
    """Small changes of numpynet's source, one at a time: the ladder must see them. Resumes where it was stopped.

    Exit code 1 if one survived, 3 if none did but something crashed.
    """
    frameworks = frameworks_of(framework)
    store = results_in(results)
    drawn = mutant.sample(mutant.candidates(module or mutant.modules()), number, seed)
    asked = [one for one in drawn if one.counts]
    before = {record["key"]: record for record in store.read(KIND) if not crashed(record)}
    waiting = calls([one for one in asked if one.key not in before], frameworks)
    done = work(store, "mutants", waiting, workers, "mutants", frameworks=frameworks, seed=seed)
    found = [*done.of(KIND), *(before[one.key] for one in asked if one.key in before)]
    _print_mutants(found, len(drawn) - len(asked))
    raise typer.Exit(1 if any(map(off, found)) else done.exit_code)


def _print_mutants(records: Records, left_out: int) -> None:
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
    dead = sum(not off(record) for record in looked_at)
    console().print(
        f"the ladder killed {dead} of {len(looked_at)} mutants; {left_out} more are no Python, or change an annotation"
    )
    print_crashes(records)
