"""A named experiment that trains: the same on every implementation, and what each must show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from numpynet.training import Callback, History
from parity.experiment import Experiment, Run, run
from parity.results import Results

Progress = Callable[[int, int], object]
Runs = Mapping[str, Sequence[Run]]
Record = dict[str, Any]


@dataclass
class Finding:
    """What the trainings of one implementation showed.

    passed: None where nothing was judged
    figures, curves, pictures: by title; pictures are data URIs
    """

    passed: bool | None
    summary: str
    figures: dict[str, float] = field(default_factory=dict)
    curves: dict[str, list[float]] = field(default_factory=dict)
    pictures: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingEntry:
    """Trainings by label, each from all seeds, on numpynet and every framework alike.

    judge: from an implementation's runs and numpynet's, by label and in the order of seeds, to the finding
    yardstick: a figure from elsewhere (the source course, theory) to hold the result against
    """

    name: str
    title: str
    requirement: str
    trainings: Mapping[str, Experiment]
    judge: Callable[[Runs, Runs], Finding]
    seeds: Sequence[int] = (0,)
    yardstick: str = ""

    def run(self, frameworks: Sequence[str], quick: bool, progress: Progress, results: Results) -> list[Record]:
        """A record for numpynet and for each framework, not judged where the data cannot be had.

        `quick` trains one epoch from one seed, which is too short to judge. `results` is not used.
        """
        implementations = ("numpynet", *frameworks)
        trainings = {label: replace(e, epochs=1) if quick else e for label, e in self.trainings.items()}
        seeds = self.seeds[:1] if quick else self.seeds
        if missing := unavailable(trainings.values()):
            return [record(self, name, missing) for name in implementations]
        epochs = _Epochs(
            progress, len(implementations) * len(seeds) * sum(training.epochs for training in trainings.values())
        )
        records: list[Record] = []
        reference: Runs = {}
        for name in implementations:
            runs = {label: [run(e, name, seed, callbacks=[epochs]) for seed in seeds] for label, e in trainings.items()}
            reference = reference or runs
            finding = self._finding(runs, reference)
            if quick:
                finding = replace(finding, passed=None, summary=f"one epoch only, not judged: {finding.summary}")
            records.append(record(self, name, finding))
        return records

    def _finding(self, runs: Runs, reference: Runs) -> Finding:
        pairs = [(a, b) for label in runs for a, b in zip(runs[label], reference[label], strict=True)]
        if diverged := [a.message for a, _ in pairs if a.status != "ok"]:
            return Finding(False, diverged[0])
        finding = self.judge(runs, reference)
        if uncoupled := [
            a for a, b in pairs if (a.initial_weights, a.batch_order) != (b.initial_weights, b.batch_order)
        ]:
            finding.passed = False
            finding.summary += f"; seed {uncoupled[0].seed} began with other weights or batches than numpynet"
        finding.figures["seconds"] = sum(a.seconds for a, _ in pairs)
        if runs is not reference:
            finding.figures["largest difference of an epoch's loss from numpynet"] = max(
                abs(x - y) for a, b in pairs for x, y in zip(a.history.losses, b.history.losses, strict=False)
            )
        return finding


def unavailable(experiments: Iterable[Experiment]) -> Finding | None:
    """What there is to say where a dataset is missing or damaged."""
    try:
        for experiment in experiments:
            _ = experiment.dataset
    except (ImportError, OSError, ValueError) as problem:
        return Finding(None, f"not run: {problem}")
    return None


def record(entry: Any, implementation: str, finding: Finding) -> Record:
    """What the results store keeps, of the kind "experiments"."""
    return {
        "key": f"{entry.name}/{implementation}",
        "experiment": entry.name,
        "title": entry.title,
        "implementation": implementation,
        "requirement": entry.requirement,
        "yardstick": entry.yardstick,
        **vars(finding),
    }


class _Epochs(Callback):
    """Reports epochs done, over all trainings."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress, self.done, self.total = progress, 0, total
        progress(0, total)

    def on_epoch_end(self, epoch: int, history: History) -> None:
        self.done += 1
        self.progress(self.done, self.total)
