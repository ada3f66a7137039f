"""Records of trainings: those that are kept, the runs of studies and their verdicts, experiments, and calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from parity.results.records.record import Count, Json, Judged, Measured, Part, Probability, Record, Series


@dataclass(frozen=True, kw_only=True)
class Trained(Record):
    """One training of an experiment on one implementation from one seed; what could not be measured is None.

    status: "diverged" and "crashed" leave accuracy, final loss and correctness empty, and have a message
    accuracy: the fraction of test rows that are right
    initial_loss, final_loss: of the first batch before any update; the mean of the last epoch's
    initial_weights, final_weights, batch_order: SHA-256 (hex)
    optimizer_steps: those that the optimizer remembered before the first step
    correct: base64 of np.packbits of the correctness of each test row
    seconds: wall time
    """

    experiment: str = ""
    implementation: str
    seed: int
    status: Literal["ok", "diverged", "crashed"]
    accuracy: Probability = None
    initial_loss: Measured = None
    final_loss: Measured = None
    initial_weights: str | None = None
    final_weights: str | None = None
    batch_order: str | None = None
    optimizer_steps: Count | None = None
    correct: str | None = None
    seconds: float | None = None
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class RunRecord(Trained, kind="runs", untold=("experiment", "code", "packages", "registration")):
    """One run of a study, in one of its arms.

    code, packages: digests of what performed it
    registration: the digest of the study's registration
    """

    study: str
    arm: str
    code: str = ""
    packages: str = ""
    registration: str = ""


@dataclass(frozen=True, kw_only=True)
class TrainingRecord(Trained, kind="trainings", untold=None):
    """A training that an experiment needs, kept so that it is not repeated.

    history: losses and accuracies by epoch, see `numpynet.training.History`
    observed: what the experiment observed of it
    origin: the digest of all that it depends on
    """

    history: Json
    observed: Json
    origin: str


@dataclass(frozen=True, kw_only=True)
class StudyRecord(Record, kind="studies", planned=True, untold=("not_compared",)):
    """The verdict of a study (rung 5).

    preregistration: what was fixed before any run
    verdict: a `parity.statistics.Verdict`; None where none was reached, and `message` says why
    arms: the verdict on each control arm
    not_compared: the frameworks that took no part
    """

    preregistration: Json = field(default_factory=dict)
    verdict: Json | None = None
    arms: dict[str, Json] = field(default_factory=dict)
    not_compared: list[str] = field(default_factory=list)
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Effect(Part):
    """Accuracy with a factor changed minus accuracy without, paired by seed.

    differences: one for each seed
    interval: the interval of their mean, by Student's t at `level`; adjusted for the number of factors of the
        experiment
    conclusion: "better" or "worse" where the interval excludes zero, else "undecided"
    """

    factor: str
    estimate: float
    interval: tuple[float, float]
    level: Probability
    differences: list[float]
    conclusion: str


@dataclass(frozen=True, kw_only=True)
class TablePart(Part):
    """A table of an experiment's own."""

    columns: list[str]
    rows: list[list[Any]]


@dataclass(frozen=True, kw_only=True)
class ExperimentRecord(Judged, kind="experiments", case=True):
    """One of the source course's experiments on one implementation.

    requirement: what it must show
    yardstick: a figure from elsewhere to hold the result against
    summary: what it showed, or why it was not judged
    figures, curves, pictures: by title; pictures are data URIs of PNG files
    accuracies: those of each training, one for each seed, None where it did not finish; empty where one seed was run
    effects: what changing one thing does to the accuracy
    """

    experiment: str
    title: str
    implementation: str
    requirement: str = ""
    yardstick: str = ""
    seeds: list[int] = field(default_factory=list)
    summary: str = ""
    figures: Mapping[str, Measured] = field(default_factory=dict)
    curves: Mapping[str, Series] = field(default_factory=dict)
    pictures: dict[str, str] = field(default_factory=dict)
    accuracies: Mapping[str, Sequence[Probability]] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    tables: dict[str, TablePart] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CalibrationRecord(Judged, kind="calibration", planned=True):
    """One simulated rate of a procedure's errors or passes; see `parity.statistics.calibration.Cell`.

    It has passed where the rate is within Monte Carlo error of what it may be: between `lowest` and `highest`.
    """

    kind: str
    procedure: str
    law: str
    size: Count
    noise: float
    difference_over_margin: float
    replications: Count
    rate: float
    expected: float
    lowest: float
    highest: float

    @staticmethod
    def outcome(stored: Mapping[str, Any]) -> bool | None:
        return bool(stored["lowest"] <= stored["rate"] <= stored["highest"])
