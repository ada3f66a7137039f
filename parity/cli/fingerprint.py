"""`parity fingerprint`."""

from __future__ import annotations

from typing import Annotated

import typer

from parity.cli.command import (
    PROCESSORS,
    FrameworkOption,
    ResultsOption,
    WorkersOption,
    command,
    fail,
    frameworks_of,
    results_in,
    work,
)
from parity.cli.terminal import console, print_crashes
from parity.drift import draws, signatures
from parity.drift import fingerprint as tensors
from parity.drift.fingerprint import EXAMPLES
from parity.formats import DTYPES
from parity.items.classes import ClassName, names
from parity.work.performing import crashed


@command
def fingerprint(
    pair: Annotated[list[str] | None, typer.Option(help="Of these classes alone, once for each.")] = None,
    examples: Annotated[int, typer.Option(min=1, help="Of each class and dtype, the first that are drawn.")] = EXAMPLES,
    seed: Annotated[int, typer.Option(help="Names the examples.")] = 0,
    framework: FrameworkOption = None,
    results: ResultsOption = None,
    workers: WorkersOption = PROCESSORS,
) -> None:
    """Keeps what a stack computes, to the bit, and the signatures it has, for `parity drift`. Resumes.

    Every tensor of the first examples of each class, with its error against the wider format and the share of its
    allowance; what each initializer draws; the parameters and defaults of all that parity names in a framework; what
    warns of being deprecated.
    Exit code 3 if something crashed.
    """
    store, frameworks = results_in(results), frameworks_of(framework)
    if unknown := set(pair or ()) - set(names()):
        fail(f"no pair for {', '.join(sorted(unknown))}; there are: {', '.join(sorted(names()))}")
    here = {record["key"] for record in store.read(tensors.KIND) if tensors.counts(record, frameworks, examples, seed)}
    classes = [ClassName(name) for name in sorted(pair or names())]
    calls = tensors.calls(classes, DTYPES, frameworks, examples, seed)
    waiting = [call for call in calls if call.about.key not in here]
    asked = [*waiting, *signatures.calls(frameworks), *draws.calls(frameworks)]  # these take a second
    done = work(store, "fingerprint", asked, workers, "tensors", frameworks=frameworks, examples=examples, seed=seed)
    read = sum(not crashed(record) for record in done.of(signatures.KIND))
    console().print(
        f"tensors of {len(waiting)} classes and dtypes were measured, those of {len(calls) - len(waiting)} were there; "
        f"{read} signatures"
    )
    for kind in (tensors.KIND, signatures.KIND):
        print_crashes(done.of(kind))
    raise typer.Exit(done.exit_code)
