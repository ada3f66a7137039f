"""Rung 4: the same training? Losses step by step, from the same weights, on the same batches, with the same masks.

What rounding alone does to a curve is measured: numpynet is trained again, its weights moved by one unit in the last
place before every step, since rounding errs in each. The envelope is the running maximum of the root mean square of
these runs' deviations. A curve may leave numpynet's by FACTOR times the sum of the envelope and one unit in the last
place of the loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from numpynet import Array
from numpynet.training import History, fit
from parity.frameworks import FRAMEWORKS
from parity.results.records.ladder import CurveRecord, SeriesPart
from parity.training.experiment import Experiment, Moved, train, trainer
from parity.training.recipes import CURVES

# Of 2,030 curves on 16 machines, twice (parity.soak.budget). More than six moved runs bring little; with these and
# four seeds, the least factor that keeps the budget is 4.0, then 3.7. With 5, two and three of 2,030 leave
# their allowance from their seed (parted by a ReLU, or in need of 6.2), and the probability of four in a row is 3e-7.
FACTOR = 5.0
MOVED_RUNS = 6
SEEDS = 4  # that a curve must leave its allowance from
CHAOS = 1e-3  # an envelope wider than this share of the loss tells nothing any more


@dataclass
class Series:
    """One loss curve of each implementation, judged against the reference's; steps count from 0.

    losses: by implementation, one loss a step or an epoch
    envelope: what rounding does to each loss of the reference, see `envelope`
    allowed: how far a loss may be from the reference's, step by step
    used: the largest |difference| / allowed of the steps compared, by implementation; 1 is the limit
    worst: the step where that is
    compared: the number of steps before the envelope exceeds CHAOS of the loss
    """

    losses: dict[str, list[float]]
    envelope: list[float]
    allowed: list[float]
    used: dict[str, float]
    worst: dict[str, int]
    compared: int


@dataclass
class Curve:
    """One experiment in one dtype on every implementation: its training losses and its validation losses.

    There is one training loss a step, and one validation loss an epoch, computed in evaluation mode. Both are None
    where `message` says why nothing was compared. `not_compared` are the frameworks that took no part.
    """

    name: str
    title: str
    dtype: str
    training: Series | None = None
    validation: Series | None = None
    message: str = ""
    not_compared: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        return f"{self.name}/{self.dtype}"

    @property
    def used(self) -> dict[str, float]:
        """The largest share of the allowance that each implementation used in either series."""
        found = [series.used for series in (self.training, self.validation) if series]
        return {name: max(used[name] for used in found) for used in found for name in used}

    @property
    def passed(self) -> bool | None:
        """Tells whether every implementation stayed within its allowance; None where nothing was compared."""
        return all(used <= 1 for used in self.used.values()) if self.training and self.training.compared else None

    def as_record(self) -> CurveRecord:
        """The curve as a record of the results store; the fields of the training series are the record's own."""
        about = CurveRecord(
            key=self.key,
            passed=self.passed,
            title=self.title,
            name=self.name,
            dtype=self.dtype,
            used=self.used,
            validation=None if self.validation is None else SeriesPart(**vars(self.validation)),
            message=self.message,
            not_compared=self.not_compared,
        )
        if (series := self.training) is None:
            return about
        return replace(
            about,
            steps=len(series.envelope),
            compared=series.compared,
            losses=series.losses,
            envelope=series.envelope,
            allowed=series.allowed,
            worst_step=series.worst,
        )


@dataclass
class Trainings:
    """The histories of one experiment, trained from one seed in every way that is compared.

    reference: numpynet's training
    moved: numpynet's, its weights moved one unit in the last place before every step
    found: each implementation's, numpynet's second among them
    """

    reference: History
    moved: list[History]
    found: dict[str, History]


def envelope(reference: Array, moved: Array) -> Array:
    """The running maximum of the root mean square of the moved runs' deviations: what rounding does to each loss."""
    return np.maximum.accumulate(np.sqrt(np.mean((moved - reference) ** 2, axis=0)))


def unit(losses: Array, dtype: str) -> Array:
    """One unit in the last place of each loss in `dtype`: no loss is known better."""
    return np.spacing(np.abs(losses).astype(dtype)).astype(np.float64)


def judge_losses(
    losses: dict[str, list[float]], reference: list[float], moved: list[list[float]], dtype: str
) -> Series:
    """Judge each implementation's losses against `reference`, with the losses of the moved runs to know rounding by.

    A loss that is not finite, or missing because training diverged, uses infinitely much.
    """
    expected = np.array(reference)
    wide = envelope(expected, np.array(moved))
    allowed = FACTOR * (wide + unit(expected, dtype))
    compared = steps_before_chaos(expected, wide)
    series = Series(losses, wide.tolist(), allowed.tolist(), {}, {}, compared)
    for name, found in losses.items():
        padded = np.full(len(expected), np.nan)
        padded[: len(found)] = found
        difference = np.abs(padded - expected)[:compared]
        share = np.divide(difference, allowed[:compared], out=np.zeros(compared), where=difference != 0)
        share = np.where(np.isnan(share), np.inf, share)
        series.used[name] = float(share.max(initial=0))
        series.worst[name] = int(share.argmax()) if compared else 0
    return series


def steps_before_chaos(reference: Array, wide: Array) -> int:
    """The number of losses before the first whose envelope exceeds CHAOS of it."""
    chaotic = wide > CHAOS * np.abs(reference)
    return int(np.argmax(chaotic)) if chaotic.any() else len(reference)


def moved_runs(experiment: Experiment, seed: int, count: int = MOVED_RUNS) -> list[History]:
    """`count` trainings of numpynet, each with weights that are moved before every step.

    The generators that move them are seeded by (seed, 0), (seed, 1), ...
    """
    return [
        train(experiment, Moved(trainer(experiment, "numpynet", seed), np.random.default_rng([seed, index])), seed)[0]
        for index in range(count)
    ]


def train_all(
    experiment: Experiment,
    frameworks: Iterable[str] = (),
    *,
    seed: int = 0,
    alter: Callable[[Any], Any] | None = None,
    loop: Callable[..., History] = fit,
    moved: int = MOVED_RUNS,
) -> Trainings:
    """Train the experiment on numpynet, on numpynet with `moved` sets of moved weights, and on `frameworks`.

    `alter` replaces numpynet's trainer and `loop` the loop that drives it, as a planted defect does; the reference,
    the moved runs and the frameworks stay as they are. Raises Divergence where the reference diverges.
    """
    reference, divergence = train(experiment, trainer(experiment, "numpynet", seed), seed)
    if divergence is not None:
        raise divergence
    subject = trainer(experiment, "numpynet", seed)
    found = {"numpynet": train(experiment, alter(subject) if alter else subject, seed, loop=loop)[0]}
    found |= {name: train(experiment, trainer(experiment, name, seed), seed)[0] for name in frameworks}
    return Trainings(reference, moved_runs(experiment, seed, moved), found)


def compare_curves(
    experiment: Experiment,
    frameworks: Iterable[str] = (),
    *,
    seed: int = 0,
    alter: Callable[[Any], Any] | None = None,
    loop: Callable[..., History] = fit,
) -> Curve:
    """Train the experiment on numpynet and on `frameworks`, and judge all of them against numpynet; see `train_all`."""
    trained = train_all(experiment, frameworks, seed=seed, alter=alter, loop=loop)

    def judged(part: str) -> Series:
        losses = {name: getattr(history, part) for name, history in trained.found.items()}
        others = [getattr(history, part) for history in trained.moved]
        return judge_losses(losses, getattr(trained.reference, part), others, experiment.dtype)

    training, steps = judged("step_losses"), len(trained.reference.step_losses)
    curve = Curve(experiment.name, experiment.title, experiment.dtype, training, judged("validation_losses"))
    if training.compared < steps:
        curve.message = (
            f"compared for {training.compared} of {steps} steps: then a unit in the last place of the weights "
            f"changes the loss by more than {CHAOS:g} of itself"
        )
    return curve


def confirmed(name: str, dtype: str, frameworks: Sequence[str]) -> Curve:
    """The curve of the experiment called `name`, which is off only if it leaves its allowance from all SEEDS seeds.

    Rounding switches a ReLU once in some hundred float32 runs, which parts two curves for good; what is wrong with an
    implementation shows from any seed.
    """
    experiment = replace(next(each for each in CURVES if each.name == name), dtype=dtype)
    absent = [framework for framework in FRAMEWORKS if framework not in frameworks]
    try:
        experiment.dataset  # noqa: B018
    except (ConnectionError, ImportError) as error:
        return Curve(name, experiment.title, dtype, message=f"not compared: {error}", not_compared=absent)
    left = []
    for seed in range(SEEDS):
        curve = compare_curves(experiment, frameworks, seed=seed)
        if curve.passed is not False:
            break
        shares = ", ".join(f"{who} used {used:.3g}" for who, used in curve.used.items())
        left.append(f"left the allowance from seed {seed} ({shares})")
    if left:
        judged = [] if curve.passed is False else [f"judged from seed {seed}"]
        curve.message = ", ".join([*left, *judged]) + f". {curve.message}".rstrip(". ")
    return replace(curve, not_compared=absent)
