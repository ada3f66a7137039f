"""Observation of what happens inside a training: every tensor of a step, in an implementation's own numbers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from numpynet import Array, Sequential
from numpynet.datasets import batch_order
from numpynet.training import Callback, Divergence, Logs, accuracy, evaluate
from parity.case import Case, Step
from parity.ladder.trace import GRADIENT, OUTPUT, Trace, run
from parity.mapping.convert import subject
from parity.mapping.loss import Loss
from parity.training.experiment import Experiment, train, trainer

NETWORK, CRITERION = "0", "1"  # as layers of what is observed
VALUES = {"weight": "weights", "bias": "biases"}


@dataclass(frozen=True)
class Observation:
    """The tensors of one training step of an implementation, before its update.

    step: counted from 0, through all epochs
    state: parameters and running statistics, by numpynet's names
    trace: everything that the step computes, in the order in which it is computed
    layers: names of the layers with their classes, such as "1.ReLU", by numpynet's names
    """

    step: int
    state: dict[str, Array]
    trace: Trace
    layers: dict[str, str]

    def tensors(self) -> Iterator[tuple[str, Array]]:
        """Yields every tensor with a tag that is the same for every implementation.

        Tags are such as "weights/0.Linear" and "activations/1.ReLU". What a layer with parameters puts out is called a
        pre-activation, what any other puts out an activation.
        """
        trained = set()
        for name, values in self.state.items():
            layer, _, tensor = name.rpartition(".")
            trained.add(layer)
            yield f"{VALUES.get(tensor, tensor)}/{self.layers[layer]}", values
        for key, values in self.trace.items():
            network, _, layer = key.layer.partition(".")
            if network == NETWORK and layer:
                output = "pre-activations" if layer in trained else "activations"
                tags = {"output": output, "output gradient": "output-gradients"}
                yield f"{tags.get(key.quantity, f'{key.tensor}-gradients')}/{self.layers.get(layer, layer)}", values

    def not_finite(self) -> tuple[str, str] | None:
        """The tensor and the layer where the step first computes a NaN or an infinity; None where it does not."""
        for key, values in self.trace.items():
            if key.layer and not np.isfinite(values).all():
                name, _, kind = self.layers.get(key.layer.partition(".")[2], "").rpartition(".")
                tensor = f"gradient of {key.tensor or 'the output'}" if key.rung == GRADIENT else key.quantity
                return tensor, f"layer {name} ({kind})" if name else "the criterion"
        return None

    @property
    def loss(self) -> float:
        return float(next(v for k, v in self.trace.items() if (k.layer, k.quantity) == (CRITERION, "output")))

    @property
    def outputs(self) -> Array:
        """The outputs of the network, (N, C)."""
        inside = [v for k, v in self.trace.items() if k.rung == OUTPUT and k.layer.startswith(f"{NETWORK}.")]
        return inside[-1]

    @property
    def zero_gradients(self) -> float:
        """The share of the parameters' gradients that is exactly zero."""
        gradients = [v for k, v in self.trace.items() if k.quantity == "parameter gradient"]
        return sum(int(np.sum(g == 0)) for g in gradients) / sum(g.size for g in gradients)


class Observer(Callback):
    """A callback that shows `see` an `Observation` of each step that is `due`, before the step is taken.

    Steps count from 0, through all epochs. The training goes on as if it were not there: what is observed is a copy
    with the same weights, run by the same implementation. The copy draws dropout masks of its own.
    """

    def __init__(
        self,
        experiment: Experiment,
        implementation: str,
        seed: int,
        due: Callable[[int], bool],
        see: Callable[[Observation], object],
    ) -> None:
        self.experiment, self.implementation, self.seed = experiment, implementation, seed
        self.due, self.see = due, see
        self.model = experiment.model(seed)
        self.layers = {name: f"{name}.{type(module).__name__}" for name, module in self.model.named_modules()}

    def on_epoch_begin(self, epoch: int, logs: Logs) -> None:
        rows = len(self.experiment.dataset.train)
        self.batches = batch_order(rows, self.experiment.batch_size, self.seed, epoch)

    def on_train_batch_begin(self, batch: int, logs: Logs) -> None:
        if self.due(step := len(self.history.step_losses)):
            self.see(self._observe(step, self.batches[batch]))

    def _observe(self, step: int, rows: Array) -> Observation:
        data, dtype = self.experiment.dataset, self.experiment.dtype
        inputs, targets = data.train.inputs[rows].astype(dtype), data.train.targets[rows]
        if self.experiment.one_hot:
            targets = np.eye(data.num_classes, dtype=dtype)[targets]
        trainer: Any = self.trainer  # which `fit` asks less of
        state, model = trainer.state(), copy.deepcopy(self.model)
        model.load_state_dict(state)
        whole = Sequential(model, Loss(self.experiment.criterion(), targets))
        case = Case(whole, [Step(inputs, np.ones((), dtype))])
        with np.errstate(all="ignore"):
            trace = run(case, subject(case, self.implementation))
        return Observation(step, state, trace, self.layers)


QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


class Watch(Observer):
    """An observer that keeps the distribution of every tensor, and losses and accuracies, every `every` steps.

    steps: the observed ones, counted from 0
    quantiles: by tag, the QUANTILES of the tensor at each of these steps; NaN where the tensor is not finite
    scalars: by tag, one value for each of these steps: "loss/train" and "accuracy/train" of the batch,
        "loss/validation" and "accuracy/validation" of all validation rows, and "gradients/zero", the share of gradients
        that are exactly 0
    """

    def __init__(
        self,
        experiment: Experiment,
        implementation: str,
        seed: int,
        every: int = 50,
        see: Callable[[Observation, dict[str, float]], object] = lambda observation, scalars: None,
    ) -> None:
        super().__init__(experiment, implementation, seed, lambda step: step % every == 0, self._keep)
        self.steps: list[int] = []
        self.quantiles: dict[str, list[list[float]]] = {}
        self.scalars: dict[str, list[float]] = {}
        self._show = see

    def _keep(self, seen: Observation) -> None:
        data = self.experiment.dataset
        self.steps.append(seen.step)
        for tag, values in seen.tensors():
            found = np.quantile(values, QUANTILES) if np.isfinite(values).all() else np.full(len(QUANTILES), np.nan)
            self.quantiles.setdefault(tag, []).append([float(f"{value:.6g}") for value in found])
        targets = data.train.targets[self.batches[seen.step % len(self.batches)]]
        held_out = evaluate(self.trainer, data.validation)
        scalars = {
            "loss/train": seen.loss,
            "loss/validation": float("nan") if held_out.loss is None else held_out.loss,
            "accuracy/train": accuracy(seen.outputs, targets),
            "accuracy/validation": held_out.accuracy,
            "gradients/zero": seen.zero_gradients,
        }
        for tag, value in scalars.items():
            self.scalars.setdefault(tag, []).append(value)
        self._show(seen, scalars)

    def as_fields(self) -> dict[str, Any]:
        return {"steps": self.steps, "quantiles": self.quantiles, "scalars": self.scalars}


def locate(experiment: Experiment, implementation: str, seed: int, divergence: Divergence) -> None:
    """Fill in the tensor and the layer where a divergence began, which a framework's trainer cannot tell.

    Trains once more, and looks at the step that diverged and at the one before: a gradient that is not finite shows in
    the loss one step later.
    """
    bad = divergence.step
    assert bad is not None
    per_epoch = -(-len(experiment.dataset.train) // experiment.batch_size)

    def see(seen: Observation) -> None:
        if divergence.tensor is None and (place := seen.not_finite()):
            divergence.tensor, divergence.layer = place
            divergence.step, divergence.epoch = seen.step, seen.step // per_epoch

    again = trainer(experiment, implementation, seed)
    train(
        experiment,
        again,
        seed,
        callbacks=[Observer(experiment, implementation, seed, {bad - 1, bad}.__contains__, see)],
    )
