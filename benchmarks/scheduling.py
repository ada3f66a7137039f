"""What a study of very many short runs costs on a Dask cluster, and where more workers stop to help.

A scheduler, and workers of one thread, are processes of this machine; the client is this one. What each of them
computes for a run is told by the processor seconds that it used. From these the simulation derives how long a study of
a million runs takes on a cluster of any size: every run passes through the client, and through the scheduler, one after
another.

    python -m benchmarks.scheduling RUNS WORKERS
"""

from __future__ import annotations

import heapq
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from benchmarks.study import TINY
from parity.results.store import Results
from parity.study import cluster, conduct, load
from parity.study.runs import AT_ONCE

PATIENCE = 60  # seconds for a process to say where it is
MILLION, LENGTHS = 1_000_000, (1.0, 10.0, 100.0)  # runs, and the seconds that one takes
WORKERS = tuple(4**power for power in range(8))  # of a simulated cluster, at most 16,384


@contextmanager
def started(*command: str) -> Iterator[psutil.Process]:
    process = subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def address(file: Path) -> str:
    """The scheduler's address, from the file that it writes."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if file.exists() and (text := file.read_text()).strip():
            return str(json.loads(text)["address"])
        time.sleep(0.1)
    raise TimeoutError("no Dask scheduler came up")


def seconds_of(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def measure(runs: int, workers: int) -> dict[str, Any]:
    """The seconds of a study of so many runs that take next to no time, and the processor's by process, a run."""
    registration = replace(load("digits"), name="tiny", seeds=runs, arms=(), training={})
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        file = Path(folder, "scheduler.json")
        options = ("--no-dashboard", "--scheduler-file", str(file))
        scheduler = stack.enter_context(started("distributed.cli.dask_scheduler", "--port", "0", *options))
        there = address(file)
        crew = [
            stack.enter_context(started("distributed.cli.dask_worker", there, "--nthreads", "1", "--no-dashboard"))
            for _ in range(workers)
        ]
        with cluster(there) as executor:
            list(executor.map(abs, range(100)))  # until the workers are there, and warm
            processes = {"client": [psutil.Process()], "scheduler": [scheduler], "workers": _families(crew)}
            before = {name: sum(map(seconds_of, each)) for name, each in processes.items()}
            start = time.perf_counter()
            conduct(registration, TINY, Results(Path(folder, "results")), frameworks=[], executor=executor)
            wall = time.perf_counter() - start
            used = {name: sum(map(seconds_of, each)) - before[name] for name, each in processes.items()}
    each = {name: seconds / runs for name, seconds in used.items()}
    return {
        "runs": runs,
        "workers": workers,
        "seconds": wall,
        "milliseconds a run": {name: 1e3 * seconds for name, seconds in each.items()},
        "million": {
            f"{length:g}": {str(number): simulated(MILLION, number, length, each) for number in WORKERS}
            for length in LENGTHS
        },
    }


def _families(crew: list[psutil.Process]) -> list[psutil.Process]:
    """The workers with the processes that they have started: Dask's nannies start those that compute."""
    return [process for worker in crew for process in (worker, *worker.children(recursive=True))]


def simulated(runs: int, workers: int, length: float, each: dict[str, float]) -> float:
    """The hours of so many runs of `length` seconds on `workers`; `each` has what client and scheduler need for a run.

    The client gives out AT_ONCE runs, and another for each whose result it has stored. It and the scheduler take one
    run at a time, and need half of their seconds on the way out, half on the way back.
    """
    client = scheduler = 0.0  # when each is free again
    free = [0.0] * workers  # when each worker is
    ending: list[float] = []  # when the runs that are under way end on their worker
    given = ended = 0
    while ended < runs:
        if given < runs and given - ended < AT_ONCE and (not ending or client <= ending[0]):
            client += each["client"] / 2
            scheduler = max(scheduler, client) + each["scheduler"] / 2
            end = max(heapq.heappop(free), scheduler) + length + each["workers"]
            heapq.heappush(free, end)
            heapq.heappush(ending, end)
            given += 1
            continue
        scheduler = max(scheduler, heapq.heappop(ending)) + each["scheduler"] / 2
        client = max(client, scheduler) + each["client"] / 2
        ended += 1
    return client / 3600


if __name__ == "__main__":
    print(json.dumps(measure(*map(int, sys.argv[1:]))))
