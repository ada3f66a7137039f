"""Which array of one model is which of the other, and how what the first holds is copied into the second."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from numpynet import Array
from parity.comparison.causes import Cause, causes
from parity.comparison.layout import Layout
from parity.comparison.model import Layer, Model, Run, Unfit

# What an array is where only the other model has it, so that both compute the same: no bias, a scale of 1.
NEUTRAL = {"bias": 0.0, "packed bias": 0.0, "output bias": 0.0, "biases": 0.0, "weight": 1.0}
BY_FEATURE = ("batch normalization", "layer normalization")  # kinds of layers with one number for each feature
Shapes = Mapping[str, tuple[int, ...]]  # by role


@dataclass
class Match:
    """A layer of each model that hold the same.

    roles: which role of the second is which of the first
    turned: the order of the axes of the first's arrays in the second, where it is another one
    flat: the roles of arrays that have axes of one element in one of the two alone, with their shapes in the second
    shapes: the shapes of the first's arrays
    columns: how the columns of the weight, or all arrays of a layer that has one number for each feature, lie in the
        second, where its input was flattened in another order
    given: whether it was said that these two go together
    """

    first: Layer
    second: Layer
    roles: Mapping[str, str]
    turned: Mapping[str, tuple[int, ...]]
    shapes: Mapping[str, tuple[int, ...]]
    flat: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    columns: Layout | None = None
    given: bool = False

    def there(self, role: str, values: Array) -> Array:
        """An array of the first layer as the second has it."""
        if role in self.flat:
            return values.reshape(self.flat[role])
        if role in self.turned:
            return values.transpose(self.turned[role])
        return self._flattened(role, values, "there")

    def back(self, role: str, values: Array) -> Array:
        """An array of the second layer as the first has it."""
        if role in self.flat:
            return values.reshape(self.shapes[role])
        if role in self.turned:
            return values.transpose(np.argsort(self.turned[role]))
        return self._flattened(role, values, "back")

    def _flattened(self, role: str, values: Array, way: str) -> Array:
        """The array, with what belongs to the features of a flattened input in the other's order."""
        if self.columns is None:
            return values
        turn = getattr(self.columns, way)
        if self.first.kind in BY_FEATURE:
            return np.asarray(turn(values[None])[0])
        return np.asarray(turn(values)) if role == "weight" else values


@dataclass
class Matching:
    """The layers that hold arrays, matched.

    ambiguous: groups of which nothing but their order and names tells which layer of the second model is which
    notes: what was assumed
    """

    matches: list[Match]
    ambiguous: list[list[Match]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def copy(self) -> Matching:
        """The same, of which matches can be changed."""
        return Matching([replace(match) for match in self.matches], self.ambiguous, self.notes)

    def table(self) -> dict[str, str]:
        """The names of the first model's arrays, and those of the second's that hold the same."""
        return {
            match.first.held[role].name: match.second.held[other].name
            for match in self.matches
            for role, other in match.roles.items()
        }


def matching(first: Model, second: Model, runs: tuple[Run, Run], given: Mapping[str, str] | None = None) -> Matching:
    """The proposal for which array is which: by kind and shapes, in the order of calls; `given` is kept to.

    Raises `Unfit` where the models do not hold the same, or `given` names what there is not.
    """
    ones, others = ([layer for layer in run.order if layer.held] for run in runs)
    matches, found = [], Matching([])
    shapes = tuple(
        {
            name: {role: model.read(held).shape for role, held in layer.held.items()}
            for name, layer in model.layers.items()
        }
        for model in (first, second)
    )

    def match_of(one: Layer, other: Layer) -> Match | None:
        return _match(one, other, shapes[0][one.name], shapes[1][other.name])

    for one, other, said in _given(first, second, given or {}):
        match = _match(one, other, shapes[0][one.name], _in_order(one, shapes[1][other.name], said))
        if match is None:
            raise Unfit(
                f"weights: {one.name} ({one.title}) and {other.name} ({other.title}) do not hold arrays of one shape"
            )
        if wrong := next((role for role, there in said.items() if match.roles.get(role) != there), None):
            raise Unfit(
                f"weights: {one.held[wrong].name} is the {wrong} of {one.name} ({one.title}), and "
                f"{other.held[said[wrong]].name} the {said[wrong]} of {other.name} ({other.title}): they cannot hold "
                "the same"
            )
        match.given = True
        matches.append(match)
        ones, others = [layer for layer in ones if layer is not one], [layer for layer in others if layer is not other]
    left: list[Layer] = []
    for one in ones:
        fitting = [(other, match) for other in others if (match := match_of(one, other)) is not None]
        if not fitting:
            left.append(one)
            continue
        other, match = fitting[0]
        others.remove(other)
        matches.append(match)
    if left or others:
        raise _unmatched(first, second, left, others)
    order = {layer.name: place for place, layer in enumerate(runs[0].order)}
    found.matches = sorted(matches, key=lambda match: order.get(match.first.name, len(order)))
    for model, run in zip((first, second), runs, strict=True):
        called = {layer.name for layer in run.order}
        for name, layer in model.layers.items():
            if layer.held and name not in called:
                found.notes.append(
                    f"{name} ({layer.title}) of the {model.framework} model was never called, and is not compared"
                )
    return found


def _match(one: Layer, other: Layer, shapes: Shapes, there: Shapes) -> Match | None:
    """The match of two layers, whose arrays have these shapes; None where they do not hold the same."""
    if one.kind == other.kind and one.kind in KINDS:
        both = [role for role in shapes if role in there]
        alone = (set(shapes) | set(there)) - set(both)
        fits = both and alone <= set(NEUTRAL)
        same = all(shapes[role] == there[role] for role in both)
        return Match(one, other, {r: r for r in both}, {}, shapes) if fits and same else None
    if len(shapes) != len(there):
        return None
    turned: dict[str, tuple[int, ...]] = {}
    flat: dict[str, tuple[int, ...]] = {}
    for role, theirs in zip(shapes, there, strict=True):
        if _without_ones(shapes[role]) == _without_ones(there[theirs]):
            if shapes[role] != there[theirs]:
                flat[role] = there[theirs]
        else:
            order = TURNS.get(len(shapes[role]))
            if order is None or tuple(shapes[role][axis] for axis in order) != there[theirs]:
                return None
            turned[role] = order
    return Match(one, other, dict(zip(shapes, there, strict=True)), turned, shapes, flat)


def _without_ones(shape: Sequence[int]) -> list[int]:
    return [length for length in shape if length != 1]


# How the axes of torch's weights lie in Keras' of the same kind: of matrices, and of kernels of one to three axes.
TURNS = {2: (1, 0), 3: (2, 1, 0), 4: (2, 3, 1, 0), 5: (2, 3, 4, 1, 0)}


KINDS = {
    "linear",
    "convolution",
    "transposed convolution",
    "batch normalization",
    "layer normalization",
    "group normalization",
    "embedding",
    "lstm",
    "gru",
    "rnn",
    "attention",
    "prelu",
}


Roles = dict[str, str]  # of the second layer's arrays, by those of the first's


def _given(first: Model, second: Model, given: Mapping[str, str]) -> Iterator[tuple[Layer, Layer, Roles]]:
    """Yields the pairs of layers that hold the arrays of these names, each once, with the arrays' roles in them.

    Raises `Unfit` where the arrays of one layer are said to be in two.
    """
    found: dict[str, tuple[Layer, Layer, Roles]] = {}
    seconds: dict[str, Layer] = {}
    if not isinstance(given, Mapping):
        raise Unfit("weights: give a dict, whose names are the first model's arrays and whose values are the second's")
    for name, there in given.items():
        (one, role), (other, role_there) = _holder(first, "first", name), _holder(second, "second", there)
        known = found.setdefault(one.name, (one, other, {}))
        if known[1] is not other:
            raise _said_twice(name, there, "first", one, (known[1], other))
        if (also := seconds.setdefault(other.name, one)) is not one:
            raise _said_twice(name, there, "second", other, (also, one))
        known[2][role] = role_there
    yield from found.values()


def _said_twice(name: str, there: str, which: str, layer: Layer, others: tuple[Layer, Layer]) -> Unfit:
    both = " and ".join(other.name for other in others)
    return Unfit(
        f"weights: {name} cannot be {there}: {layer.name} ({layer.title}) of the {which} model is one layer, and would "
        f"be two of the other's, {both}"
    )


def _in_order(one: Layer, there: Shapes, said: Roles) -> Shapes:
    """The shapes of the second layer's arrays, in the order of the first's that are said to hold the same."""
    rest = iter([role for role in there if role not in said.values()])
    order = [said[role] if role in said else next(rest, None) for role in one.held]
    return {role: there[role] for role in [*order, *rest] if role is not None}


def _holder(model: Model, which: str, name: str) -> tuple[Layer, str]:
    """The layer that holds the array of this name, or that of which a tensor has it, and the array's role in it."""
    names = {
        own: (layer, role)
        for layer in model.layers.values()
        for role, held in layer.held.items()
        for own in (*held.names, held.name)
    }
    if name in names:
        return names[name]
    near = difflib.get_close_matches(name, names, n=3) or list(names)[:3]
    raise Unfit(f"weights: the {which} model holds no {name!r}; it holds {', '.join(near)}, ...")


class Unmatched(Unfit):
    """Raised where one model holds what the other has no place for.

    layer: of the second model, that does not hold it; None where none is of the kind
    cause: the setting that makes it so, and what mends it; None where nothing is known to
    """

    def __init__(self, message: str, layer: Layer | None = None, cause: Cause | None = None) -> None:
        super().__init__(message if cause is None else f"{message}\nProbably {cause.told}. Mend: {cause.mend}")
        self.layer, self.cause = layer, cause


SHAPING = ("groups", "axis", "weight", "bias", "reset after", "head size")  # settings that say which arrays there are


def _shaping(first: Layer, second: Layer) -> Cause | None:
    """The setting by which two layers of a kind hold other arrays."""
    return next((cause for cause in causes([first], second) if cause.name in SHAPING), None)


def _unmatched(first: Model, second: Model, ones: Sequence[Layer], others: Sequence[Layer]) -> Unmatched:
    def told(model: Model, layers: Sequence[Layer]) -> str:
        held = [
            f"\n  {layer.name} ({layer.title}): "
            + ", ".join(f"{held.name} {model.read(held).shape}" for held in layer.held.values())
            for layer in layers
        ]
        return f"of the {model.framework} model{''.join(held)}" if held else ""

    sides = "\n".join(filter(None, (told(first, ones), told(second, others))))
    pair = next(((one, other) for one in ones for other in others if one.kind == other.kind), None)
    message = f"the models do not hold the same: no counterpart was found\n{sides}"
    if pair is not None:
        message += _of_other_sizes(first, second, *pair)
    return Unmatched(message, pair[1], _shaping(*pair)) if pair else Unmatched(message)


def _of_other_sizes(first: Model, second: Model, one: Layer, other: Layer) -> str:
    """Returns what is said of two matrices that are of other sizes since the images ahead of them are."""
    if one.kind != "linear":
        return ""
    taken, given = (model.read(layer.held["weight"]).shape[-1] for model, layer in ((first, one), (second, other)))
    said = (
        f"\n{one.name} takes {taken} numbers, and {other.name} {given}: behind a Flatten that is the size of the "
        "images. Build both for one size, or compare them up to there"
    )
    return said if taken != given else ""


def interchangeable(match: Match, other: Match) -> bool:
    """Tells whether what the layers hold does not tell two matches apart, and nobody said which is which."""
    return match.shapes == other.shapes and match.first.kind == other.first.kind and not (match.given or other.given)


def in_groups(matches: Sequence[Match]) -> list[list[Match]]:
    """The matches, those together that what the layers hold does not tell apart."""
    groups: list[list[Match]] = []
    for match in matches:
        home = next((group for group in groups if interchangeable(group[0], match)), None)
        if home is None:
            groups.append([match])
        else:
            home.append(match)
    return groups


def copied(first: Model, second: Model, found: Matching) -> list[str]:
    """Copy what the first model holds into the second; returns what was assumed of what only one of them has.

    Raises `Unfit` where the first holds something that the second has no place for.
    """
    alone = []
    for match in found.matches:
        for role, held in match.first.held.items():
            if role in match.roles:
                second.write(match.second.held[match.roles[role]], match.there(role, first.read(held)))
            elif not np.all(first.read(held) == NEUTRAL[role]):
                place = f"{match.second.name} ({match.second.title})"
                message = f"{held.name} has no place in {place}, and is not {NEUTRAL[role]:g}"
                raise Unmatched(message, match.second, _shaping(match.first, match.second))
        for role, held in match.second.held.items():
            if role not in match.roles.values():
                second.write(held, np.full_like(second.read(held), NEUTRAL[role]))
                alone.append(f"{held.name} ({NEUTRAL[role]:g})")
    if not alone:
        return []
    more = f" and {len(alone) - 1} more" if len(alone) > 1 else ""
    moved = "have no counterpart and were set to that: a training would move them"
    return [f"of the second model's arrays, {alone[0]}{more} {moved}"]
