"""`parity compare`."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from parity.cli.command import ResultsOption, command, fail, results_in, write
from parity.cli.models import named
from parity.cli.terminal import console, progress
from parity.comparison.comparing import EXAMPLES
from parity.comparison.comparing import compare as compare_models
from parity.comparison.model import Unfit
from parity.comparison.proposing import proposed
from parity.comparison.records import record_of
from parity.comparison.result import Comparison, describe
from parity.report.comparisons import comparison_page
from parity.results.planning import planned
from parity.results.records.comparisons import ComparisonRecord
from parity.results.store import plain

MORE = ("optimizers", "batches", "loss", "draws")  # which a file may define
PYTHON = ".py"


@command
def compare(
    file: Annotated[
        Path,
        typer.Argument(
            help="A Python file that defines `first` and `second`, the models, and `inputs`; or a recording.",
            show_default=False,
        ),
    ],
    other: Annotated[
        Path | None,
        typer.Argument(help="Beside a recording, the Python file that defines `second`.", show_default=False),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option("--weights", help="JSON as --print-weights prints it, in part or whole."),
    ] = None,
    print_weights: Annotated[
        bool,
        typer.Option("--print-weights", help="Print which array is taken for which, as JSON, and end."),
    ] = False,
    seed: Annotated[int, typer.Option(help="Draws the cotangents that gradients are compared under.")] = 0,
    every: Annotated[bool, typer.Option("--all", help="List every tensor, not only those outside.")] = False,
    examples: Annotated[int, typer.Option(min=1, help="Random inputs, where the file declares `draws`.")] = EXAMPLES,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page on what was found to this file.")] = None,
    to_json: Annotated[Path | None, typer.Option("--json", help="Write the record of it to this file.")] = None,
    results: ResultsOption = None,
) -> None:
    """Any two models: whether they compute the same and, if not, which layer is at fault and what it probably is.

    The weights of `first` are copied into `second`, once it is found out which is which; a dict `weights` in the file,
    or --weights, says it as far as it is known better. Where the file defines `optimizers`, their updates are compared
    too, and with `batches` and `loss` the losses of a training; `draws` declares random inputs, of which those on which
    the two differ are shrunk. A recording, which `parity record` makes, needs nothing that the recorded model is
    written in. With --results, what came out is recorded for `parity report`. Exit code 1 if they do not compute the
    same, 3 if they cannot be compared.
    """
    given, more, key = _given(file, other)
    if weights:
        given["weights"] = _mapping(weights)
    try:
        if print_weights:
            _print_weights(given)
            return
        with contextlib.ExitStack() as entered:
            store = results_in(results) if results else None
            if store is not None:
                entered.enter_context(planned(store, f"compare {key}", {ComparisonRecord.KIND: [key]}))
            began = time.perf_counter()
            show = entered.enter_context(progress("runs of the models"))
            found = compare_models(**given, seed=seed, show=show, examples=examples, **more)
            record = record_of(found, key, time.perf_counter() - began)
            if store is not None:
                store.append(record.KIND, key, record)
    except Unfit as error:
        fail(str(error), code=3)
    _print(found, every)
    typer.echo(describe(found))
    if to_json:
        write(to_json, json.dumps(plain(record), indent=1, allow_nan=False) + "\n")
    if html:
        write(html, comparison_page(plain(record)))
    raise typer.Exit(0 if found.passed else 1)


def _given(file: Path, other: Path | None) -> tuple[dict[str, Any], dict[str, Any], str]:
    """The arguments of the comparison, those that a file may define beside them, and what the comparison is called."""
    if file.suffix == PYTHON and other is not None:
        fail(f"{file} is compared with nothing beside it: two files are a recording, and a Python file", code=2)
    if file.suffix != PYTHON and other is None and file.is_file():
        fail(f"{file} is a recording, if it is anything: name the Python file that defines `second`, too", code=2)
    if other is None:
        found = named(file, {name: (name,) for name in ("first", "second")} | {"given": ("inputs", "draws")})
        given = {name: found.get(name) for name in ("first", "second", "inputs")}
    else:
        found = named(other, {"second": ("second", "model")})
        given = {"first": file, "second": found["second"]}
    given["weights"] = found.get("weights")
    return (
        given,
        {name: found[name] for name in MORE if name in found},
        " ".join(one.name for one in (file, other) if one),
    )


def _print_weights(given: Mapping[str, Any]) -> None:
    pairing = proposed(**given)
    typer.echo(json.dumps(pairing.matching.table(), indent=2, ensure_ascii=False))
    for note in pairing.notes:
        typer.echo(note, err=True)


def _mapping(file: Path) -> dict[str, str]:
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        fail(f"{file} holds no JSON: {error}", code=3)
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found.values()):
        fail(
            f"{file} has to hold one object, whose names are the first model's and whose values are the second's",
            code=3,
        )
    return found


def _print(found: Comparison, every: bool) -> None:
    table = Table("mode", "tensor", "used/allowed", "digits", "")
    for mode, tensors in found.judged.items():
        for tensor in tensors:
            if every or not tensor.held:
                mark = (
                    "[red]outside"
                    if not tensor.passed
                    else "[yellow]beyond the range: not judged"
                    if tensor.beyond
                    else "[green]within"
                    if tensor.known is None
                    else "[yellow]known"
                )
                table.add_row(mode, tensor.name, f"{tensor.share:.3g}", f"{tensor.digits:.1f}", mark)
    if table.row_count:
        console().print(table)
