"""The process in which a Keras model runs on torch, under rounding errors: `python -m parity.comparison.worker FD`.

Started by `parity.comparison.elsewhere` with KERAS_BACKEND=torch. It ends where the connection does.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from parity.comparison.elsewhere import Answer, Asked, Begin, Empty, bare
from parity.comparison.layers.torch import SELU_ALPHA, SELU_SCALE, exponential, folded
from parity.comparison.model import Layer, Run
from parity.comparison.operations import Rounding
from parity.comparison.sides.keras import KerasModel
from parity.frameworks.lazy import keras, torch
from parity.rounding.errors import making


class Tape(contextlib.AbstractContextManager["Tape"]):
    """A tape, as TensorFlow calls it, by torch's autograd."""

    def __exit__(self, *_: object) -> None:
        pass

    def watch(self, tensors: list[Any]) -> None:
        for tensor in tensors:
            tensor.requires_grad_()

    def gradient(self, targets: list[Any], sources: list[Any], given: list[Any]) -> list[Any]:
        places = [place for place, target in enumerate(targets) if target.requires_grad]
        wanted = [source if source.requires_grad else None for source in sources]
        found = iter(
            torch.autograd.grad(
                [targets[place] for place in places],
                [source for source in wanted if source is not None],
                [given[place] for place in places],
                allow_unused=True,
            )
            if places
            else ()
        )
        return [None if source is None else next(found, None) for source in wanted]


class KerasOnTorch(KerasModel):
    """A Keras model on torch, whose layers have the names that they have where it comes from."""

    backend = "torch"

    def __init__(self, model: Any, layers: list[tuple[str, str]]) -> None:
        super().__init__(model)
        titles = [layer.title for layer in self.layers.values()]
        if titles != [title for _, title in layers]:
            raise ValueError(f"its layers are others there: {', '.join(titles)}")
        names = dict(zip(self.layers, (name for name, _ in layers), strict=True))
        self.layers = {names[own]: replace(layer, name=names[own]) for own, layer in self.layers.items()}
        self.of_name = {names[own]: layer for own, layer in self.of_name.items()}
        self.holders = {names[own]: layer for own, layer in self.holders.items()}

    def _tape(self) -> Any:
        return Tape()


POLICIES = ("float32", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16")


def in_float64(config: Any) -> Any:
    """The configuration of the same model in float64."""
    if isinstance(config, dict):
        return {
            key: "float64" if key in ("name", "dtype") and value in POLICIES else in_float64(value)
            for key, value in config.items()
        }
    return type(config)(map(in_float64, config)) if isinstance(config, list | tuple) else config


def made(begin: Begin) -> KerasOnTorch:
    """The model, in float64."""
    # It is the user's own, which runs in the process that sent it: no file of a stranger's.
    model = keras.saving.deserialize_keras_object(in_float64(begin.config), safe_mode=False)
    if not model.built or [tuple(weight.shape) for weight in model.weights] != [w.shape for w in begin.weights]:
        raise ValueError("it does not have its weights before it is called: give it build_from_config or a keras.Input")
    model.set_weights([weight.astype(np.float64) if weight.dtype.kind == "f" else weight for weight in begin.weights])
    found = KerasOnTorch(model, begin.layers)
    for name, values in found.weights().items():
        if values.dtype != np.float64:
            raise ValueError(f"{name} is of {values.dtype} whatever its configuration says")
    return found


def _batch(layer: Any, own: Callable[..., Any], x: Any, training: Any = None, mask: Any = None) -> Any:
    """Batch normalization as TensorFlow computes it, folded."""
    axes = [axis for axis in range(x.dim()) if axis != layer.axis % x.dim()]
    shape = [1 if axis in axes else -1 for axis in range(x.dim())]
    mean, variance = layer.moving_mean.value, layer.moving_variance.value
    if training and layer.trainable:
        own(x, training=training, mask=mask)  # moves the running statistics
        mean = x.mean(axes)
        variance = (x - mean.reshape(shape)).square().mean(axes)
    parts = [None if part is None else part.value.reshape(shape) for part in (layer.gamma, layer.beta)]
    return folded(x, mean.reshape(shape), variance.reshape(shape), layer.epsilon, *parts)


def _layer(layer: Any, own: Callable[..., Any], x: Any) -> Any:
    """Layer normalization as Keras computes it where it is not torch's own."""
    if layer.rms_scaling:
        return own(x)
    axes = layer.axis if isinstance(layer.axis, list | tuple) else [layer.axis]
    shape = [length if axis in {axis % x.dim() for axis in axes} else 1 for axis, length in enumerate(x.shape)]
    mean = x.mean(axes, keepdim=True)
    parts = [None if part is None else part.value.reshape(shape) for part in (layer.gamma, layer.beta)]
    return folded(x, mean, (x - mean).square().mean(axes, keepdim=True), layer.epsilon, *parts)


FORMULAS: dict[str, Callable[..., Any]] = {"batch normalization": _batch, "layer normalization": _layer}
FACTORS: dict[str, tuple[float, float]] = {"elu": (1.0, 1.0), "selu": (SELU_ALPHA, SELU_SCALE)}


def by_formulas(model: KerasOnTorch) -> KerasOnTorch:
    """The model, changed to compute by the formulas of Keras on TensorFlow."""
    for name, layer in model.of_name.items():
        if (formula := FORMULAS.get(model.layers[name].kind)) is not None:
            layer.call = functools.partial(formula, layer, layer.call)
        if (factors := FACTORS.get(model.layers[name].activation or model.layers[name].kind)) is not None:
            if hasattr(layer, "activation"):
                layer.activation = functools.partial(_exponential, *factors)
            else:
                layer.call = functools.partial(_exponential, getattr(layer, "alpha", factors[0]), factors[1])
    return model


def _exponential(alpha: float, scale: float, x: Any) -> Any:
    return exponential().apply(x, alpha, scale)


class Worker:
    """The one who answers the questions on one model."""

    def __init__(self, begin: Begin) -> None:
        self.model = made(begin)
        self.formulas = functools.cache(lambda: by_formulas(made(begin)))

    def answer(self, asked: Asked) -> Answer:
        model = self.formulas() if asked.formulas else self.model
        rounding = Rounding()
        with contextlib.ExitStack() as entered:
            entered.enter_context(np.errstate(all="ignore"))
            if asked.errors is not None:  # in this order, as `Allowances` does it
                entered.enter_context(making(asked.errors))
                entered.enter_context(rounding)
            found = getattr(self, asked.method)(model, *asked.arguments)
        return Answer(found, frozenset(rounding.unmodelled))

    def run(self, model: KerasOnTorch, *arguments: Any) -> Run:
        run = model.run(*arguments)
        entered = [Layer(layer.name, "", "") for layer in run.entered]
        return replace(run, calls=[bare(call) for call in run.calls], entered=entered)

    def apply(self, model: KerasOnTorch, call: Any, *arguments: Any) -> Any:
        filled = keras.tree.map_structure(
            lambda leaf: keras.ops.zeros(0) if leaf is Empty.TENSOR else leaf, call.arguments
        )
        return model.apply(replace(call, layer=model.layers[call.layer.name], arguments=filled), *arguments)


def serve(connection: Connection) -> None:
    """Answer what is asked of each model that is sent, until the connection ends."""
    keras.config.set_floatx("float64")
    worker: Worker | None = None
    with contextlib.suppress(EOFError):
        while True:
            question = connection.recv()
            try:
                if isinstance(question, Begin):
                    worker = None  # before the next is made: there may be no room for two
                    worker = Worker(question)
                    answer = Answer()
                else:
                    assert worker is not None
                    answer = worker.answer(question)
            except Exception as error:  # whatever is raised, it is told to who asked
                answer = Answer(failed=f"{type(error).__name__}: {error}")
            connection.send(answer)


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
