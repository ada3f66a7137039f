"""Defects of the optimizers that scale each weight's step."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from numpynet import Adagrad, Adam, AdamW, Array, Parameter, RMSprop
from numpynet.adaptive import moving_average
from numpynet.optimizers import State
from parity.defects.defect import caught_on
from parity.defects.mistakes import FullDecayDropped, RateClipped
from parity.ladder.trace import STEP


@caught_on(STEP)
class AdamUncorrected(Adam):
    """Forgets the bias correction: the first steps are too small, or far too large."""

    def corrections(self, parameter: Parameter) -> tuple[Any, Any]:
        return 1.0, 1.0


@caught_on(STEP)
class AdamCountsFromZero(Adam):
    """Corrects the first step as if it were the second."""

    def corrections(self, parameter: Parameter) -> tuple[Any, Any]:
        return 1 - self.beta1 ** (self.steps + 1), 1 - self.beta2 ** (self.steps + 1)


@caught_on(STEP)
class AdamCountsParameters(Adam):
    """Counts a step for every parameter: the correction of the second one is that of step 2."""

    def corrections(self, parameter: Parameter) -> tuple[Any, Any]:
        self._moves = vars(self).get("_moves", 0) + 1
        return 1 - self.beta1**self._moves, 1 - self.beta2**self._moves


@caught_on(STEP)
class AdamEpsBeforeCorrection(Adam):
    """Adds eps to the uncorrected root, as Keras does, where torch's rule is asked for."""

    def move(self, parameter: Parameter, gradient: Array, state: State) -> None:
        asked, self.eps_hat = self.eps_hat, True
        super().move(parameter, gradient, state)
        self.eps_hat = asked


@caught_on(STEP)
class AdamCorrectsTheRoot(Adam):
    """Divides the root of the second moment by 1 - beta2^t, not by its root."""

    def corrections(self, parameter: Parameter) -> tuple[Any, Any]:
        first, second = super().corrections(parameter)
        return first, second**2


@caught_on(STEP)
class AdamBetasSwapped(Adam):
    """Takes the betas in the other order."""

    def move(self, parameter: Parameter, gradient: Array, state: State) -> None:
        self.beta1, self.beta2 = self.beta2, self.beta1
        super().move(parameter, gradient, state)
        self.beta1, self.beta2 = self.beta2, self.beta1


@caught_on(STEP)
class AMSGradOfCorrected(Adam):
    """Keeps the largest corrected second moment, where torch and Keras keep the raw one."""

    def move(self, parameter: Parameter, gradient: Array, state: State) -> None:
        correction = self.corrections(parameter)[1]
        before = 1 - self.beta2 ** (self.steps - 1)
        if self.amsgrad and "largest_second_moment" in state:
            state["largest_second_moment"] *= correction / before
        super().move(parameter, gradient, state)


@caught_on(STEP)
class AMSGradForgets(Adam):
    """Compares the second moment with the one before alone, not with the largest so far."""

    def move(self, parameter: Parameter, gradient: Array, state: State) -> None:
        if self.amsgrad and "second_moment" in state:
            state["largest_second_moment"] = state["second_moment"].copy()
        super().move(parameter, gradient, state)


@caught_on(STEP)
class AdamDecoupledDecay(Adam):
    """Decays as AdamW does where an L2 penalty is asked for."""

    def decayed(self, parameter: Parameter, gradient: Array) -> Array:
        return AdamW.decayed(self, parameter, gradient)  # type: ignore[arg-type]


@caught_on(STEP)
class AdamWCoupledDecay(AdamW):
    """Adds the decay to the gradient: Adam with an L2 penalty, whose moments see it."""

    def decayed(self, parameter: Parameter, gradient: Array) -> Array:
        return gradient + self.weight_decay * parameter.value


@caught_on(STEP)
class AdamWDecaysAfterwards(AdamW):
    """Shrinks the weight that the step has moved already."""

    def decayed(self, parameter: Parameter, gradient: Array) -> Array:
        return gradient

    def move(self, parameter: Parameter, gradient: Array, state: State) -> None:
        super().move(parameter, gradient, state)
        parameter.value *= 1 - self.lr * self.weight_decay


@caught_on(STEP)
class AdamWDecayWithoutRate(AdamW):
    """Shrinks by the decay alone, as the paper writes it: torch and Keras multiply it by the learning rate."""

    def decayed(self, parameter: Parameter, gradient: Array) -> Array:
        parameter.value *= 1 - self.weight_decay
        return gradient


@caught_on(STEP)
class RMSpropEpsElsewhere(RMSprop):
    """Puts RMSprop's eps beneath the root where it is asked for outside, and the other way round."""

    def move(self, parameter: Parameter, gradient: Array, state: State) -> None:
        self.eps_inside = not self.eps_inside
        super().move(parameter, gradient, state)
        self.eps_inside = not self.eps_inside


@caught_on(STEP)
class RMSpropCentredSign(RMSprop):
    """Adds the squared mean where it is to be subtracted."""

    def move(self, parameter: Parameter, gradient: Array, state: State) -> None:
        if not self.centered:
            return super().move(parameter, gradient, state)
        second = moving_average(state, "second_moment", gradient * gradient, self.alpha, parameter.scratch)
        first = moving_average(state, "first_moment", gradient, self.alpha, parameter.scratch)
        root = np.sqrt(second + first * first + (self.eps if self.eps_inside else 0))
        root = root if self.eps_inside else root + self.eps
        parameter.value -= self.lr * (self.advance(gradient, root, state) if self.momentum else gradient / root)
        return None


@caught_on(STEP)
class RMSpropMomentumOfGradient(RMSprop):
    """Lets the momentum gather gradients, and scales what it has gathered."""

    def advance(self, gradient: Array, root: Array, state: State) -> Array:
        return super().advance(gradient, np.ones_like(root), state) / root


@caught_on(STEP)
class RMSpropRateInVelocity(RMSprop):
    """Keeps the learning rate inside RMSprop's velocity, as Keras does: another rule as soon as it changes."""

    def advance(self, gradient: Array, root: Array, state: State) -> Array:
        return super().advance(self.lr * gradient, root, state) / self.lr


@caught_on(STEP)
class AdagradStartsAtZero(Adagrad):
    """Starts its accumulator at zero, whatever it was asked for."""

    def move(self, parameter: Parameter, gradient: Array, state: State) -> None:
        state.setdefault("accumulator", np.zeros_like(gradient))
        super().move(parameter, gradient, state)


@caught_on(STEP)
class AdagradMovesFirst(Adagrad):
    """Divides by what was gathered before this gradient."""

    def move(self, parameter: Parameter, gradient: Array, state: State) -> None:
        before = parameter.value.copy()
        old = state.get("accumulator", np.full_like(gradient, self.initial_accumulator)).copy()
        super().move(parameter, gradient, state)
        root = np.sqrt(old + self.eps) if self.eps_inside else np.sqrt(old) + self.eps
        parameter.value[...] = before - self.lr * gradient / root


@caught_on(STEP)
class AdagradEpsElsewhere(Adagrad):
    """Puts Adagrad's eps beneath the root where it is asked for outside, and the other way round."""

    def move(self, parameter: Parameter, gradient: Array, state: State) -> None:
        self.eps_inside = not self.eps_inside
        super().move(parameter, gradient, state)
        self.eps_inside = not self.eps_inside


@caught_on(STEP)
class AdamCorrectionStops(Adam):
    """Corrects every step after the fourth as the fourth."""

    def corrections(self, parameter: Parameter) -> tuple[Any, Any]:
        steps = min(self.steps, 4)
        return 1 - self.beta1**steps, 1 - self.beta2**steps


@caught_on(STEP)
class AdamOnMatricesByRow(Adam):
    """Averages the squares of a matrix' gradient along its rows, as factored optimizers do."""

    def average(self, state: State, slot: str, values: Array, decay: float, scratch: Array) -> Array:
        if slot == "second_moment" and values.ndim > 1:
            values[...] = values.mean(axis=-1, keepdims=True)
        return super().average(state, slot, values, decay, scratch)


@caught_on(STEP)
class AdamLargeRateClipped(RateClipped, Adam):
    """Clips its learning rate at 1/4: a guard that was left in."""


@caught_on(STEP)
class AdamWFullDecayDropped(FullDecayDropped, AdamW):
    """Takes a decoupled weight decay of 1 for a switch that is off."""


@caught_on(STEP)
class AdamWDecayStops(AdamW):
    """Decays in the first four steps."""

    def decayed(self, parameter: Parameter, gradient: Array) -> Array:
        return gradient if self.steps > 4 else super().decayed(parameter, gradient)


@caught_on(STEP)
class RMSpropFreezes(RMSprop):
    """Its average stands still after the fourth step."""

    def move(self, parameter: Parameter, gradient: Array, state: State) -> None:
        own, self.alpha = self.alpha, 1.0 if self.steps > 4 else self.alpha
        super().move(parameter, gradient, state)
        self.alpha = own


@caught_on(STEP)
class AdagradFreezes(Adagrad):
    """Its sum stands still after the fourth step."""

    def move(self, parameter: Parameter, gradient: Array, state: State) -> None:
        before = state["accumulator"].copy() if "accumulator" in state else None
        super().move(parameter, gradient, state)
        if before is not None and self.steps > 4:
            state["accumulator"] = before


@caught_on(STEP)
class AdagradOfVectors(Adagrad):
    """Moves matrices twice as far."""

    def move(self, parameter: Parameter, gradient: Array, state: State) -> None:
        before = parameter.value.copy()
        super().move(parameter, gradient, state)
        if before.ndim > 1:
            parameter.value += parameter.value - before


@caught_on(STEP)
class AdamStepsOfAll(Adam):
    """Counts its steps in the class: two optimizers correct the bias as if each had made the steps of both."""

    made: ClassVar[int] = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        type(self).made = 0

    def step(self) -> None:
        self.steps = type(self).made
        super().step()
        type(self).made = self.steps
