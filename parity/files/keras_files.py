"""Keras' files of weights, and its archives, of which the weights alone are read."""

from __future__ import annotations

import contextlib
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from numpynet import Module, Optimizer
from parity.case import dtype_of
from parity.files.checks import State, compare, held, opened
from parity.files.keras_contents import Contents, by_name, contents, fill, give_names, matched, renamed
from parity.files.keras_model import OrdinaryKeras, ambiguous
from parity.files.ordinary import Part, ordinary
from parity.frameworks import framework
from parity.frameworks.lazy import keras, keras_optimizers
from parity.mapping.pair import PairsOf, pairs_of


def write(path: Path, model: Module, optimizer: Optimizer | None) -> None:
    """Write what Keras saves of the ordinary model."""
    translation = OrdinaryKeras()
    Saved(model, optimizer, translation).save(path)
    give_names(path, translation.paths)


def write_archive(path: Path, model: Module, optimizer: Optimizer | None) -> None:
    """Raise ValueError: an archive cannot be written without the architecture of a Keras model."""
    raise ValueError(
        f"{path} is not written: a .keras archive holds an architecture too. Write a .weights.h5, "
        f"which the Keras model loads, and saves with itself"
    )


def read_archive(path: Path, model: Module, optimizer: Optimizer | None) -> tuple[State, State]:
    """The weights in a .keras archive; its architecture is not looked at."""
    with tempfile.TemporaryDirectory() as folder:
        return _read(path, opened(path, "archive of Keras", lambda: _unpacked(path, folder)), model, optimizer)


def _unpacked(archive: Path, folder: str) -> Path:
    with zipfile.ZipFile(archive) as packed:
        return Path(packed.extract("model.weights.h5", folder))


def read(path: Path, model: Module, optimizer: Optimizer | None) -> tuple[State, State]:
    """The weights in a file of Keras, and the state of the optimizer if one is given."""
    return _read(path, path, model, optimizer)


def _read(path: Path, weights: Path, model: Module, optimizer: Optimizer | None) -> tuple[State, State]:
    found = opened(path, "HDF5 file", lambda: contents(weights))
    chosen = optimizer if any(name.startswith("optimizer/") for name in found.shapes) else None
    if optimizer is None:
        found = found.without_optimizer()
    translation = OrdinaryKeras()
    counterpart = Saved(model, chosen, translation)
    with counterpart.saved() as template:
        layers = matched(translation.paths, found)
        if layers is None and (own := _own(found, model, chosen)):
            return own.load(weights)
        arrays = renamed(found.shapes, layers or {})
        # Keras passes over what it has no place for in silence.
        compare(path, contents(template).shapes, {name: found.shapes[at] for name, at in arrays.items()})
        if by_name(translation.paths, found) is None:
            _refuse_ambiguous(path, ordinary(model), lambda: _own(found, model, chosen) is not None)
        fill(template, weights, arrays)
        return counterpart.load(template)


def _own(found: Contents, model: Module, optimizer: Optimizer | None) -> Saved | None:
    """The counterpart of `parity.to_tensorflow`, if what was found is a file of it."""
    own = Saved(model, optimizer, pairs_of("tensorflow"))
    with own.saved() as template:
        return own if contents(template).shapes == found.shapes else None


def _refuse_ambiguous(path: Path, network: Part, own: Callable[[], bool]) -> None:
    """Raise ValueError where a file without names may be read in two ways.

    `own` tells whether a counterpart of `parity.to_tensorflow` has its paths: it flattens images channels first.
    """
    remedy = "give the nodes of a Graph the names that the layers have in Keras"
    if which := ambiguous(network):
        raise ValueError(
            f"{path} does not fit: it does not tell which of its layers are {which}, which are alike: {remedy}"
        )
    if any(layer.reordered for layer in network.layers()) and own():
        raise ValueError(
            f"{path} does not fit: it does not tell whether the images that are flattened have their channels last, "
            f"or first as those of parity.to_tensorflow: {remedy}"
        )


class Saved:
    """A Keras model that holds the arrays of `model`, with its optimizer if there is one, to be saved and loaded."""

    def __init__(self, model: Module, optimizer: Optimizer | None, translation: PairsOf) -> None:
        home = framework("tensorflow")
        self.built = home.convert(model, dtype_of(model), translation)
        self.rule: Any = None
        with home.precision(dtype_of(model)):
            layer = self.built.layer
            self.layer = layer if isinstance(layer, keras.Model) else keras.Sequential([layer])
            self.layer.built = True  # all variables are there; Keras would wait for data to see
            if optimizer is not None:
                self.held = held(self.built, model, optimizer)
                rule = pairs_of("tensorflow").optimizer(optimizer)
                views = {str(position): view for position, view in self.held.items()}
                self.rule = keras_optimizers.Rule(optimizer, rule, views)
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

    @contextlib.contextmanager
    def saved(self) -> Iterator[Path]:
        """A context in which there is a file of it."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "own.weights.h5"
            self.save(path)
            yield path

    def load(self, path: Path) -> tuple[State, State]:
        """The weights in a file of Keras that fits, and the state of the optimizer if there is one."""
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
