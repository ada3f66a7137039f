"""The pair of stochastic gradient descent, and what is drawn for every optimizer."""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from numpynet import SGD, Array, ClipByGlobalNorm, ClipByNorm, ClipByValue
from numpynet.clipping import Clip
from numpynet.optimizers import State
from parity.drawing.strategies import dyadic
from parity.drawing.tails import ends
from parity.frameworks.lazy import keras, torch
from parity.mapping.pair import OptimizerPair, pair

powers_of_two = st.integers(-4, 6).map(lambda exponent: 2.0**exponent)
clips: SearchStrategy[Clip | None] = st.none() | st.one_of(
    *(st.builds(clip, powers_of_two) for clip in (ClipByValue, ClipByNorm, ClipByGlobalNorm))
)
decays = ends(st.just(0.0) | dyadic(1 / 16, 1 / 4), 0.01, 1.0)


class SGDOfKeras(SGD):
    """SGD with Keras' velocity, which holds the learning rate and so underflows sooner."""

    def advance(self, gradient: Array, state: State, scratch: Array) -> Array:
        if "velocity" in state:
            state["velocity"] = self.lr * state["velocity"]
        direction = super().advance(self.lr * gradient, state, scratch) / self.lr
        state["velocity"] = state["velocity"] / self.lr
        return direction


@st.composite
def sgd_arguments(draw: st.DrawFn) -> dict[str, Any]:
    momentum = draw(ends(dyadic(0, 15 / 16), 0.9, 1.0))
    nesterov = momentum > 0 and draw(st.booleans())
    dampening = 0.0 if nesterov or momentum == 0 else draw(dyadic(0, 0.5))
    rest = {"weight_decay": draw(decays), "nesterov": nesterov, "clip": draw(clips)}
    return {"momentum": momentum, "dampening": dampening, **rest}


@pair(SGD)
class SGDPair(OptimizerPair):
    arguments = sgd_arguments()
    formulas: ClassVar = {"tensorflow": SGDOfKeras}
    slots: ClassVar = {"torch": {"velocity": "momentum_buffer"}, "tensorflow": {"velocity": "momentums"}}
    rate_inside: ClassVar = {"tensorflow": {"velocity": -1}}

    def torch(self, rule: SGD, parameters: list[Any]) -> Any:
        return torch.optim.SGD(
            parameters,
            lr=rule.lr,
            momentum=rule.momentum,
            dampening=rule.dampening,
            weight_decay=rule.weight_decay,
            nesterov=rule.nesterov,
        )

    def tensorflow(self, rule: SGD) -> Any:
        return keras.optimizers.SGD(rule.lr, momentum=rule.momentum, nesterov=rule.nesterov)
