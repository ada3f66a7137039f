"""Defects of gradient clipping, planted in an optimizer that is asked to clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from numpynet import SGD, Array, ClipByGlobalNorm, ClipByNorm, ClipByValue, Parameter
from numpynet.clipping import norm
from numpynet.optimizers import State
from parity.defects.defect import caught_on
from parity.ladder.trace import GRADIENT, STEP


@caught_on(STEP)
class ClipsAllTogether(SGD):
    """Clips by the norm of all gradients together where each has its own limit."""

    def step(self) -> None:
        if isinstance(self.clip, ClipByNorm):
            self.clip = ClipByGlobalNorm(self.clip.limit)
        super().step()


@caught_on(STEP)
class ClipsEachAlone(SGD):
    """Clips each gradient by its own norm where that of all together has a limit: the direction changes."""

    def step(self) -> None:
        if isinstance(self.clip, ClipByGlobalNorm):
            self.clip = ClipByNorm(self.clip.limit)
        super().step()


@caught_on(STEP)
class ClipsAfterDecay(SGD):
    """Clips the sum of gradient and weight decay."""

    def step(self) -> None:
        self._asked, self.clip = self.clip, None
        super().step()
        self.clip = self._asked

    def move(self, parameter: Parameter, gradient: Array, state: State) -> None:
        super().move(parameter, gradient if self._asked is None else self._asked([gradient])[0], state)


@caught_on(GRADIENT)
class ClipsBeforeAccumulation(SGD):
    """Clips the stored gradients themselves, on top of which the next backward pass accumulates."""

    def step(self) -> None:
        if self.clip is not None:
            for parameter, clipped in zip(
                self.parameters, self.clip([parameter.grad for parameter in self.parameters]), strict=True
            ):
                parameter.grad = clipped
        super().step()


@caught_on(STEP)
class ClipsAboveAlone(SGD):
    """Bounds the values from above alone."""

    def step(self) -> None:
        if isinstance(self.clip, ClipByValue):
            limit = self.clip.limit
            self.clip = lambda gradients: [np.minimum(gradient, limit) for gradient in gradients]
        super().step()


@dataclass(frozen=True)
class _Normalize:
    limit: float
    raised: float = 0.0

    def __call__(self, gradients: list[Array]) -> list[Array]:
        return [gradient * (self.limit / (norm([gradient]) + self.raised)) for gradient in gradients]


@caught_on(STEP)
class ClipsShortOnesToo(SGD):
    """Gives every gradient the norm that is the limit, short ones too."""

    def step(self) -> None:
        if isinstance(self.clip, ClipByNorm):
            self.clip = _Normalize(self.clip.limit)
        super().step()


@caught_on(STEP, dtype="float64")
class ClipsWithEps(SGD):
    """Adds torch's 1e-6 to the norm: what is clipped stays a little below the limit."""

    def step(self) -> None:
        asked = self.clip
        if isinstance(asked, ClipByNorm):
            raised = _Normalize(asked.limit, 1e-6)
            self.clip = lambda gradients: [
                raised([gradient])[0] if norm([gradient]) > asked.limit else gradient for gradient in gradients
            ]
        super().step()
        self.clip = asked
