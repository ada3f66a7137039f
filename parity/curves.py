"""Rung 4: the same training? Losses step by step, from the same weights, on the same batches, with the same masks.

What rounding alone does to a curve is measured: numpynet trained again from weights moved by one unit in the last
place. A curve may leave numpynet's by 4 such envelopes and 4 units in the last place of the loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from numpynet.training import History, fit
from parity.experiment import Experiment, one_ulp, train, trainer
from parity.frameworks import FRAMEWORKS
from parity.proving import DTYPES
from parity.recipes import EXPERIMENTS
from parity.results import Results

# Measured over 5 networks, 20 seeds and 2 dtypes on digits: torch used at most 0.75 of this. Units in the last place,
# not roundings relative to the loss: 4 of these are 2 to 4 units, and 3 units were met in one of the first 1,600 steps.
ENVELOPES, UNITS = 4, 4
MOVED_RUNS = 4
CHAOS = 1e-3  # an envelope wider than this share of the loss tells nothing any more

Progress = Callable[[int, int], object]


@dataclass
class Series:
    """Losses by implementation, judged against the reference's; steps count from 0.

    envelope: running maximum of |moved - reference| over the moved runs
    allowed: how far a loss may be from the reference's, step by step
    used: largest |difference| / allowed of the steps compared; 1 is the limit
    worst: the step where that is
    compared: steps before the envelope exceeds CHAOS of the loss
    """

    losses: dict[str, list[float]]
    envelope: list[float]
    allowed: list[float]
    used: dict[str, float]
    worst: dict[str, int]
    compared: int


@dataclass
class Curve:
    """One experiment in one dtype, on every implementation: its training losses, one a step, and the losses of the
    validation rows, one an epoch, in evaluation mode. Both are None where `message` says why nothing was compared.
    """

    name: str
    title: str
    dtype: str
    training: Series | None = None
    validation: Series | None = None
    message: str = ""

    @property
    def key(self) -> str:
        return f"{self.name}/{self.dtype}"

    @property
    def used(self) -> dict[str, float]:
        """By implementation, the larger one of the two series."""
        found = [series.used for series in (self.training, self.validation) if series]
        return {name: max(used[name] for used in found) for used in found for name in used}

    @property
    def passed(self) -> bool | None:
        """Whether every implementation stayed within its allowance; None where nothing was compared."""
        return all(used <= 1 for used in self.used.values()) if self.training and self.training.compared else None

    def as_record(self) -> dict[str, Any]:
        """For the results store: the training series is the curve's own."""
        record = {"title": self.title, "name": self.name, "dtype": self.dtype, "message": self.message}
        if self.training is not None:
            record |= asdict(self.training) | {"steps": len(self.training.envelope), "worst_step": self.training.worst}
        return record | {"validation": self.validation, "used": self.used, "passed": self.passed}


def judge_losses(
    losses: dict[str, list[float]], reference: list[float], moved: list[list[float]], dtype: str
) -> Series:
    """Judge each implementation's losses against `reference`, with the losses of the moved runs to know rounding by.

    A loss that is not finite, or missing because training diverged, uses infinitely much.
    """
    expected = np.array(reference)
    envelope = np.maximum.accumulate(np.abs(np.array(moved) - expected).max(axis=0))
    allowed = ENVELOPES * envelope + UNITS * np.spacing(np.abs(expected).astype(dtype))
    chaotic = envelope > CHAOS * np.abs(expected)
    compared = int(np.argmax(chaotic)) if chaotic.any() else len(expected)
    series = Series(losses, envelope.tolist(), allowed.tolist(), {}, {}, compared)
    for name, found in losses.items():
        padded = np.full(len(expected), np.nan)
        padded[: len(found)] = found
        difference = np.abs(padded - expected)[:compared]
        share = np.divide(difference, allowed[:compared], out=np.zeros(compared), where=difference != 0)
        share = np.where(np.isnan(share), np.inf, share)
        series.used[name] = float(share.max(initial=0))
        series.worst[name] = int(share.argmax()) if compared else 0
    return series


def compare_curves(
    experiment: Experiment,
    frameworks: Iterable[str] = (),
    *,
    seed: int = 0,
    alter: Callable[[Any], Any] | None = None,
    loop: Callable[..., History] = fit,
) -> Curve:
    """Train the experiment on numpynet and on `frameworks`, and judge all of them against numpynet.

    `alter` replaces numpynet's trainer and `loop` the loop that drives it, as a planted defect does; the reference,
    the moved runs and the frameworks stay as they are.
    """

    def history(made: Any) -> History:
        return train(experiment, made, seed)[0]

    def moved(index: int) -> History:
        rng = np.random.default_rng([seed, index])
        return history(trainer(experiment, "numpynet", seed, prepare=lambda model: one_ulp(model, rng)))

    reference, divergence = train(experiment, trainer(experiment, "numpynet", seed), seed)
    if divergence is not None:
        raise divergence
    rounded = [moved(index) for index in range(MOVED_RUNS)]
    subject = trainer(experiment, "numpynet", seed)
    found = {"numpynet": train(experiment, alter(subject) if alter else subject, seed, loop=loop)[0]}
    found |= {name: history(trainer(experiment, name, seed)) for name in frameworks}

    def judged(part: str) -> Series:
        losses = {name: getattr(history, part) for name, history in found.items()}
        others = [getattr(history, part) for history in rounded]
        return judge_losses(losses, getattr(reference, part), others, experiment.dtype)

    training, steps = judged("step_losses"), len(reference.step_losses)
    curve = Curve(experiment.name, experiment.title, experiment.dtype, training, judged("validation_losses"))
    if training.compared < steps:
        curve.message = (
            f"compared for {training.compared} of {steps} steps: then a unit in the last place of the initial weights "
            f"changes the loss by more than {CHAOS:g} of itself"
        )
    return curve


def run_curves(
    results: Results, frameworks: Sequence[str], progress: Progress = lambda done, total: None
) -> list[Curve]:
    """Every curve in every dtype, recorded as it is done, also where its data are missing."""
    found: list[Curve] = []
    for experiment in EXPERIMENTS:
        for dtype in DTYPES:
            curve = _confirmed(replace(experiment, dtype=dtype), frameworks)
            absent = [name for name in FRAMEWORKS if name not in frameworks]
            results.append("curves", curve.key, curve.as_record() | {"not_compared": absent})
            found.append(curve)
            progress(len(found), len(EXPERIMENTS) * len(DTYPES))
    return found


def _confirmed(experiment: Experiment, frameworks: Sequence[str]) -> Curve:
    """A curve that leaves its envelope has to do so again from another seed.

    Rounding switches a ReLU once in some hundred float32 runs, which parts two curves for good; what is wrong with an
    implementation shows from any seed.
    """
    try:
        experiment.dataset  # noqa: B018
    except (ConnectionError, ImportError) as error:
        return Curve(experiment.name, experiment.title, experiment.dtype, message=f"not compared: {error}")
    first = compare_curves(experiment, frameworks)
    if first.passed is not False:
        return first
    second = compare_curves(experiment, frameworks, seed=1)
    shares = ", ".join(f"{name} used {used:.3g}" for name, used in first.used.items())
    second.message = f"left the allowance from seed 0 ({shares}), judged from seed 1. {second.message}".strip()
    return second
