"""Mistakes of the source course's notebooks, each made again as a study that has to be refused."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpynet.datasets import Dataset, Split, digits
from parity.experiments.entry import Finding, Progress, record
from parity.results.records import Json
from parity.results.records.trainings import ExperimentRecord
from parity.results.store import Results
from parity.statistics import Verdict
from parity.study import COUPLED, InProcess, Registration, conduct, load
from parity.training.experiment import Experiment, MakeTrainer, trainer
from parity.training.studies import STUDIES

DIGITS = STUDIES["digits"]
REPEATS = 5  # as in the notebook


def one_model_for_all() -> MakeTrainer:
    """A maker that returns the first seed's trainer for every seed.

    It goes on where it stopped, and that is called a repeat.
    """
    made: dict[str, Any] = {}

    def same(experiment: Experiment, implementation: str, seed: int) -> Any:
        if implementation not in made:
            made[implementation] = trainer(experiment, implementation, seed)
        return made[implementation]

    return same


def leaking() -> Dataset:
    """The digits, with validation rows that are taken out of the training rows and stay there too."""
    whole = digits()
    validation = Split(whole.train.inputs[:100], whole.train.targets[:100])
    return Dataset("digits", whole.train, validation, whole.test, whole.classes)


@dataclass(frozen=True)
class Mistake:
    """A study that is invalid; it has passed when it is refused for this `reason`."""

    name: str
    title: str
    reason: str
    experiment: Experiment = DIGITS
    make: Callable[[], MakeTrainer] = lambda: trainer
    yardstick: str = ""

    @property
    def requirement(self) -> str:
        return f"invalid, because {self.reason}"

    def run(
        self,
        frameworks: Sequence[str],
        quick: bool,
        progress: Progress,
        results: Results,
        seeds: Sequence[int] | None = None,
    ) -> list[ExperimentRecord]:
        """A record for each implementation; runs and verdict are kept nowhere, since this is no result.

        `quick` trains one epoch; `results` and `seeds` are not used.
        """
        experiment = replace(self.experiment, epochs=1) if quick else self.experiment
        with tempfile.TemporaryDirectory() as folder:
            verdict = conduct(
                Registration(self.name, experiment.name, REPEATS, 0.05, (), {}, {}, load("digits").reference),
                experiment,
                Results(folder),
                frameworks=frameworks,
                coupled=replace(COUPLED, make=self.make()),
                executor=InProcess(),
                progress=progress,
            )
            runs = Results(folder).read("runs")
        return [
            record(self, name, self._finding(verdict, name, [run for run in runs if run["implementation"] == name]))
            for name in ("numpynet", *frameworks)
        ]

    def _finding(self, verdict: Verdict, implementation: str, runs: Sequence[Json]) -> Finding:
        said = [problem for problem in verdict.problems if problem.startswith((f"{implementation}: ", "the data "))]
        refused = verdict.outcome.value == "invalid" and any(self.reason in problem for problem in said)
        figures = {f"accuracy of repeat {run['seed'] + 1}": run["accuracy"] for run in runs if run["status"] == "ok"}
        return Finding(refused, f"{verdict.outcome.value}: {'; '.join(said) or verdict.reason}", figures)


MISTAKES = (
    Mistake(
        name="five-repeats",
        title="Five repeats of a training, all on one model",
        reason="the model was trained before (repeats of one model are pseudo-replication)",
        make=one_model_for_all,
    ),
    Mistake(
        name="leaking-split",
        title="Validation rows that the training rows keep",
        reason="100 of the validation rows occur in train",
        experiment=replace(DIGITS, data=leaking),
    ),
)
