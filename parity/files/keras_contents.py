"""Keras' files of weights: which array of a file is which of an ordinary Keras model's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from parity.discovery import Lazy

h5py: Any = Lazy("h5py")

ShapesByPath = dict[str, tuple[int, ...]]


class Contents(NamedTuple):
    """The contents of a file: the shapes of its arrays by their paths, and the names of layers by theirs, if any."""

    shapes: ShapesByPath
    names: dict[str, str]

    def without_optimizer(self) -> Contents:
        """The same without the state of an optimizer."""
        return self._replace(shapes={path: of for path, of in self.shapes.items() if not path.startswith("optimizer/")})

    def layers(self) -> list[str]:
        """The paths of the layers that have arrays; numbers count as such."""
        found = {path.rpartition("/vars/")[0] for path in self.shapes if not path.startswith("optimizer/")}
        return sorted(
            found, key=lambda path: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path)]
        )


def contents(path: Path) -> Contents:
    """Returns what is in an HDF5 file of Keras, without the state of dropout's random generators: no weight."""
    found = Contents({}, {})

    def visit(name: str, item: Any) -> None:
        if hasattr(item, "shape") and "/seed_generator/" not in name:
            found.shapes[name] = tuple(item.shape)
        elif name.endswith("/vars") and "name" in item.attrs:
            found.names[name.removesuffix("/vars")] = str(item.attrs["name"])

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


def matched(places: Mapping[str, str], found: Contents) -> dict[str, str] | None:
    """The path in the file of every layer, by its path in the ordinary model; None where the file has other layers.

    `places` are the paths in the model by the dotted names of the layers. Layers of these names, or attributes of them,
    come first; then the same paths; then, in a file where one container has all of them, the same number of each kind.
    """
    return by_name(places, found) or _by_path(places, found) or _by_order(places, found)


def by_name(places: Mapping[str, str], found: Contents) -> dict[str, str] | None:
    """Matches as `matched` does, by the names alone."""
    paths: dict[str, str] = {}
    for path in found.layers():
        paths |= {found.names.get(path, path): path, path.replace("/", "."): path}
    chosen = {
        place: paths[called]
        for name, place in places.items()
        for called in (name, name.replace(".", "_"))[: 1 + ("." in name)]
        if called in paths
    }
    return chosen if len(set(chosen.values())) == len(places) == len(found.layers()) else None


def _by_path(places: Mapping[str, str], found: Contents) -> dict[str, str] | None:
    return {place: place for place in places.values()} if set(places.values()) == set(found.layers()) else None


def _by_order(places: Mapping[str, str], found: Contents) -> dict[str, str] | None:
    ours, theirs = _kinds(list(places.values())), _kinds(found.layers())
    if len({path.rpartition("/")[0] for path in found.layers()}) > 1:
        return None
    if {kind: len(paths) for kind, paths in ours.items()} != {kind: len(paths) for kind, paths in theirs.items()}:
        return None
    return {place: path for kind in ours for place, path in zip(ours[kind], theirs[kind], strict=True)}


def _kinds(paths: list[str]) -> dict[str, list[str]]:
    """The paths by the class of their layers."""
    kinds: dict[str, list[str]] = {}
    for path in paths:
        kinds.setdefault(re.sub(r"_\d+$", "", path.rpartition("/")[2]), []).append(path)
    return kinds


def renamed(shapes: ShapesByPath, layers: Mapping[str, str]) -> dict[str, str]:
    """The path in the file of each of its arrays, by the path in the ordinary model."""
    back = {f"{path}/vars": f"{place}/vars" for place, path in layers.items()}
    moved = {}
    for path in shapes:
        layer, _, index = path.rpartition("/")
        moved[f"{back.get(layer, layer)}/{index}"] = path
    return moved


def fill(template: Path, source: Path, arrays: Mapping[str, str]) -> None:
    """Put the arrays of `source` into `template`, a file of the model's own; `arrays` has the former by the latter."""
    with h5py.File(template, "r+") as into, h5py.File(source) as file:
        for place, path in arrays.items():
            into[place][...] = file[path][...]


def give_names(path: Path, places: Mapping[str, str]) -> None:
    """Note the names of layers in a file where Keras notes those of its own, which its first releases did not."""
    with h5py.File(path, "r+") as file:
        for name, place in places.items():
            file.require_group(f"{place}/vars").attrs["name"] = name
