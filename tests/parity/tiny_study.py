"""The command line on a study of seconds: python tiny_study.py study NAME [--results FOLDER] [--dask ADDRESS].

numpynet stands in for torch, so that no framework is imported; any NAME will do.
"""

import ctypes
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np

import parity.frameworks
import parity.study
from parity.experiment import trainer
from parity.results import Results
from parity.study import COUPLED, EXPERIMENTS

try:
    import resource
except ImportError:  # Windows
    resource = None

EXPERIMENT = replace(EXPERIMENTS["digits"], epochs=8)
COMMAND = ["study", "tiny", "--results"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
RUNS = 12 * 3


def registration(name="tiny"):
    return parity.study.Registration(name, "digits", 12, 0.05, ("rerun",), {}, {}, (0.97, 0.98, 0.99))


def on_numpynet(experiment, implementation, seed):
    return trainer(experiment, "numpynet", seed)


def study(name, results, **options):
    options = {**options, "frameworks": ["torch"]}
    return parity.study.conduct(
        registration(name), EXPERIMENT, results, coupled=replace(COUPLED, make=on_numpynet), **options
    )


def dying(experiment, implementation, seed):
    """Of seeds 0 to 3 each dies its own death, whether alone or not; the others live."""
    if seed < 4:
        DEATHS[seed]()
    return COUPLED.make(experiment, implementation, seed)


def killed():
    """As the system does to a process when no memory is left."""
    os.kill(os.getpid(), signal.SIGKILL)


def segmentation_fault():
    """As compiled code does."""
    ctypes.string_at(0)


def exits():
    os._exit(7)


def out_of_memory():
    """An allocation beyond the address space that this process may use."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (2**32, before[1]))
    try:
        np.ones(2**30)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


DEATHS = [killed, segmentation_fault, exits, out_of_memory]


def written(folder, kind="runs"):
    """The lines of a file of records, each of them whole."""
    path = Path(folder) / f"{kind}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def contents(folder):
    """Everything that a study left but the time that its runs took, and the plans that they were made for."""
    results = Results(folder)
    runs = {run["key"]: {**run, "seconds": None, "plan": None} for run in results.read("runs")}
    return runs, [{**study, "plan": None} for study in results.read("studies")]


if __name__ == "__main__":
    from parity.cli import app

    parity.frameworks.available = lambda: ["torch"]
    parity.study.study = study
    app()
