"""Blobs and circles: what a line can separate, what it cannot, and what a hidden layer adds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from numpynet.datasets import circles
from parity.experiments.entry import Finding, Runs, TrainingEntry
from parity.training import datasets, networks, notebooks
from parity.training.experiment import Experiment, Run
from parity.training.pictures import accuracy_by_units, decision_boundary, learning_rates

RATES = (1e-1, 1e-2, 1e-3, 1e-4)
UNITS = (1, 2, 3, 4, 5, 8, 16, 32, 100)
ENOUGH = 0.1
CHANCE = (0.68, 0.70)  # around ln 2 = 0.693, the loss of a guess between two classes
SEPARATED, HALF_PLANE = 0.99, 0.70  # no half-plane is above 2/3 on circles of factor 0.5; 0.03 are two SD of 1024 rows


def entry(
    name: str,
    title: str,
    requirement: str,
    experiment: Experiment,
    holds: Callable[[list[float]], bool],
    yardstick: str = "",
) -> TrainingEntry:
    """One training, judged by its losses, an epoch each, with a picture of the decision boundary."""

    def judge(runs: Runs, reference: Runs) -> Finding:
        (trained,) = runs[name]
        losses = trained.history.losses
        return Finding(
            passed=holds(losses),
            summary=f"loss {losses[-1]:.4f}",
            figures={"final loss": losses[-1], "lowest loss": min(losses), "test accuracy": trained.accuracy or 0.0},
            curves={"training loss": losses},
            pictures=trained.observed["pictures"],
        )

    return TrainingEntry(
        name, title, requirement, {name: experiment}, judge, yardstick=yardstick, observe=draw_boundary
    )


def draw_boundary(experiment: Experiment, run: Run) -> dict[str, Any]:
    return {"pictures": decision_boundary(experiment.dataset, run.trainer.predict)}


def compare_rates(runs: Runs, reference: Runs) -> Finding:
    curves = {
        f"cluster_std {std}": {rate: runs[_label(std, rate)][0].history.losses for rate in RATES}
        for std in datasets.CLUSTER_STDS
    }
    final = {title: [losses[-1] for losses in rates.values()] for title, rates in curves.items()}
    return Finding(
        passed=all(losses == sorted(losses) for losses in final.values()),
        summary="; ".join(
            f"{title}: loss {', '.join(f'{loss:.4f}' for loss in losses)}" for title, losses in final.items()
        ),
        figures={f"final loss, {label}": found.history.losses[-1] for label, (found,) in runs.items()},
        curves={f"training loss, {label}": found.history.losses for label, (found,) in runs.items()},
        pictures=learning_rates(curves, ENOUGH),
    )


def compare_units(runs: Runs, reference: Runs) -> Finding:
    accuracies = {units: [run.accuracy or 0.0 for run in runs[f"{units} units"]] for units in UNITS}
    return Finding(
        passed=min(accuracies[100]) >= SEPARATED and max(accuracies[1]) <= HALF_PLANE,
        summary="accuracy by units: "
        + ", ".join(f"{units}: {np.mean(found):.3f}" for units, found in accuracies.items()),
        figures={f"mean accuracy, {units} units": float(np.mean(found)) for units, found in accuracies.items()},
        pictures=accuracy_by_units(accuracies),
    )


def _label(std: float, rate: float) -> str:
    return f"cluster_std {std}, rate {rate:g}"


TOY2D = (
    *(
        entry(
            f"blobs-{std}",
            f"Blobs of standard deviation {std}, one linear layer",
            f"loss {ENOUGH} or lower after 30 epochs",
            notebooks.toy2d(datasets.BLOBS[std], networks.line, 1e-2),
            lambda losses: losses[-1] <= ENOUGH,
            yardstick=f"the best any linear model can do: {best}",
        )
        for std, best in zip(datasets.CLUSTER_STDS, ("0.0000", "0.0620"), strict=True)
    ),
    TrainingEntry(
        "blobs-learning-rates",
        "Blobs, learning rates 1e-1 to 1e-4",
        "the smaller the rate, the higher the loss after 30 epochs",
        {
            _label(std, rate): notebooks.toy2d(datasets.BLOBS[std], networks.line, rate)
            for std in datasets.CLUSTER_STDS
            for rate in RATES
        },
        compare_rates,
    ),
    entry(
        "circles-linear",
        "Circles, one linear layer",
        f"loss stays near 0.69: never below {CHANCE[0]}, at last not above {CHANCE[1]:.2f}",
        notebooks.toy2d(circles, networks.line, 1e-1),
        lambda losses: CHANCE[0] <= min(losses) <= losses[-1] <= CHANCE[1],
        yardstick="a guess: ln 2 = 0.6931",
    ),
    entry(
        "circles-hidden",
        "Circles, 100 hidden units",
        "loss 0.2 or lower after 30 epochs",
        notebooks.toy2d(circles, partial(networks.hidden, 100), 1e-1),
        lambda losses: losses[-1] <= 0.2,
    ),
    TrainingEntry(
        "circles-hidden-units",
        "Circles, test accuracy against the number of hidden units",
        f"100 units: {SEPARATED} or higher from each of 3 seeds; one unit, a half-plane: {HALF_PLANE:.2f} or lower",
        {f"{units} units": notebooks.toy2d(circles, partial(networks.hidden, units), 1e-1) for units in UNITS},
        compare_units,
        seeds=range(3),
        yardstick="the best half-plane: 2/3",
    ),
)
