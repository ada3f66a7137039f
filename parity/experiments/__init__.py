"""The results that the source course showed, each as a named experiment on numpynet, PyTorch and TensorFlow alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from parity.experiments.cifar10 import CIFAR10
from parity.experiments.entry import Progress, TrainingEntry
from parity.experiments.fashion_mnist import FASHION_MNIST
from parity.experiments.fashion_mnist_study import SIGNIFICANCE, StudyEntry
from parity.experiments.mnist_factors import MNIST_FACTORS
from parity.experiments.mnist_initialisation import MNIST_INITIALISATION
from parity.experiments.refused_studies import MISTAKES, Mistake
from parity.experiments.toy2d import TOY2D
from parity.results.records.trainings import ExperimentRecord
from parity.results.store import Results, default_folder

__all__ = ["EXPERIMENTS", "run_experiment"]

ENTRIES: tuple[TrainingEntry | StudyEntry | Mistake, ...] = (
    *TOY2D,
    *FASHION_MNIST,
    SIGNIFICANCE,
    *CIFAR10,
    *MNIST_INITIALISATION,
    *MNIST_FACTORS,
    *MISTAKES,
)
EXPERIMENTS = {entry.name: entry for entry in ENTRIES}


def run_experiment(
    name: str,
    frameworks: Sequence[str],
    profile: Literal["full", "quick"] = "full",
    progress: Progress = lambda done, total: None,
    results: Results | None = None,
    seeds: Sequence[int] | None = None,
) -> list[ExperimentRecord]:
    """The records of one experiment, numpynet's first; `passed` is None where it was not judged.

    profile: "quick" trains one epoch on a few rows, from one seed, without a judgement
    results: the store where trainings are kept, and not repeated; default: results/<framework versions>
    seeds: those to train from instead of the experiment's own

    Raises LookupError for a name that is not in EXPERIMENTS.
    """
    if name not in EXPERIMENTS:
        raise LookupError(f"no experiment is called {name!r}; there are {', '.join(EXPERIMENTS)}")
    store = results or Results(default_folder())
    return EXPERIMENTS[name].run(frameworks, profile == "quick", progress, store, seeds)
