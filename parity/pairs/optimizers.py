"""The pair of stochastic gradient descent, and what the pairs of all optimizers share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from numpynet import SGD, Array, ClipByGlobalNorm, ClipByNorm, ClipByValue, Optimizer, Scaling
from numpynet.clipping import Clip
from numpynet.optimizers import State
from parity.lazy import keras, keras_optimizers, torch, torch_optimizers
from parity.pairing import Pair, pair, pair_of
from parity.strategies import dyadic, sizes

powers_of_two = st.integers(-4, 6).map(lambda exponent: 2.0**exponent)
clips: SearchStrategy[Clip | None] = st.none() | st.one_of(
    *(st.builds(clip, powers_of_two) for clip in (ClipByValue, ClipByNorm, ClipByGlobalNorm))
)
decays = st.just(0.0) | dyadic(1 / 16, 1 / 4)


class OptimizerPair(Pair):
    """Base of the pairs of optimizers, which are proven on Scaling, whose parameter gradients are the simplest.

    Every layer with parameters is trained by them, too. `arguments` draws all but the learning rate. `torch_rule` and
    `keras_rule` return the framework's optimizer for a rule of ours, `torch_slots` and `keras_slots` say what it calls
    our slots. In Keras those in `rate_inside` hold the learning rate, with that sign. `decoupled` weight decay is no L2
    penalty.
    """

    arguments: SearchStrategy[dict[str, Any]]
    torch_slots: ClassVar[dict[str, str]]
    keras_slots: ClassVar[dict[str, str]]
    rate_inside: ClassVar[dict[str, int]] = {}
    decoupled: ClassVar[bool] = False

    modules = st.builds(Scaling, sizes)

    @property
    def optimizers(self) -> tuple[type[Optimizer], ...]:  # type: ignore[override]
        return (self.module_class,)

    def shapes(self, module: Scaling) -> SearchStrategy[tuple[int, ...]]:
        return pair_of(module).shapes(module)

    def torch(self, module: Scaling) -> Any:
        return pair_of(module).torch(module)

    def tensorflow(self, module: Scaling) -> Any:
        return pair_of(module).tensorflow(module)

    def torch_rule(self, rule: Any, parameters: list[Any]) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no PyTorch counterpart")

    def keras_rule(self, rule: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no Keras counterpart")

    def torch_optimizer(self, rule: Optimizer, parameters: Iterable[Any]) -> Any:
        made = self.torch_rule(rule, list(parameters))
        if rule.clip is not None:
            torch_optimizers.clip_steps(made, rule.clip)
        return made

    def tensorflow_optimizer(self, rule: Optimizer, variables: list[Any]) -> Any:
        made = self.keras_rule(rule)
        return keras_optimizers.Rule(rule, made, variables, self.keras_slots, self.rate_inside, self.decoupled)


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
    momentum = draw(dyadic(0, 15 / 16))
    nesterov = momentum > 0 and draw(st.booleans())
    dampening = 0.0 if nesterov or momentum == 0 else draw(dyadic(0, 0.5))
    rest = {"weight_decay": draw(decays), "nesterov": nesterov, "clip": draw(clips)}
    return {"momentum": momentum, "dampening": dampening, **rest}


@pair(SGD)
class SGDPair(OptimizerPair):
    arguments = sgd_arguments()
    formulas: ClassVar = {"tensorflow": SGDOfKeras}
    torch_slots: ClassVar = {"velocity": "momentum_buffer"}
    keras_slots: ClassVar = {"velocity": "momentums"}
    rate_inside: ClassVar = {"velocity": -1}

    def torch_rule(self, rule: SGD, parameters: list[Any]) -> Any:
        return torch.optim.SGD(
            parameters,
            lr=rule.lr,
            momentum=rule.momentum,
            dampening=rule.dampening,
            weight_decay=rule.weight_decay,
            nesterov=rule.nesterov,
        )

    def keras_rule(self, rule: SGD) -> Any:
        return keras.optimizers.SGD(rule.lr, momentum=rule.momentum, nesterov=rule.nesterov)
