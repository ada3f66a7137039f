"""safetensors files: the arrays of an ordinary torch module by its names, and the optimizer's by numpynet's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpynet import Module, Optimizer
from parity.discovery import Lazy
from parity.files.checks import State, compare, nearest, opened, shapes
from parity.files.ordinary import names

safetensors: Any = Lazy("safetensors.numpy")

BELOW = "optimizer."


def write(path: Path, model: Module, optimizer: Optimizer | None) -> None:
    """Write the arrays of the model and, below "optimizer.", those of its optimizer."""
    ordinary, state = names(model), {} if optimizer is None else optimizer.state_dict()
    arrays = {ordinary[name]: values for name, values in model.state_dict().items()}
    safetensors.save_file(arrays | {BELOW + name: values for name, values in state.items()}, path)


def read(path: Path, model: Module, optimizer: Optimizer | None) -> tuple[State, State]:
    """The weights in the file, under torch's names or numpynet's own, and the state of an optimizer."""
    arrays = opened(path, "safetensors file", lambda: safetensors.load_file(path))
    state = {name.removeprefix(BELOW): arrays.pop(name) for name in list(arrays) if name.startswith(BELOW)}
    # torch counts the batches that a batch normalisation has seen, and makes no use of it.
    weights = {name: values for name, values in arrays.items() if not name.endswith("num_batches_tracked")}
    own, ordinary = shapes(model.state_dict()), names(model)
    wanted = {ordinary[name]: shape for name, shape in own.items()}
    if nearest(weights, wanted, own) == 1:
        wanted, ordinary = own, {name: name for name in own}
    compare(path, wanted, shapes(weights))
    return {name: weights[ordinary[name]] for name in own}, state
