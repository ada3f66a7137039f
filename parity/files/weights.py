"""Weights, and the state of the optimizer, to and from files that others read.

    .safetensors   the state_dict of the ordinary torch module; the optimizer's of numpynet below "optimizer."
    .pt, .pth      that state_dict; with an optimizer, a dict of that as "model_state_dict" and the state_dict of
                   torch's optimizer as "optimizer_state_dict"
    .weights.h5    what Keras saves of the ordinary Keras model, compiled with the optimizer if there is one
    .keras         Keras' archive, which is read alone: it holds an architecture too

The ordinary network has a normalisation and its `Scaling` as one layer (`parity.files.ordinary`), and in Keras
has its channels last. What the counterparts of `parity.to_torch` and `to_tensorflow` saved is read, too.

Running statistics count as weights here. Hyper-parameters are no state: they stay those of the optimizer that is given.
Keras' velocities hold the learning rate: what was saved comes back to the bit if that is a power of two, else rounded.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from numpynet import Module, Optimizer
from parity.files import keras_files, safetensors_files, torch_files
from parity.files.checks import State


def save_weights(model: Module, path: str | Path, optimizer: Optimizer | None = None) -> None:
    """Write the weights of `model`, and the state of its `optimizer` if one is given, in the format `path` ends in.

    The endings are .safetensors, .pt, .pth and .weights.h5. The file appears whole or not at all. Ordinary networks of
    torch and Keras load it: a normalisation and the `Scaling` behind it are one layer there. Raises ValueError for
    another ending, and for an optimizer of parameters that are none of the model's; ImportError where the format's
    library is not installed.
    """
    path = Path(path)
    unfinished = path.with_name(f".{path.name}")
    try:
        _format(path).write(unfinished, model, optimizer)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def load_weights(model: Module, path: str | Path, optimizer: Optimizer | None = None) -> None:
    """Copy the weights in the file into `model`, and the state in it into `optimizer` if one is given.

    The endings are those of `save_weights`, and .keras. The file is one of `save_weights`, of an ordinary network or of
    a counterpart of the model; no code in it is run. Everything is cast to the model's dtype.

    Raises FileNotFoundError where there is no file; ValueError for another ending, for a file that is torn or none of
    its format, for arrays that are missing, unknown or misshapen, and where an optimizer is given and the file holds
    none, or another's; ImportError as `save_weights`. Nothing has changed then.
    """
    path = Path(path)
    chosen = _format(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    weights, state = map(_in_c_order, chosen.read(path, model, optimizer))
    try:
        copy.deepcopy(model).load_state_dict(weights)
        if optimizer is not None:
            if not state:
                raise ValueError("it was saved without an optimizer")
            optimizer.load_state_dict(state)
    except ValueError as error:
        raise ValueError(f"{path} does not fit: {error}") from error
    model.load_state_dict(weights)


def _in_c_order(state: State) -> State:
    """The arrays copied in C order: a product with a matrix that is kept column by column rounds otherwise."""
    return {name: np.array(values, order="C") for name, values in state.items()}


class _Format(NamedTuple):
    write: Callable[[Path, Module, Optimizer | None], None]
    read: Callable[[Path, Module, Optimizer | None], tuple[State, State]]


FORMATS = {
    ".safetensors": _Format(safetensors_files.write, safetensors_files.read),
    ".pt": _Format(torch_files.write, torch_files.read),
    ".pth": _Format(torch_files.write, torch_files.read),
    ".weights.h5": _Format(keras_files.write, keras_files.read),
    ".keras": _Format(keras_files.write_archive, keras_files.read_archive),
}


def _format(path: Path) -> _Format:
    for ending, chosen in FORMATS.items():
        if path.name.endswith(ending):
            return chosen
    raise ValueError(f"{path} ends in none of {', '.join(FORMATS)}: the ending says which format a file has")
