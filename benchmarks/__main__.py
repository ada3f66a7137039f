"""`python -m benchmarks [step] [convolution] [memory] [ladder] [study]`: measure, print tables, write JSON.

This process imports neither NumPy nor a framework: a child's peak memory starts at its parent's.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.timing import Spread, in_own_process

Found = dict[str, Any]


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
    names = ["numpynet", *(name for name in ("torch", "tensorflow") if importlib.util.find_spec(name))]
    return {
        name: min(in_own_process(module, *arguments, name, threads=2) for _ in range(1 if quick else 2))
        for name in names
    }


def ladder(quick: bool) -> Found:
    found: Found = in_own_process("benchmarks.ladder", 20 if quick else 100)
    return found


def study(quick: bool) -> Found:
    found: Found = in_own_process("benchmarks.study", *((1, 2, 100) if quick else (2, 30, 1_000)))
    return found


PEERS = ("numpynet", "torch", "tensorflow")
BENCHMARKS = {"step": step, "convolution": convolution, "memory": memory, "ladder": ladder, "study": study}


def requirements(found: Found) -> list[tuple[str, float, float]]:
    """The rows of the requirements: what was measured, the figure, and the most that it may be."""
    rows: list[tuple[str, float, float]] = []
    for setting, figures in found.get("step", {}).items():
        for pair, ratio in figures["ratios"].items():
            limit = 0.6 if figures["dtype"] == "float32" else 1.0
            rows.append((f"step, {setting}: {pair}", ratio["median"], limit))
    images = dict(found.get("convolution", {}))
    peaks = {"peak memory": (found.get("memory", {}), 1.0), "convolution, memory": (images.pop("megabytes", {}), 3.0)}
    rows += [
        (f"convolution, {setting}: numpynet / torch", figures["ratios"]["numpynet / torch"]["median"], 2.0)
        for setting, figures in images.items()
    ]
    rows += [
        (f"{what}: numpynet / {peer}", megabytes["numpynet"] / value, limit)
        for what, (megabytes, limit) in peaks.items()
        for peer, value in megabytes.items()
        if peer != "numpynet"
    ]
    if "ladder" in found:
        rows.append(("ladder: wall time / time inside implementations", found["ladder"]["total"]["ratio"], 2.0))
    if "study" in found:
        speed_up = found["study"]["speed-up"]["ratio"]["median"]
        rows.append(("study: time on two processes / on one", speed_up, 1 / 1.8))
    return rows


def table(title: str, *columns: str) -> Table:
    made = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        made.add_column(column, justify="right" if index else "left", no_wrap=True)
    return made


def _spread(values: Spread, form: str) -> str:
    return f"{values['median']:{form}} ({values['min']:{form}} to {values['max']:{form}})"


def _show_steps(title: str, settings: Found, console: Console) -> None:
    times = table(f"{title}, microseconds: median (min to max)", "", *settings)
    for name in next(iter(settings.values()))["microseconds"]:
        times.add_row(name, *(_spread(figures["microseconds"][name], ".0f") for figures in settings.values()))
    rates = table(f"{title}, ratios within a round: median (min to max)", "", *settings)
    for pair in next(iter(settings.values()))["ratios"]:
        rates.add_row(pair, *(_spread(figures["ratios"][pair], ".2f") for figures in settings.values()))
    console.print(times, rates)


def show(found: Found, console: Console) -> None:
    images = dict(found.get("convolution", {}))
    peaks = {"Fashion-MNIST, one epoch": found.get("memory"), "convolution, 20 steps": images.pop("megabytes", None)}
    for title, settings in (("One training step", found.get("step")), ("One step of convolutions", images)):
        if settings:
            _show_steps(title, settings, console)
    if any(peaks.values()):
        rows = table("Peak memory, MB", "", *PEERS)
        for what, megabytes in peaks.items():
            if megabytes:
                rows.add_row(what, *(f"{megabytes[name]:.0f}" if name in megabytes else "" for name in PEERS))
        console.print(rows)
    if "ladder" in found:
        costs = table("Rungs 1 to 3, seconds", "pair", "examples", "wall", "inside", "ratio")
        for key, cost in [*found["ladder"]["pairs"].items(), ("total", found["ladder"]["total"])]:
            costs.add_row(key, f"{cost['examples']}", *(f"{cost[name]:.2f}" for name in ("wall", "inside", "ratio")))
        console.print(costs, f"{found['ladder']['examples_per_second']:.0f} examples per second")
    if "study" in found:
        runs, tiny = found["study"]["speed-up"], found["study"]["overhead"]
        times = table(f"{runs['runs']} runs of the study of digits, seconds: median (min to max)", "workers", "")
        for workers, values in runs["seconds"].items():
            times.add_row(workers, _spread(values, ".0f"))
        beyond = table(f"{tiny['runs']} tiny runs, milliseconds each", "", "")
        for name, value in {"the run itself": tiny["itself"], **tiny["beyond"]}.items():
            beyond.add_row(name, f"{value:.1f}")
        console.print(times, beyond)
    summary = table("Requirements", "", "measured", "at most", "")
    for what, measured, limit in requirements(found):
        summary.add_row(what, f"{measured:.2f}", f"{limit:.2f}", "holds" if measured <= limit else "MISSED")
    console.print(summary)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all when none is given")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: a look, not a measurement")
    parser.add_argument("--json", type=Path, help="write everything measured to this file")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - BENCHMARKS.keys():
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    load = os.getloadavg()[0]
    found = {
        name: measure(arguments.quick)
        for name, measure in BENCHMARKS.items()
        if name in (arguments.names or BENCHMARKS)
    }
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2))
    show(found, Console(width=None if Console().is_terminal else 160))
    if load > 0.5:
        print(
            f"Load was {load:.1f} at the start: on as many threads as cores, OpenBLAS waits for cores that others use."
        )


if __name__ == "__main__":
    main()
