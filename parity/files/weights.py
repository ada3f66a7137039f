"""Weights, and the state of the optimizer, to and from files that others read.

    .safetensors   numpynet's state_dict under its own names, which are torch's; the optimizer's below "optimizer."
    .pt            the state_dict of the torch counterpart; with an optimizer, a dict of that as "model_state_dict"
                   and the state_dict of torch's optimizer as "optimizer_state_dict"
    .weights.h5    what Keras saves of the counterpart, compiled with the optimizer if there is one

Running statistics count as weights here. Hyper-parameters are no state: they stay those of the optimizer that is given.
Keras' velocities hold the learning rate: what was saved comes back to the bit if that is a power of two, else rounded.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from numpynet import Array, Module, Optimizer
from parity.case import dtype_of
from parity.discovery import Lazy
from parity.frameworks import framework
from parity.frameworks.counterpart import Counterpart, TensorView
from parity.frameworks.lazy import keras, keras_optimizers, torch, torch_optimizers
from parity.mapping.convert import convert
from parity.mapping.pair import pairs_of

h5py: Any = Lazy("h5py")
safetensors: Any = Lazy("safetensors.numpy")

State = dict[str, Array]
Shapes = dict[str, tuple[int, ...]]
BELOW = "optimizer."


def save_weights(model: Module, path: str | Path, optimizer: Optimizer | None = None) -> None:
    """Write the weights of `model`, and the state of its `optimizer` if one is given, in the format `path` ends in.

    The endings are .safetensors, .pt and .weights.h5. The file appears whole or not at all. Raises ValueError for
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

    Everything is cast to the model's dtype. Raises FileNotFoundError where there is no file; ValueError for another
    ending, for a file that is torn or none of its format, for arrays that are missing, unknown or misshapen, and where
    an optimizer is given and the file holds none, or another's; ImportError as `save_weights`. Nothing has changed
    then.
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


def _write_safetensors(path: Path, model: Module, optimizer: Optimizer | None) -> None:
    state = {} if optimizer is None else optimizer.state_dict()
    arrays = model.state_dict() | {BELOW + name: values for name, values in state.items()}
    safetensors.save_file(arrays, path)


def _read_safetensors(path: Path, model: Module, optimizer: Optimizer | None) -> tuple[State, State]:
    arrays = _opened(path, "safetensors file", lambda: safetensors.load_file(path))
    state = {name.removeprefix(BELOW): arrays.pop(name) for name in list(arrays) if name.startswith(BELOW)}
    # torch counts the batches that a batch normalisation has seen, and makes no use of it.
    weights = {name: values for name, values in arrays.items() if not name.endswith("num_batches_tracked")}
    return weights, state


def _write_torch(path: Path, model: Module, optimizer: Optimizer | None) -> None:
    built = convert(model, "torch")
    document = built.layer.state_dict()
    if optimizer is not None:
        held = _held(built, model, optimizer)
        rule, slots = _torch_rule(optimizer, held)
        for position, view in held.items() if optimizer.steps else ():
            kept = {slots[slot]: view.to_framework(values) for slot, values in optimizer.state[position].items()}
            tensors = {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in kept.items()}
            rule.state[view.tensor] = {"step": torch.tensor(float(optimizer.steps)), **tensors}
        document = {"model_state_dict": document, "optimizer_state_dict": rule.state_dict()}
    torch.save(document, path)


def _read_torch(path: Path, model: Module, optimizer: Optimizer | None) -> tuple[State, State]:
    document = _opened(path, "torch file of tensors alone", lambda: torch.load(path, weights_only=True))
    found = document.get("model_state_dict", document) if isinstance(document, dict) else {}
    if not found or not all(isinstance(tensor, torch.Tensor) for tensor in found.values()):
        raise ValueError(f"{path} holds no state_dict, but a {type(document).__name__}")
    built = convert(model, "torch")
    _compare(
        path, *({name: tuple(tensor.shape) for name, tensor in of.items()} for of in (built.layer.state_dict(), found))
    )
    built.layer.load_state_dict(found)
    saved = document.get("optimizer_state_dict")
    state = _torch_state(path, saved, built, model, optimizer) if optimizer and saved else {}
    return framework("torch").arrays(built), state


def _torch_state(path: Path, saved: Any, built: Counterpart, model: Module, optimizer: Optimizer) -> State:
    held = _held(built, model, optimizer)
    ours = {theirs: slot for slot, theirs in _torch_rule(optimizer, held)[1].items()}
    count = sum(len(group["params"]) for group in saved["param_groups"])
    if count != len(held):
        raise ValueError(f"{path} holds the state of an optimizer of {count} parameters, not of {len(held)}")
    state: State = {}
    steps = 0
    for index, (position, view) in enumerate(held.items()):
        kept = {name: value for name, value in saved["state"].get(index, {}).items() if value is not None}
        steps = int(kept.pop("step", 0))
        if unknown := sorted(kept.keys() - ours.keys()):
            raise ValueError(f"{path} holds the state of another optimizer than {optimizer!r}: {', '.join(unknown)}")
        state |= {f"{ours[name]}.{position}": view.to_numpynet(value.numpy()) for name, value in kept.items()}
    return {"steps": np.array(steps), **state}


def _torch_rule(optimizer: Optimizer, held: Mapping[int, TensorView]) -> tuple[Any, dict[str, str]]:
    """torch's optimizer of these tensors, and its names for numpynet's slots."""
    translation = pairs_of("torch").optimizer(optimizer)
    made = torch_optimizers.Rule(optimizer, translation, {str(position): view for position, view in held.items()})
    return made.optimizer, dict(translation.slots["torch"])


def _write_keras(path: Path, model: Module, optimizer: Optimizer | None) -> None:
    _Keras(model, optimizer).save(path)


def _read_keras(path: Path, model: Module, optimizer: Optimizer | None) -> tuple[State, State]:
    found = _opened(path, "HDF5 file", lambda: _datasets(path))
    with_optimizer = any(name.startswith("optimizer/") for name in found)
    counterpart = _Keras(model, optimizer if with_optimizer else None)
    with tempfile.TemporaryDirectory() as folder:
        counterpart.save(Path(folder) / "own.weights.h5")
        wanted = _datasets(Path(folder) / "own.weights.h5")
    # Keras passes over what it has no place for in silence.
    _compare(path, wanted, {name: at for name, at in found.items() if optimizer or not name.startswith("optimizer/")})
    return counterpart.load(path)


class _Keras:
    """The Keras counterpart, with its optimizer if there is one."""

    def __init__(self, model: Module, optimizer: Optimizer | None) -> None:
        home = framework("tensorflow")
        self.built = convert(model, "tensorflow")
        self.rule: Any = None
        with home.precision(dtype_of(model)):
            layer = self.built.layer
            self.layer = layer if isinstance(layer, keras.Model) else keras.Sequential([layer])
            self.layer.built = True  # all variables are there; Keras would wait for data to see
            if optimizer is not None:
                self.held = _held(self.built, model, optimizer)
                translation = pairs_of("tensorflow").optimizer(optimizer)
                held = {str(position): view for position, view in self.held.items()}
                self.rule = keras_optimizers.Rule(optimizer, translation, held)
                self.layer.compile(self.rule.keras)
                self._take_over(optimizer)

    def _take_over(self, optimizer: Optimizer) -> None:
        self.rule.keras.iterations.assign(optimizer.steps)
        for index, (position, view) in enumerate(self.held.items()):
            for slot, values in optimizer.state[position].items():
                self.rule.slots[slot][index].assign(view.to_framework(values) * self._factor(slot))

    def _factor(self, slot: str) -> float:
        """The factor by which Keras' slot is a multiple of numpynet's."""
        inside = self.rule.rate_inside.get(slot)
        return 1.0 if inside is None else inside * float(self.rule.keras.learning_rate.numpy())

    def save(self, path: Path) -> None:
        self.layer.save_weights(str(path))

    def load(self, path: Path) -> tuple[State, State]:
        self.layer.load_weights(str(path))
        weights = framework("tensorflow").arrays(self.built)
        if self.rule is None:
            return weights, {}
        state = {
            f"{slot}.{position}": view.to_numpynet(variables[index].numpy()) / self._factor(slot)
            for slot, variables in self.rule.slots.items()
            for index, (position, view) in enumerate(self.held.items() if variables else ())
        }
        return weights, {"steps": np.array(int(self.rule.keras.iterations.numpy())), **state}


def _held(built: Counterpart, model: Module, optimizer: Optimizer) -> dict[int, TensorView]:
    """The tensor that holds each trained parameter of the optimizer, by the parameter's position there.

    Raises ValueError where the optimizer moves a parameter that is none of the model's.
    """
    names = {id(parameter): name for name, parameter in model.named_parameters().items()}
    if not all(id(parameter) in names for parameter in optimizer.parameters):
        raise ValueError(f"{optimizer!r} moves parameters that are none of the model's")
    tensors = built.tensors()
    return {
        position: tensors[names[id(parameter)]]
        for position, parameter in enumerate(optimizer.parameters)
        if parameter.trainable
    }


def _datasets(path: Path) -> Shapes:
    """The shape of every array in an HDF5 file, by its name."""
    found: Shapes = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item.shape} if hasattr(item, "shape") else {}))
    return found


def _compare(path: Path, wanted: Shapes, found: Shapes) -> None:
    """Raise ValueError, with every name that is off, unless the file has the arrays that the counterpart has."""
    problems = [f"{name} is missing" for name in wanted.keys() - found.keys()]
    problems += [f"{name} is unknown" for name in found.keys() - wanted.keys()]
    problems += [
        f"{name} has shape {tuple(found[name])}, the model's {tuple(wanted[name])}"
        for name in wanted.keys() & found.keys()
        if tuple(found[name]) != tuple(wanted[name])
    ]
    if problems:
        raise ValueError(f"{path} does not fit: {', '.join(sorted(problems))}")


def _opened(path: Path, kind: str, read: Callable[[], Any]) -> Any:
    """The value that `read` returns; whatever it raises, but ImportError, becomes a ValueError that names the file."""
    try:
        return read()
    except ImportError:
        raise
    except Exception as error:
        reason = str(error).split("\n")[0] or type(error).__name__
        raise ValueError(f"{path} is torn, or no {kind}: {reason}") from error


class _Format(NamedTuple):
    write: Callable[[Path, Module, Optimizer | None], None]
    read: Callable[[Path, Module, Optimizer | None], tuple[State, State]]


FORMATS = {
    ".safetensors": _Format(_write_safetensors, _read_safetensors),
    ".pt": _Format(_write_torch, _read_torch),
    ".weights.h5": _Format(_write_keras, _read_keras),
}


def _format(path: Path) -> _Format:
    for ending, chosen in FORMATS.items():
        if path.name.endswith(ending):
            return chosen
    raise ValueError(f"{path} ends in none of {', '.join(FORMATS)}: the ending says which format a file has")
