"""`python -m benchmarks [NAME ...]`: measure, print tables, write JSON.

This process imports neither NumPy nor a framework: a child's peak memory starts at its parent's.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.commands import COMMANDS, QUICK
from benchmarks.sheets import PEERS, Found, Sheet, page, sheets
from benchmarks.timing import in_own_process

KEPT = Path(__file__).with_name("measured.json")
PAGE = Path(__file__).parents[1] / "docs" / "pages" / "benchmarks.md"


def step(quick: bool) -> Found:
    rounds = 10 if quick else 60
    return {
        f"{dtype}, threads {threads}": in_own_process("benchmarks.step", threads, dtype, rounds, threads=threads)
        for dtype in ("float32", "float64")
        for threads in (1, 2)
    }


def convolution(quick: bool) -> Found:
    rounds = 5 if quick else 30
    return {
        f"threads {threads}": in_own_process("benchmarks.convolution", "time", threads, rounds, threads=threads)
        for threads in (1, 2)
    } | {"megabytes": _peaks(quick, "benchmarks.convolution", "memory")}


def memory(quick: bool) -> Found:
    return _peaks(quick, "benchmarks.memory")


def _peaks(quick: bool, module: str, *arguments: str) -> Found:
    """The peak memory of each implementation in megabytes, the least of two measurements; of one, if `quick`.

    A peak is only ever raised by chance.
    """
    names = [name for name in PEERS if name == "numpynet" or importlib.util.find_spec(name)]
    return {
        name: min(in_own_process(module, *arguments, name, threads=2) for _ in range(1 if quick else 2))
        for name in names
    }


def commands(quick: bool) -> Found:
    return {name: in_own_process("benchmarks.commands", name) for name in (QUICK if quick else COMMANDS)}


def comparison(quick: bool) -> Found:
    models = ("transformer",) if quick else ("transformer", "ResNet-50, 64x64")
    return {name: in_own_process("benchmarks.comparison", name) for name in models}


def whole(name: str, quickly: tuple[int, ...], fully: tuple[int, ...]) -> Callable[[bool], Found]:
    """A benchmark that one process performs, with these arguments for a quick look, or for a measurement."""

    def measured(quick: bool) -> Found:
        found: Found = in_own_process(f"benchmarks.{name}", *(quickly if quick else fully))
        return found

    return measured


BENCHMARKS: dict[str, Callable[[bool], Found]] = {
    "step": step,
    "convolution": convolution,
    "layers": whole("layers", (3,), (15,)),
    "memory": memory,
    "ladder": whole("ladder", (20,), (100,)),
    "study": whole("study", (1, 2, 100), (2, 30, 1_000)),
    "commands": commands,
    "growth": whole("growth", (2,), (5,)),
    "leaks": whole("leaks", (1_000,), (10_000,)),
    "scheduling": whole("scheduling", (300, 2), (10_000, 2)),
    "comparison": comparison,
}


def drawn(sheet: Sheet) -> Table:
    """The sheet as a table of the terminal."""
    made = Table(title=sheet.title, title_justify="left")
    for index, column in enumerate(sheet.columns):
        made.add_column(column, justify="right" if index else "left", no_wrap=True)
    for row in sheet.rows:
        made.add_row(*row)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all when none is given")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: a look, not a measurement")
    parser.add_argument("--json", type=Path, help="write everything measured to this file")
    parser.add_argument(
        "--keep",
        action="store_true",
        help=f"keep what was measured in benchmarks/{KEPT.name}, beside what else is there, and write its page",
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - BENCHMARKS.keys():
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    if arguments.quick and arguments.keep:
        parser.error("a quick look is not kept")
    load = os.getloadavg()[0]
    found: Found = {"where": in_own_process("benchmarks.where"), "load": load}
    found |= {
        name: measure(arguments.quick)
        for name, measure in BENCHMARKS.items()
        if name in (arguments.names or BENCHMARKS)
    }
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2))
    console = Console(width=None if Console().is_terminal else 160)
    for sheet in sheets(found):
        console.print(drawn(sheet))
    if load > 0.5:
        print(
            f"Load was {load:.1f} at the start: on as many threads as cores, OpenBLAS waits for cores that others use."
        )
    if arguments.keep:
        kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
        # What was measured elsewhere, or by other packages, does not stand beside it.
        found = (kept if kept.get("where") == found["where"] else {}) | found
        KEPT.write_text(json.dumps(found, indent=1) + "\n")
        PAGE.write_text(page(found))
        print(f"wrote {KEPT} and {PAGE}")


if __name__ == "__main__":
    main()
