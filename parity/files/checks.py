"""What the readers of all formats have in common: whether a file can be opened, and has what the model has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from numpynet import Array, Module, Optimizer
from parity.frameworks.counterpart import Counterpart, TensorView

State = dict[str, Array]
Shapes = Mapping[str, tuple[int, ...]]


def compare(path: Path, wanted: Shapes, found: Shapes) -> None:
    """Raise ValueError, with every name that is off, unless the file has the arrays that the model has."""
    problems = [f"{name} is missing" for name in wanted.keys() - found.keys()]
    problems += [f"{name} is unknown" for name in found.keys() - wanted.keys()]
    problems += [
        f"{name} has shape {tuple(found[name])}, the model's {tuple(wanted[name])}"
        for name in wanted.keys() & found.keys()
        if tuple(found[name]) != tuple(wanted[name])
    ]
    if problems:
        raise ValueError(f"{path} does not fit: {', '.join(sorted(problems))}")


def shapes(arrays: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The shape of every array or tensor, by name."""
    return {name: tuple(array.shape) for name, array in arrays.items()}


def nearest(found: Mapping[str, Any], *kinds: Mapping[str, Any]) -> int:
    """The position of the kind whose names differ least from those found, the first of equally near ones."""
    return min(range(len(kinds)), key=lambda index: len(kinds[index].keys() ^ found.keys()))


def opened(path: Path, kind: str, read: Callable[[], Any], reason_of: Callable[[Exception], str] | None = None) -> Any:
    """The value that `read` returns; whatever it raises, but ImportError, becomes a ValueError that names the file."""
    try:
        return read()
    except ImportError:
        raise
    except Exception as error:
        reason = reason_of(error) if reason_of else str(error).split("\n")[0] or type(error).__name__
        raise ValueError(f"{path} is torn, or no {kind}{reason and f': {reason}'}") from error


def held(built: Counterpart, model: Module, optimizer: Optimizer) -> dict[int, TensorView]:
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
