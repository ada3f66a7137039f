"""The command line on a study of seconds: python tiny_study.py study NAME [--results FOLDER] [--dask ADDRESS].

numpynet stands in for torch, so that no framework is imported; any NAME will do.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import parity.frameworks
import parity.study
from parity.results.records import Json
from parity.results.store import Results
from parity.study import COUPLED
from parity.training.experiment import Experiment, trainer
from parity.training.studies import STUDIES

if TYPE_CHECKING:  # a process that performs runs needs no statistics
    from parity.statistics import Verdict

EPOCHS = "TINY_STUDY_EPOCHS"  # fewer will do where nobody has to come in the middle
EXPERIMENT = replace(STUDIES["digits"], epochs=int(os.environ.get(EPOCHS, "4")))
COMMAND = ["study", "tiny", "--results"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
RUNS = 12 * 3


def registration(name: str = "tiny") -> parity.study.Registration:
    return parity.study.Registration(name, "digits", 12, 0.05, ("rerun",), {}, {}, (0.97, 0.98, 0.99))


def on_numpynet(experiment: Experiment, implementation: str, seed: int) -> Any:
    return trainer(experiment, "numpynet", seed)


def study(name: str, results: Results, **options: Any) -> Verdict:
    options = {**options, "frameworks": ["torch"]}
    return parity.study.conduct(
        registration(name), EXPERIMENT, results, coupled=replace(COUPLED, make=on_numpynet), **options
    )


def dying(experiment: Experiment, implementation: str, seed: int) -> Any:
    """Of seeds 0 to 3 each dies its own death, whether alone or not; the others live."""
    if seed < 4:
        DEATHS[seed]()
    return COUPLED.make(experiment, implementation, seed)


def killed() -> None:
    """As the system does to a process when no memory is left."""
    os.kill(os.getpid(), signal.SIGKILL)


def segmentation_fault() -> None:
    """As compiled code does."""
    ctypes.string_at(0)


def exits() -> None:
    os._exit(7)


def out_of_memory() -> None:
    """An allocation beyond the address space that this process may use."""
    import resource  # which Windows has none of

    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (2**32, before[1]))
    try:
        np.ones(2**30)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


DEATHS = [killed, segmentation_fault, exits, out_of_memory]


def written(folder: Path, kind: str = "runs") -> list[Json]:
    """The lines of a file of records, each of them whole."""
    path = Path(folder) / f"{kind}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def contents(folder: Path) -> tuple[dict[str, Json], list[Json]]:
    """Everything that a study left but the time that its runs took, and the plans that they were made for."""
    results = Results(folder)
    runs = {run["key"]: {**run, "seconds": None, "plan": None} for run in results.read("runs")}
    return runs, [{**study, "plan": None} for study in results.read("studies")]


if __name__ == "__main__":
    from parity.cli import app

    parity.frameworks.available = lambda: ["torch"]
    parity.study.study = study
    app()
