"""One training step, and the search for the tensor in which it diverged."""

from __future__ import annotations

import copy
import math
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from numpynet.losses import Criterion
from numpynet.module import Array, Module, Parameter, each
from numpynet.optimizers import Optimizer


@dataclass(eq=False)
class Divergence(RuntimeError):
    """Raised where training met a NaN or an infinity.

    tensor, layer: where it first appeared: "output", "gradient of weight", "parameter weight", ... of "layer 2
        (Linear)", "the criterion (NLLCriterion)", "the batch"; None where the trainer cannot tell
    step, epoch: when it appeared, filled in by `fit`; both count from 0, steps through all epochs
    loss: the loss of that step
    steps_ago: 1 for a parameter that was not finite when the step that noticed it began, else 0
    """

    loss: float
    tensor: str | None = None
    layer: str | None = None
    step: int | None = None
    epoch: int | None = None
    steps_ago: int = 0

    def __str__(self) -> str:
        when = "" if self.step is None else f" in epoch {self.epoch}, step {self.step} (counted from 0)"
        where = f"; NaN or inf first appeared in the {self.tensor} of {self.layer}" if self.tensor else ""
        return f"training diverged{when} at loss {self.loss:.6g}{where}"


class Trainer:
    """A model with its criterion and its optimizer, to be driven by `fit` or by a loop of one's own.

    Inputs (N, ...), or tuples of such arrays, are cast to the dtype of the model's parameters. `outputs` are those of
    the last step, until the model is used again.
    """

    outputs: Array

    def __init__(self, model: Module, criterion: Criterion, optimizer: Optimizer) -> None:
        self.model = model
        self.criterion = criterion
        self.optimizer = optimizer
        self._parameters = model.parameters()
        self._modules = [module for _, module in model.named_modules()]

    def step(self, inputs: Any, targets: Any) -> float:
        """Train on one batch, in training mode; returns the loss before the update.

        Raises Divergence where the loss, a gradient or a parameter is not finite, before the optimizer moves anything;
        so what an update made infinite is reported at the next step, with `steps_ago=1`.
        """
        inputs = self._cast(inputs)
        drawn_from = [(rng, rng.bit_generator.state) for rng in map(_generator, self._modules) if rng]
        if not self.model.training:
            self.model.train()
        for parameter in self._parameters:
            parameter.zero_grad()
        with np.errstate(all="ignore"):
            self.outputs = self.model(inputs)
            loss = float(self.criterion(self.outputs, targets))
            if math.isfinite(loss):
                self.model.accumulate(self.criterion.backward())
            if not math.isfinite(loss) or not all(map(_is_finite, self._parameters)):
                for rng, state in drawn_from:
                    rng.bit_generator.state = state
                _replay(self, inputs, targets, loss)
            self.optimizer.step()
        return loss

    @property
    def steps(self) -> int:
        """The number of steps that the optimizer has taken."""
        return self.optimizer.steps

    def state(self) -> dict[str, Array]:
        """Copies of the model's parameters and running statistics, by dotted name."""
        return self.model.state_dict()

    def predict(self, inputs: Any, batch_size: int = 1024) -> Array:
        """The outputs (N, C) for inputs (N, ...), computed in evaluation mode, in which the model stays."""
        self.model.evaluate()
        with np.errstate(all="ignore"):
            # Copies: a layer may write its next output over this one.
            return np.concatenate([self.model(self._cast(batch)).copy() for batch in batches(inputs, batch_size)])

    def loss(self, outputs: Array, targets: Array) -> float:
        """The criterion's value, as a float, for outputs that are already computed."""
        with np.errstate(all="ignore"):
            return float(self.criterion(outputs, targets))

    def _cast(self, inputs: Any) -> Any:
        if not self._parameters:
            return inputs
        return each(lambda array: array.astype(self._parameters[0].value.dtype, copy=False), inputs)


def batches(inputs: Any, batch_size: int) -> Iterator[Any]:
    """Yields successive rows of an array, or of every array of a tuple, `batch_size` at a time.

    Where there is no row it yields one batch, which is empty.
    """
    rows = len(inputs[0] if isinstance(inputs, tuple) else inputs)
    for start in range(0, max(rows, 1), batch_size):
        yield each(operator.itemgetter(slice(start, start + batch_size)), inputs)


def _generator(module: Module) -> np.random.Generator | None:
    rng = vars(module).get("rng")
    return rng if isinstance(rng, np.random.Generator) else None


def _is_finite(parameter: Parameter) -> bool:
    # One pass over value and gradient, 2 to 3% of a step of 784-128-128-10: an inf or NaN in either survives
    # the dot product. It can overflow by itself, hence the second look.
    value, grad = parameter.value, parameter.grad
    return bool(np.isfinite(np.vdot(value, grad)) or (np.isfinite(value).all() and np.isfinite(grad).all()))


def _replay(trainer: Trainer, inputs: Any, targets: Any, loss: float) -> NoReturn:
    """Repeat a step on copies of the model and criterion; raise Divergence at the first tensor that is not finite."""

    def check(value: Any, tensor: str, layer: str, steps_ago: int = 0) -> Any:
        if not all(np.isfinite(array).all() for array in (value if isinstance(value, tuple) else (value,))):
            raise Divergence(loss, tensor, layer, steps_ago=steps_ago)
        return value

    def watch(module: Module, layer: str) -> None:
        parameters = {name: value for name, value in vars(module).items() if isinstance(value, Parameter)}
        for name, parameter in parameters.items():
            check(parameter.value, f"parameter {name}", layer, steps_ago=1)

        def checked(method: Callable[[Any], Any], tensor: str) -> Callable[[Any], Any]:
            def call(value: Any) -> Any:
                result = method(value)
                for name, parameter in parameters.items():
                    check(parameter.grad, f"gradient of {name}", layer)
                return check(result, tensor, layer)

            return call

        vars(module)["forward"] = checked(module.forward, "output")
        vars(module)["backward"] = checked(module.backward, "gradient of the input")

    model, criterion = copy.deepcopy((trainer.model, trainer.criterion))
    model.zero_grad()
    for name, module in model.named_modules():
        watch(module, f"layer {name} ({type(module).__name__})" if name else f"the {type(module).__name__}")
    check(inputs, "inputs", "the batch")
    layer = f"the criterion ({type(criterion).__name__})"
    check(criterion(model(inputs), targets), "loss", layer)
    model.backward(check(criterion.backward(), "gradient", layer))
    raise Divergence(loss)
