"""A named experiment that trains: the same on every implementation, and what each must show."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from numpynet.datasets import Dataset
from numpynet.training import Callback, Logs
from parity.experiments.kept import Shelf, Trained, origin
from parity.results.records.trainings import Effect, ExperimentRecord, TablePart
from parity.results.store import Results
from parity.training.datasets import first_rows
from parity.training.experiment import Experiment, Run, run
from parity.training.observing import Watch, locate
from parity.training.tensorboard import EventFiles

Progress = Callable[[int, int], object]
Runs = Mapping[str, Sequence[Trained]]


@dataclass
class Finding:
    """The result of one implementation's trainings.

    passed: None where nothing was judged
    figures, curves, pictures: by title; pictures are data URIs
    accuracies: those of each training (by label), one for each seed, None where it diverged; empty where one seed was
        run
    effects: what changing one thing does to the accuracy, see `Effect`
    tables: by title; rows are of numbers and strings
    """

    passed: bool | None
    summary: str
    figures: dict[str, float] = field(default_factory=dict)
    curves: dict[str, list[float]] = field(default_factory=dict)
    pictures: dict[str, str] = field(default_factory=dict)
    accuracies: dict[str, list[float | None]] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    tables: dict[str, TablePart] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingEntry:
    """Trainings by label, each from all seeds, on numpynet and every framework alike.

    judge: makes the finding from an implementation's runs and numpynet's, both by label and in the order of seeds; an
        entry that has one seed by default is judged seed by seed
    yardstick: a figure from elsewhere (the source course, theory) to hold the result against
    observe: returns what the judge needs of a training beside its history, in JSON's types, while the trainer is at
        hand
    watched: whether distributions of all tensors, every 50 steps, go into event files for TensorBoard and, under
        "watch", into what was observed
    diverges: whether a divergence is for the judge to see, and no failure
    family: entries of one family share the trainings that they call by the same label; default: the name
    """

    name: str
    title: str
    requirement: str
    trainings: Mapping[str, Experiment]
    judge: Callable[[Runs, Runs], Finding]
    seeds: Sequence[int] = (0,)
    yardstick: str = ""
    observe: Callable[[Experiment, Run], dict[str, Any]] = lambda experiment, run: {}
    watched: bool = False
    diverges: bool = False
    family: str = ""

    def run(
        self,
        frameworks: Sequence[str],
        quick: bool,
        progress: Progress,
        results: Results,
        seeds: Sequence[int] | None = None,
    ) -> list[ExperimentRecord]:
        """The records of numpynet and of each framework, trained and judged; not judged where the data cannot be had.

        Each training is kept in `results` as it ends, and not repeated by a later call; `seeds` replaces the entry's
        own. `quick` trains one epoch on a few rows from one seed, which is too short to judge.
        """
        implementations = ("numpynet", *frameworks)
        trainings = {label: brief(e) if quick else e for label, e in self.trainings.items()}
        seeds = (seeds or self.seeds)[:1] if quick else seeds or self.seeds
        if missing := unavailable(trainings.values()):
            return [record(self, name, missing, seeds) for name in implementations]
        epochs = _Epochs(
            progress, len(implementations) * len(seeds) * sum(training.epochs for training in trainings.values())
        )
        shelf = Shelf(results)
        records: list[ExperimentRecord] = []
        reference: Runs = {}
        for name in implementations:
            runs = {
                label: [self._train(shelf, label, experiment, name, seed, epochs) for seed in seeds]
                for label, experiment in trainings.items()
            }
            reference = reference or runs
            finding = self._finding(runs, reference)
            if quick:
                finding = replace(finding, passed=None, summary=f"one epoch only, not judged: {finding.summary}")
            records.append(record(self, name, finding, seeds))
        return records

    def _train(
        self,
        shelf: Shelf,
        label: str,
        experiment: Experiment,
        implementation: str,
        seed: int,
        epochs: _Epochs,
    ) -> Trained:
        key = f"{self.family or self.name}/{label}/{implementation}/{seed}"
        made_by = origin(experiment, self.judge)
        found = shelf.find(key, made_by)
        if found is None:
            folder = shelf.results.folder / "tensorboard" / self.name / f"{implementation}-{seed}"
            with EventFiles(folder) if self.watched else nullcontext() as events:
                watch = events and Watch(experiment, implementation, seed, see=events.write)
                done = run(experiment, implementation, seed, callbacks=[epochs, *([watch] if watch else [])])
            if done.divergence is not None and done.divergence.tensor is None:
                locate(experiment, implementation, seed, done.divergence)
                done = replace(done, message=str(done.divergence))
            observed = self.observe(experiment, done) if done.divergence is None else {}
            found = shelf.keep(key, made_by, done, observed | ({"watch": watch.as_fields()} if watch else {}))
        epochs.end_of_training(experiment)
        return found

    def _finding(self, runs: Runs, reference: Runs) -> Finding:
        pairs = [(a, b) for label in runs for a, b in zip(runs[label], reference[label], strict=True)]
        diverged = [a.message for a, _ in pairs if a.status != "ok"]
        if diverged and not self.diverges:
            return Finding(False, diverged[0])
        finding = self._judged(runs, reference)
        if uncoupled := [
            a
            for a, b in pairs
            if a.initial_weights != b.initial_weights or (a.batch_order != b.batch_order and a.status == b.status)
        ]:
            finding.passed = False
            finding.summary += f"; seed {uncoupled[0].seed} began with other weights or batches than numpynet"
        finding.figures["seconds"] = sum(a.seconds for a, _ in pairs)
        if runs is not reference and not diverged:
            finding.figures["largest difference of an epoch's loss from numpynet"] = max(
                abs(x - y) for a, b in pairs for x, y in zip(a.history.losses, b.history.losses, strict=False)
            )
        if len(next(iter(runs.values()))) > 1:
            finding.accuracies = {label: [trained.accuracy for trained in found] for label, found in runs.items()}
        return finding

    def _judged(self, runs: Runs, reference: Runs) -> Finding:
        seeds = [trained.seed for trained in next(iter(runs.values()))]
        if len(self.seeds) > 1 or len(seeds) == 1:
            return self.judge(runs, reference)
        apart = [{label: [found[i]] for label, found in runs.items()} for i in range(len(seeds))]
        others = [{label: [found[i]] for label, found in reference.items()} for i in range(len(seeds))]
        findings = [self.judge(a, a if runs is reference else b) for a, b in zip(apart, others, strict=True)]
        titles = findings[0].figures
        return replace(
            findings[0],
            passed=all(finding.passed for finding in findings),
            summary="; ".join(f"seed {seed}: {finding.summary}" for seed, finding in zip(seeds, findings, strict=True)),
            figures={title: float(np.mean([finding.figures[title] for finding in findings])) for title in titles},
        )


def unavailable(experiments: Iterable[Experiment]) -> Finding | None:
    """The finding that a dataset is missing or damaged; None where all are at hand."""
    try:
        for experiment in experiments:
            _ = experiment.dataset
    except (ImportError, OSError, ValueError) as problem:
        return Finding(None, f"not run: {problem}")
    return None


def record(entry: Any, implementation: str, finding: Finding, seeds: Sequence[int] = ()) -> ExperimentRecord:
    """The record of the results store: the finding's fields beside the entry's."""
    return ExperimentRecord(
        key=f"{entry.name}/{implementation}",
        experiment=entry.name,
        title=entry.title,
        implementation=implementation,
        requirement=entry.requirement,
        yardstick=entry.yardstick,
        seeds=list(seeds),
        **vars(finding),
    )


FEW = {"train": 2560, "validation": 512, "test": 1024}


def brief(experiment: Experiment) -> Experiment:
    """The experiment with one epoch on a few of its rows."""
    return replace(experiment, epochs=1, data=_few(experiment.data))


@functools.cache
def _few(data: Callable[[], Dataset]) -> Callable[[], Dataset]:
    return functools.partial(_first_rows, data)


def _first_rows(data: Callable[[], Dataset]) -> Dataset:
    return first_rows(data(), **FEW)


class _Epochs(Callback):
    """A callback that reports the epochs done, over all trainings."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress, self.total = progress, total
        self.before = self.done = 0
        progress(0, total)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self.done = self.before + epoch + 1
        self.progress(self.done, self.total)

    def end_of_training(self, experiment: Experiment) -> None:
        """Count all epochs of a training as done, also of one that was kept or cut short by a divergence."""
        self.before += experiment.epochs
        if self.done != self.before:
            self.done = self.before
            self.progress(self.done, self.total)
