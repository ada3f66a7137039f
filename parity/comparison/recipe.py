"""The training of one model that is recorded: what it is given, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from numpynet import Array
from parity.comparison.formats import Arithmetic
from parity.comparison.given import Batches, taken
from parity.comparison.masks import Masks, Unshared
from parity.comparison.model import Model, Unfit
from parity.comparison.recording import CurvePart, DescribedPart
from parity.comparison.rules import maker
from parity.comparison.sides.recorded import ALLOWED, LOSSES
from parity.comparison.training import Done, Maker, training
from parity.training.curves import judge_losses


@dataclass(frozen=True)
class Recipe:
    """What a model is trained by; `make` makes its optimizer."""

    batches: Batches
    loss: Callable[..., Any]
    make: Maker

    @classmethod
    def of(
        cls,
        model: Model,
        arithmetic: Arithmetic,
        optimizer: Any,
        batches: Sequence[tuple[Any, Any]] | None,
        loss: Callable[..., Any] | None,
    ) -> Recipe | None:
        """What was given; None where that is nothing. Raises `Unfit` where it does not go together."""
        if optimizer is None and batches is None and loss is None:
            return None
        if optimizer is None or loss is None or batches is None or not len(batches):
            raise Unfit(
                "batches: a model is trained by an optimizer and a loss, on at least one pair of inputs and targets: "
                "give all three"
            )
        return cls(taken(batches, arithmetic), loss, maker(optimizer, model.framework))

    def recorded(
        self, model: Model, masks: Sequence[Masks], arithmetic: Arithmetic, done: Done
    ) -> tuple[CurvePart, dict[str, Array]]:
        """What is said of the training, and its arrays: losses, how far others may be off, batches and masks.

        `done` is called after each of the trainings that this takes.

        Raises `Unshared` where nothing could be told by them.
        """
        if arithmetic.narrow is not None:
            raise Unshared(
                f"curves were not recorded: how far rounding to {arithmetic.name} parts two trainings is not known; "
                "record the model in float32"
            )
        trained = training(model, self.loss, self.make, done, masks)
        losses = trained.losses(self.batches)
        if not np.isfinite(losses).all():
            raise Unfit(f"batches: the loss is {losses[-1]} after {len(losses)} steps: give a smaller rate")
        if trained.losses(self.batches) != losses:
            raise Unshared("curves were not recorded: the same training has other losses when it is done again")
        series = judge_losses({}, losses, trained.moved_losses(self.batches), arithmetic.dtype.name)
        optimizer, loss = (DescribedPart(title=title, settings=settings) for title, settings in trained.described())
        arrays = {LOSSES: np.array(losses), ALLOWED: np.array(series.allowed)}
        for number, ((inputs, target), kept) in enumerate(zip(self.batches, masks, strict=True)):
            arrays |= {f"batches/{number}/inputs/{place}": values for place, values in enumerate(inputs)}
            arrays |= {f"batches/{number}/target": target}
            arrays |= {f"masks/{number}/{site}": mask for site, mask in kept.items()}
        return CurvePart(steps=len(losses), compared=series.compared, optimizer=optimizer, loss=loss), arrays
