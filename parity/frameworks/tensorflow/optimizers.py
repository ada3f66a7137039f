"""Keras optimizers for numpynet rules that Keras has only in another form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
import tensorflow as tf

from numpynet import Array, ClipByGlobalNorm, ClipByNorm, ClipByValue, Optimizer
from parity.frameworks.counterpart import TensorView, distinct
from parity.frameworks.framework import OptimizerTranslation

CLIPS: dict[Any, Callable[[list[Any], float], Any]] = {
    ClipByValue: lambda gradients, limit: [tf.clip_by_value(g, -limit, limit) for g in gradients],
    ClipByNorm: lambda gradients, limit: [tf.clip_by_norm(g, limit) for g in gradients],
    ClipByGlobalNorm: lambda gradients, limit: tf.clip_by_global_norm(gradients, limit)[0],
}


class Rule:
    """A Keras optimizer of the variables in `views` that is made to follow a numpynet rule, as its pair says.

    A variable that holds several arrays is given to Keras once; it is clipped whole, so that clipping each parameter by
    its own norm raises NotImplementedError there.

    The slots that hold the learning rate are rescaled when it changes (differences, sgd-velocity, rmsprop-velocity).
    Clipping, the L2 penalty (unless the decay is decoupled) and dampening go into the gradient, in this order: Keras
    has no such penalty and no dampening (differences, sgd-weight-decay, adam-weight-decay, sgd-dampening).
    """

    def __init__(self, rule: Optimizer, translation: OptimizerTranslation, views: Mapping[str, TensorView]) -> None:
        if isinstance(rule.clip, ClipByNorm) and any(view.part is not None for view in views.values()):
            raise NotImplementedError("Keras clips a variable as a whole, not each of the arrays that it holds")
        variables = distinct(views)
        made = getattr(translation, "tensorflow")(rule)  # noqa: B009
        self.rule, self.keras, self.variables, self.lr = rule, made, variables, rule.lr
        made.build(variables)
        slots = translation.slots["tensorflow"]
        self.slots = {ours: list(getattr(made, theirs, ())) for ours, theirs in slots.items()}
        self.rate_inside = translation.rate_inside.get("tensorflow", {})
        self.l2_penalty = 0.0 if translation.decoupled else rule.weight_decay
        dampening = getattr(rule, "dampening", 0.0)
        self.dampened = 1 - dampening
        self.factor = tf.Variable(1.0, dtype=variables[0].dtype) if dampening else None

    def set_lr(self, lr: float) -> None:
        if lr != self.lr:
            for slot in self.rate_inside:
                for variable in self.slots[slot]:
                    variable.assign(variable * (lr / self.lr))
            self.keras.learning_rate = self.lr = lr

    def apply(self, gradients: Iterable[Any]) -> None:
        """Take one step along these gradients; it may be traced by tf.function."""
        gradients = list(gradients)
        clip = self.rule.clip  # a name of its own: TensorFlow cannot trace :=
        if clip is not None:
            gradients = CLIPS[type(clip)](gradients, clip.limit)  # type: ignore[attr-defined]
        if self.l2_penalty:
            weights = [tf.convert_to_tensor(variable) for variable in self.variables]
            gradients = [g + self.l2_penalty * w for g, w in zip(gradients, weights, strict=True)]
        if self.factor is not None:
            gradients = [g * self.factor for g in gradients]
            self.factor.assign(self.dampened)  # the first step is not dampened
        self.keras.apply(gradients, self.variables)

    def step(self, gradients: Iterable[Any], lr: float) -> None:
        self.set_lr(lr)
        self.apply(gradients)

    def state(self) -> list[dict[str, Array]]:
        """The arrays of each variable, in the order of the variables, by numpynet's slots."""
        rates = {slot: sign * self.lr for slot, sign in self.rate_inside.items()}
        return [
            {slot: held[index].numpy() / rates.get(slot, 1) for slot, held in self.slots.items() if held}
            for index in range(len(self.variables))
        ]


class _CorrectedRoot:
    """Mixin of Adam and AdamW that adds eps to the corrected root, as torch does.

    Keras adds it before the correction, where the same eps is another one in every step.
    """

    eps: float

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        beta2 = tf.cast(self.beta_2, variable.dtype)  # type: ignore[attr-defined]
        steps = tf.cast(self.iterations + 1, variable.dtype)  # type: ignore[attr-defined]
        self.epsilon = self.eps * tf.sqrt(1 - beta2**steps)
        super().update_step(gradient, variable, learning_rate)  # type: ignore[misc]


class Adam(_CorrectedRoot, keras.optimizers.Adam):
    pass


class AdamW(_CorrectedRoot, keras.optimizers.AdamW):
    pass


class RMSpropEpsOutside(keras.optimizers.RMSprop):
    """Keras' RMSprop with eps added to the root: Keras adds it beneath the root, and no eps there makes up for it."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        index, lr = self._get_variable_index(variable), tf.cast(learning_rate, variable.dtype)
        variance = self._velocities[index]
        variance.assign(self.rho * variance + (1 - self.rho) * tf.square(gradient))
        root = tf.convert_to_tensor(variance)
        if self.centered:
            mean = self._average_gradients[index]
            mean.assign(self.rho * mean + (1 - self.rho) * gradient)
            root -= tf.square(tf.convert_to_tensor(mean))
        increment = lr * gradient / (tf.sqrt(root) + self.epsilon)
        if self.momentum > 0:
            velocity = self._momentums[index]
            velocity.assign(self.momentum * velocity + increment)
            increment = tf.convert_to_tensor(velocity)
        variable.assign_sub(increment)


class AdagradEpsOutside(keras.optimizers.Adagrad):
    """Keras' Adagrad with eps added to the root: Keras adds it beneath the root, and no eps there makes up for it."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        accumulator = self._accumulators[self._get_variable_index(variable)]
        accumulator.assign_add(tf.square(gradient))
        root = tf.sqrt(tf.convert_to_tensor(accumulator))
        variable.assign_sub(tf.cast(learning_rate, variable.dtype) * gradient / (root + self.epsilon))
