"""Whether the second model came with the first's weights, and which of them its own conversion got wrong.

A comparison copies the weights itself, so that what somebody's script made of them would go unseen. An array is said to
be converted wrongly only where it holds the first model's values in a known wrong arrangement, or where the others are
the first model's and this one is what a fresh layer begins with.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from numpynet import Array
from parity.comparison.causes import Cause
from parity.comparison.matching import Match, Matching
from parity.comparison.model import Held, Model
from parity.comparison.result import Fault

Values = Mapping[tuple[str, str], Array]  # by a layer's name and the array's role
GATES = {"lstm": 4, "gru": 3}
FRESH = {"weight": 1.0, "running variance": 1.0, "bias": 0.0, "running mean": 0.0, "biases": 0.0}
MOVED = ("running mean", "running variance")


@dataclass(frozen=True)
class Misconverted:
    """An array that the second model held, of the first's values but not as they should lie.

    held: the array in the second model
    values: what it held
    told: what is wrong, in words
    mend: how it should be made
    """

    match: Match
    held: Held
    values: Array
    told: str
    mend: str

    @property
    def fault(self) -> Fault:
        layer = self.match.second
        return Fault(layer.name, layer.title, self.match.first.name, None, Cause("weights", self.told, self.mend))


def values_of(model: Model) -> Values:
    """Copies of all that a model holds."""
    return {(name, role): model.read(held) for name, layer in model.layers.items() for role, held in layer.held.items()}


def misconverted(first: Model, second: Model, found: Matching, before: Values) -> list[Misconverted]:
    """Returns what the second held `before` it was given the first's weights: nothing where it was no port of them."""
    wrong: list[Misconverted] = []
    alike = 0
    for match in found.matches:
        for role, other in match.roles.items():
            right, was = second.read(match.second.held[other]), before[match.second.name, other]
            if was.shape != right.shape or np.array_equal(was, right):
                alike += was.shape == right.shape and not _constant(right)
                continue
            if (said := next(_arrangements(first, match, role, right, was, before), None)) is not None:
                wrong.append(Misconverted(match, match.second.held[other], was, *said))
            elif np.all(was == FRESH.get(other, np.nan)):
                wrong.append(_fresh(match, other, was))
    proven = [one for one in wrong if not _constant(one.values)]
    return wrong if proven or alike > len(found.matches) // 2 else []


def _constant(values: Array) -> bool:
    return values.size < 2 or bool(np.all(values == values.flat[0]))


def _fresh(match: Match, role: str, was: Array) -> Misconverted:
    told = f"{role}: {was.flat[0]:g} everywhere, as a fresh layer has it: it was not copied"
    return Misconverted(match, match.second.held[role], was, told, f"copy {match.first.held[role].name}")


def _arrangements(
    first: Model, match: Match, role: str, right: Array, was: Array, before: Values
) -> Iterator[tuple[str, str]]:
    """Yields what is wrong with an array, where it is the right one in a known wrong arrangement, and the mend."""
    held = match.first.held[role]
    if match.columns is not None and role == "weight" and np.array_equal(was, first.read(held)):
        yield (
            f"flatten order: the columns of {held.name} are for an input that was flattened with the channels first",
            f"{held.name}.reshape(-1, channels, height, width), transposed to (0, 2, 3, 1) and flattened again",
        )
    for axes in itertools.permutations(range(right.ndim)):
        turned = right.transpose(axes)
        if list(axes) != sorted(axes) and turned.shape == was.shape and np.array_equal(was, turned):
            yield f"transposed: {held.name} lies with its axes in the order {axes}", f"transpose {held.name} by {axes}"
    if right.ndim > 2 and np.array_equal(was, np.flip(right, tuple(range(2, right.ndim)))):
        yield f"flipped: {held.name} is the kernel of a true convolution", f"{held.name}, not flipped"
    for told, arranged in _blocks(match, role, right):
        if np.array_equal(was, arranged):
            yield f"{told} of {held.name}", f"copy {held.name} as parity.compare does"
    for name, tensor in zip(held.names, held.tensors, strict=False):  # a recording has what they make alone
        one = first.read(Held((name,), (tensor,)))
        if len(held.tensors) > 1 and one.shape == was.shape and np.array_equal(was, one):
            yield f"bias count: {name} alone, where torch adds {' and '.join(held.names)}", " + ".join(held.names)
    for other, theirs in match.roles.items():
        swapped = first.read(match.first.held[other])
        alike = other != role and swapped.shape == was.shape and np.array_equal(was, match.there(other, swapped))
        if alike and not _constant(swapped):
            yield f"swapped: {role} holds the {theirs}", f"{held.name} for the {role}"


def _blocks(match: Match, role: str, right: Array) -> Iterator[tuple[str, Array]]:
    """Yields what may be wrong in the order of the rows of an array that is several in one, and the array so."""
    kind, settings = match.first.kind, match.first.settings
    gates = 3 if kind == "attention" and role.startswith("packed") else GATES.get(kind, 0)
    for order in itertools.permutations(range(gates)):
        if list(order) != sorted(order):
            what = "query, key and value" if kind == "attention" else "gates"
            yield f"gate order: {what} in the order {order}", _reordered(right, gates, order, role)
    if kind == "gru" and role == "biases":
        both = np.split(right, 2)
        yield "bias count: both biases added up in one", np.concatenate([both[0] + both[1], np.zeros_like(both[1])])
    blocks = 3 if kind == "attention" and role.startswith("packed") else 1
    counted = settings.get("heads" if kind == "attention" else "groups")
    if counted is not None and counted.value > 1 and len(right) % (blocks * counted.value) == 0:
        for sizes in ((counted.value, -1), (-1, counted.value)):
            split = right.reshape(blocks, *sizes, *right.shape[1:])
            yield "interleaved: the rows", split.swapaxes(1, 2).reshape(right.shape)


def _reordered(values: Array, gates: int, order: tuple[int, ...], role: str) -> Array:
    halves = np.split(values, 2) if role == "biases" else [values]
    return np.concatenate([np.split(half, gates)[gate] for half in halves for gate in order])


@contextlib.contextmanager
def as_it_came(model: Model, wrong: list[Misconverted]) -> Iterator[None]:
    """A context in which a model holds what it held of these arrays."""
    right = [replace(one, values=model.read(one.held)) for one in wrong]
    try:
        for one in wrong:
            model.write(one.held, one.values)
        yield
    finally:
        for one in right:
            model.write(one.held, one.values)
