"""The arms of a study: how the trainer of a seed is made, and what its runs are compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from numpynet import Module
from parity.frameworks import framework
from parity.results.records import Json
from parity.training.experiment import Experiment, MakeTrainer, one_ulp, trainer

if TYPE_CHECKING:
    from parity.statistics import Verdict

OWN_SEEDS = 10_000  # apart are the seeds of frameworks that have their own, more than any study registers


def accept(verdict: Verdict, coupled: list[Json], runs: list[Json]) -> str | None:
    return None


def must_repeat(verdict: Verdict, coupled: list[Json], runs: list[Json]) -> str | None:
    if lost := [run["seed"] for run in runs if run["status"] == "crashed"]:
        return f"numpynet was not shown to repeat itself: a rerun crashed for seeds {lost}"
    pairs = [(a, b) for a, b in zip(coupled, runs, strict=True) if a["status"] != "crashed"]
    off = [a["seed"] for a, b in pairs if a["final_weights"] != b["final_weights"]]
    return f"numpynet does not repeat itself: a rerun ended in other weights for seeds {off}" if off else None


def must_be_seen(verdict: Verdict, coupled: list[Json], runs: list[Json]) -> str | None:
    if verdict.outcome.differs:
        return None
    return f"this study cannot tell implementations apart: with a planted defect it came out {verdict.outcome.value}"


@dataclass(frozen=True)
class Arm:
    """One way of making trainers, beside the coupled one.

    make: returns the trainer of (experiment, implementation, seed)
    own_seeds: every implementation is run from seeds of its own; otherwise only numpynet is run, from the study's, and
        compared with numpynet's coupled runs
    objection: returns what the arm says against the study, None for nothing; it is given the arm's verdict and, by
        seed, the records of numpynet's coupled runs and of the arm's
    """

    name: str
    about: str
    make: MakeTrainer = trainer
    own_seeds: bool = False
    objection: Callable[[Verdict, list[Json], list[Json]], str | None] = accept

    def seed(self, implementation: str, seed: int) -> int:
        """The seed that the implementation's run of the study's `seed` is started from."""
        return seed + OWN_SEEDS * framework(implementation).place if self.own_seeds else seed


def moved(experiment: Experiment, implementation: str, seed: int) -> Any:
    rng = np.random.default_rng([seed, 1])
    return trainer(experiment, implementation, seed, prepare=lambda model: one_ulp(model, rng))


def frozen(experiment: Experiment, implementation: str, seed: int) -> Any:
    """A trainer whose first layer with parameters stays as it was drawn."""

    def freeze(model: Module) -> None:
        layer = next(module for _, module in model.named_modules() if module.parameters() and not module.children())
        for parameter in layer.parameters():
            parameter.trainable = False

    return trainer(experiment, implementation, seed, prepare=freeze)


COUPLED = Arm("coupled", "the same weights, batches and masks on every implementation")
ARMS = {
    arm.name: arm
    for arm in (
        Arm("rerun", "numpynet again: equal to the bit, or nothing can be coupled", objection=must_repeat),
        Arm("one-ulp", "numpynet from weights moved by one unit in the last place: what chaos alone does", moved),
        Arm(
            "disjoint",
            "other seeds for every implementation: seeds alone make one such study in twenty see a difference",
            own_seeds=True,
        ),
        Arm("frozen-layer", "numpynet with a defect: its first layer does not learn", frozen, objection=must_be_seen),
    )
}
