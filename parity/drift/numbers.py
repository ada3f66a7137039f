"""Which tensors moved, by how much, and to which side of the reference."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from numpynet import Array
from parity.drift.document import Missing, Move
from parity.drift.packing import unpacked
from parity.drift.stack import TENSORS, Stack, both
from parity.ladder.judge import errors
from parity.results.records import Json
from parity.results.store import number_of

Place = tuple[str, str, str]  # implementation, class and dtype
SCRIPT = """from parity.drift.fingerprint import computed

print(computed({pair!r}, {dtype!r}, {of!r}, {tensor!r}, seed={seed})[{element}].item())
"""


@dataclass(frozen=True)
class Value:
    """One tensor as one stack has it: its values, its unit, the share of its allowance, and its error in units."""

    values: Array
    unit: float | None
    used: float
    error: float


@dataclass
class Numbers:
    """All tensors of two stacks, compared.

    compared, union: how many both have, and how many either has
    places: the implementations and classes of which any was compared
    refused: the keys of the records that cannot be compared, by why
    """

    moves: list[Move] = field(default_factory=list)
    compared: int = 0
    union: int = 0
    refused: dict[str, list[str]] = field(default_factory=dict)
    places: frozenset[tuple[str, str]] = frozenset()

    @property
    def missing(self) -> list[Missing]:
        return [Missing(what=TENSORS, why=why, keys=keys) for why, keys in self.refused.items()]


def compare(before: Stack, after: Stack) -> Numbers:
    """Compare all tensors that both stacks have, of the same examples, measured by the same code."""
    found = Numbers()
    for key, old, new in both(before, after, TENSORS):
        if why := _incomparable(old, new):
            found.refused.setdefault(why, []).append(key)
            continue
        for of in (of for of in old["found"] if of in new["found"]):
            first, then = tensors(old, of), tensors(new, of)
            common = first.keys() & then.keys()
            found.places |= {(of, old["pair"])} if common else set()
            found.compared += len(common)
            found.union += len(first.keys() | then.keys())
            if len(common) < len(first.keys() | then.keys()):
                found.refused.setdefault("one of the two has tensors that the other has not", []).append(f"{key}, {of}")
            pairs = {each: (first[each], then[each]) for each in first if each in common}
            here = of, old["pair"], old["dtype"]
            if move := moved(here, pairs, functools.partial(_script, here, old["seed"])):
                found.moves.append(move)
    found.moves.sort(key=lambda move: -number_of(move.ulps))
    return found


def _incomparable(old: Json, new: Json) -> str:
    if old["digest"] != new["digest"]:
        return "they are of other examples: measure both by the same commit, seed and number of examples"
    if old["code"] != new["code"]:
        return "other code of parity drew and judged them: measure both by the same commit"
    return ""


def tensors(record: Json, of: str) -> dict[str, Value]:
    """The tensors of one implementation in a record, by name."""
    trace, dtype = record["found"][of], np.dtype(record["dtype"])
    without = set(trace["without"])
    parts = [part for place, part in enumerate(record["tensors"]) if place not in without]
    arrays = unpacked(trace["bits"], [part["shape"] for part in parts], dtype)
    return {
        f"example {part['example'] + 1}, {part['name']}": Value(values, part["unit"], number_of(used), number_of(error))
        for part, values, used, error in zip(parts, arrays, trace["used"], trace["errors"], strict=True)
    }


def changed(old: Array, new: Array) -> Array:
    """The elements, as a mask, of which a bit is another one; one NaN is like another."""
    bits = [each.view(f"u{each.dtype.itemsize}") for each in (np.ascontiguousarray(old), np.ascontiguousarray(new))]
    return (bits[0] != bits[1]) & ~(np.isnan(old) & np.isnan(new))


def _script(place: Place, seed: int, tensor: str, element: tuple[int, ...]) -> str:
    of, pair, dtype = place
    return SCRIPT.format(pair=pair, dtype=dtype, of=of, tensor=tensor, seed=seed, element=element)


def moved(
    place: Place, pairs: Mapping[str, tuple[Value, Value]], script: Callable[[str, tuple[int, ...]], str]
) -> Move | None:
    """How the tensors of one implementation, class and dtype moved; None where no bit did.

    script: what prints an element of the tensor of this name
    """
    masks = {name: changed(old.values, new.values) for name, (old, new) in pairs.items()}
    names = [name for name, mask in masks.items() if mask.any()]
    if not names:
        return None
    sizes = {name: _ulps(*pairs[name], masks[name]) for name in names}
    largest = max(names, key=lambda name: sizes[name][0])
    ulps, element = sizes[largest]
    measured = [pairs[name] for name in names if None not in (pairs[name][0].unit, pairs[name][1].unit)]
    error = [max((each[side].error for each in measured), default=0.0) for side in (0, 1)]
    used = [max(pairs[name][side].used for name in names) for side in (0, 1)]
    of, pair, dtype = place
    return Move(
        of=of,
        pair=pair,
        dtype=dtype,
        tensors=len(pairs),
        moved=len(names),
        elements=sum(int(mask.sum()) for mask in masks.values()) / sum(mask.size for mask in masks.values()),
        ulps=ulps,
        tensor=largest,
        element=list(element),
        before=float(pairs[largest][0].values[element]),
        after=float(pairs[largest][1].values[element]),
        script=script(largest, element),
        rounding=len(names) - len(measured),
        used_before=used[0],
        used_after=used[1],
        error_before=error[0],
        error_after=error[1],
        reference="alike" if error[0] == error[1] else "worse" if error[1] > error[0] else "better",
        beyond=not used[1] <= 1,
    )


def _ulps(old: Value, new: Value, changed: Array) -> tuple[float, tuple[int, ...]]:
    """The largest move in a tensor, in its units, and its element; 0 where the tensor is nothing but rounding."""
    distance = errors(new.values, old.values.astype(np.longdouble))
    distance = np.where(changed.reshape(distance.shape), distance, -1)  # a zero's sign moves by 0
    element = tuple(map(int, np.unravel_index(int(np.argmax(distance)), distance.shape)))
    return (float(distance[element]) / old.unit if old.unit is not None else 0.0), element


def floors(moves: Sequence[Sequence[Move]]) -> dict[Place, float]:
    """The largest move of each implementation, class and dtype in any of these lists."""
    found: dict[Place, float] = {}
    for move in (each for of_one in moves for each in of_one):
        found[place(move)] = max(found.get(place(move), 0.0), number_of(move.ulps))
    return found


def place(move: Move) -> Place:
    return move.of, move.pair, move.dtype


def above(moves: Sequence[Move], floor: Mapping[Place, float]) -> Iterator[Move]:
    """Yields the moves with the floor of each beside it; without any floor, as they are."""
    for move in moves:
        if not floor:
            yield move
            continue
        least = floor.get(place(move), 0.0)
        yield replace(move, floor=least, below_floor=number_of(move.ulps) <= least)
