"""The worth of rung 5's processes: two workers against one, and what handing on a run costs.

python -m benchmarks.study ROUNDS SEEDS TINY_RUNS
"""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.timing import ratios, spread
from numpynet import SGD, Linear, LogSoftMax, Module, NLLCriterion, Parameter, Sequential
from numpynet.datasets import Dataset, blobs
from parity.frameworks import available
from parity.results.store import Results
from parity.study import ARMS, COUPLED, InProcess, cluster, conduct, load
from parity.study.runs import Job, perform, performed
from parity.training.experiment import Experiment
from parity.training.studies import STUDIES


def digits_jobs(seeds: int) -> list[Job]:
    """The runs of the registered study of digits, from fewer seeds."""
    registered = load("digits")
    arms = [COUPLED, *(ARMS[name] for name in registered.arms if not ARMS[name].own_seeds)]
    return [
        Job("benchmark", STUDIES["digits"], arm, name, seed)
        for seed in range(seeds)
        for arm in arms
        for name in (["numpynet", *available()] if arm is COUPLED else ["numpynet"])
    ]


def seconds_of(jobs: list[Job], workers: int) -> float:
    """The seconds from nothing to the last record: starting processes and importing frameworks included."""
    start = time.perf_counter()
    if any(record["status"] != "ok" for _, record in performed(jobs, workers)):
        raise AssertionError("a run did not finish")
    return time.perf_counter() - start


def speed_up(rounds: int, seeds: int) -> dict[str, Any]:
    jobs, contenders = digits_jobs(seeds), [1, 2]
    seconds: dict[str, list[float]] = {f"{workers}": [] for workers in contenders}
    for index in range(rounds):
        for workers in contenders[:: 1 if index % 2 else -1]:
            seconds[f"{workers}"].append(seconds_of(jobs, workers))
    found = {workers: spread(values) for workers, values in seconds.items()}
    return {"runs": len(jobs), "seconds": found, "ratio": ratios(seconds, "2", "1")}


def few_points() -> Dataset:
    return blobs(n=40, centers=2, cluster_std=1.0)


def one_layer(rng: np.random.Generator) -> Module:
    return Sequential(Linear(2, 2, rng=rng), LogSoftMax())


def slow_descent(parameters: Iterable[Parameter]) -> SGD:
    return SGD(parameters, lr=0.125)


TINY = Experiment("tiny", "One step on 40 points", few_points, one_layer, NLLCriterion, slow_descent, 1, 40)


def milliseconds_a_run(runs: int, executor: Executor | None) -> float:
    """The milliseconds a run of a whole study on numpynet alone, records synced to the disk.

    They are counted from its first run's end to its last's.
    """
    registration = replace(load("digits"), name="tiny", seeds=runs, arms=(), training={})
    ends: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        conduct(
            registration,
            TINY,
            Results(folder),
            frameworks=[],
            workers=1,
            executor=executor,
            progress=lambda done, total: ends.append(time.perf_counter()),
        )
    return 1e3 * (ends[-1] - ends[1]) / (runs - 1)


def overhead(runs: int) -> dict[str, Any]:
    """The milliseconds of a run: the run itself, and what a study adds to it."""
    jobs = [Job("benchmark", TINY, COUPLED, "numpynet", seed) for seed in range(runs)]
    perform(jobs[0])
    start = time.perf_counter()
    for job in jobs:
        perform(job)
    alone = 1e3 * (time.perf_counter() - start) / runs
    totals = {"store": milliseconds_a_run(runs, InProcess()), "store and process": milliseconds_a_run(runs, None)}
    if importlib.util.find_spec("distributed"):
        from distributed import LocalCluster

        local = LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None)
        with local, cluster(local.scheduler_address) as executor:
            totals["store and Dask"] = milliseconds_a_run(runs, executor)
    return {"runs": runs, "itself": alone, "beyond": {name: total - alone for name, total in totals.items()}}


if __name__ == "__main__":
    rounds, seeds, tiny_runs = map(int, sys.argv[1:])
    print(json.dumps({"speed-up": speed_up(rounds, seeds), "overhead": overhead(tiny_runs)}))
