"""What the training of two models is given: their optimizers, their losses and batches, each found out to be fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from parity.comparison.curves import Curves, compare_curves
from parity.comparison.formats import NARROW, Arithmetic, formats_of_arrays
from parity.comparison.given import Batches
from parity.comparison.layout import Layout
from parity.comparison.masks import Unshared
from parity.comparison.matching import Matching
from parity.comparison.model import Model, Run, Unfit
from parity.comparison.rules import Stepper, stepper
from parity.comparison.training import Done, training
from parity.comparison.updates import Updates, compare_updates

Loss = Callable[..., Any]


@dataclass(frozen=True)
class Trainings:
    """The first model's and the second's optimizers and losses; None where they are not compared."""

    models: tuple[Model, Model]
    steppers: tuple[Stepper, Stepper] | None = None
    batches: Batches | None = None
    losses: tuple[Loss, Loss] | None = None

    @classmethod
    def of(
        cls,
        models: tuple[Model, Model],
        optimizers: tuple[Any, Any] | None,
        batches: Batches | None,
        losses: tuple[Loss, Loss] | None,
    ) -> Trainings:
        """Returns what was given; raises `Unfit` where it does not go together."""
        for name, pair in (("optimizers", optimizers), ("loss", losses)):
            if pair is not None and (not isinstance(pair, tuple | list) or len(pair) != 2):
                raise Unfit(f"{name}: give two, the first model's and the second's")
        if (batches is None) != (losses is None) or (batches is not None and optimizers is None):
            raise Unfit(
                "batches: models are trained by a loss and an optimizer: give loss=(first's, second's), and optimizers"
            )
        if batches is not None and not batches:
            raise Unfit("batches: give at least one pair of inputs and targets")
        if optimizers is None:
            return cls(models)
        first, second = (
            stepper(one, model.framework, format_of_parameters(model))
            for one, model in zip(optimizers, models, strict=True)
        )
        return cls(models, (first, second), batches, losses)

    def updates(self, reference: Model, run: Run) -> Updates | None:
        """The updates of both optimizers, along gradients as large as those of this run of the reference model."""
        if self.steppers is None or not run.parameter_gradients:
            return None
        first, second = self.steppers
        ours, theirs = (first, second) if reference is self.models[0] else (second, first)
        start = {key: reference.read(reference.layers[key[0]].held[key[1]]) for key in run.parameter_gradients}
        return compare_updates(ours, theirs, start, run.parameter_gradients)

    def curves(
        self, reference: Model, matching: Matching, layouts: Sequence[Layout], arithmetic: Arithmetic, done: Done
    ) -> Curves | None:
        """The losses of both models, trained on the batches; `done` is called after each training.

        Raises `Unshared` where they are not compared.
        """
        if self.batches is None or self.losses is None or self.steppers is None:
            return None
        if arithmetic.narrow is not None:
            raise Unshared(
                f"curves were not looked at: how far rounding to {arithmetic.name} parts two trainings is not known; "
                "compare them in float32"
            )
        first, second = (
            training(model, loss, one.of, done)
            for model, loss, one in zip(self.models, self.losses, self.steppers, strict=True)
        )
        return compare_curves(first, second, matching, layouts, self.batches, reference is not self.models[0])


def format_of_parameters(model: Model) -> str:
    """The format of 16 bits that parameters of the model are in, or float32, which they are in under a policy."""
    return next(iter(formats_of_arrays(model) & set(NARROW)), "float32")
