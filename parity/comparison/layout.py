"""How the arrays of one model lie in the other: the channels last, the time first, or flattened in another order."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from numpynet import Array

# The orders that an array's axes may have in the other model, by its rank; the first that fits is believed first.
ORDERS: dict[int, list[tuple[int, ...]]] = {
    2: [(0, 1), (1, 0)],
    3: [(0, 1, 2), (0, 2, 1), (1, 0, 2)],
    4: [(0, 1, 2, 3), (0, 2, 3, 1), (0, 3, 1, 2)],
    5: [(0, 1, 2, 3, 4), (0, 2, 3, 4, 1), (0, 4, 1, 2, 3)],
}


@dataclass(frozen=True)
class Layout:
    """The order in which the other model has an array's axes.

    before: of an array (N, features) that was flattened, the shape that one example had, with the number of them in
        front where several were concatenated; `order` is that of its axes
    """

    order: tuple[int, ...]
    before: tuple[int, ...] = ()

    @property
    def same(self) -> bool:
        return self.order == tuple(range(len(self.order)))

    def there(self, values: Array) -> Array:
        """The array as the other model has it."""
        if self.before:
            return values.reshape(len(values), *self.before).transpose(self.order).reshape(len(values), -1)
        return values.transpose(self.order)

    def back(self, values: Array) -> Array:
        """The other model's array as this one has it."""
        back = tuple(np.argsort(self.order))
        if self.before:
            shape = (len(values), *(self.before[axis - 1] for axis in self.order[1:]))
            return values.reshape(shape).transpose(back).reshape(len(values), -1)
        return values.transpose(back)

    def __str__(self) -> str:
        order = ", ".join(map(str, self.order))
        return f"flattened from axes ({order}) of {self.before}" if self.before else f"axes ({order})"


@dataclass(frozen=True)
class OneHot(Layout):
    """Rows of zeros and a one in the other model, where this one has the index of that in so many `classes`."""

    classes: int = 0
    same = False

    def there(self, values: Array) -> Array:
        return (values[..., None] == np.arange(self.classes)).astype(np.float32)

    def back(self, values: Array) -> Array:
        return values.argmax(axis=-1)

    def __str__(self) -> str:
        return f"one-hot rows of {self.classes}"


@dataclass(frozen=True)
class Indices(OneHot):
    """The indices in the other model of what is one in the rows that this one has."""

    def there(self, values: Array) -> Array:
        return super().back(values)

    def back(self, values: Array) -> Array:
        return super().there(values)

    def __str__(self) -> str:
        return "indices, of one-hot rows,"


SIDE_BY_SIDE = 8  # arrays that were flattened and then concatenated, at most
BY_CHANCE = 0.75  # MobileNetV2's 1280 features, no image, are 0.97 as far in another order; behind a wrong layer 0.56


class Flattened(NamedTuple):
    """What is known of arrays (N, features) that may have been flattened.

    shapes: those that an example may have had before, in the order in which they came
    turned: whether images lie otherwise in the other model
    """

    shapes: Sequence[tuple[int, ...]] = ()
    turned: bool = False


NOTHING_FLATTENED = Flattened()


def layouts(shape: Sequence[int], other: Sequence[int | None], before: Sequence[tuple[int, ...]] = ()) -> list[Layout]:
    """The layouts in which an array of this shape has the `other` one, where None stands for any number.

    `before` are the shapes that an example may have had before it was flattened. What was flattened last comes first of
    these, and what was concatenated then comes after it.
    """
    orders = ORDERS.get(len(shape), [tuple(range(len(shape)))]) if len(shape) == len(other) else []
    found = [
        Layout(order)
        for order in orders
        if all(wanted in (None, shape[axis]) for axis, wanted in zip(order, other, strict=True))
    ]
    if len(shape) == 2 and tuple(other) == tuple(shape):
        several: list[Layout] = []
        for earlier in reversed(before):
            orders = ORDERS.get(len(earlier) + 1, [])[1:]
            number, rest = divmod(shape[1], math.prod(earlier) or math.inf)
            if number == 1 and not rest:
                found += [Layout(order, earlier) for order in orders]
            elif 1 < number <= SIDE_BY_SIDE and not rest:  # whose order stays
                within = [[axis + 1 for axis in order[1:]] for order in orders if order[0] == 0]
                several += [Layout((0, 1, *axes), (int(number), *earlier)) for axes in within]
        found += several
    return found


def in_classes(values: Array, other: Sequence[int | None]) -> list[Layout]:
    """The layouts that fit the `other` shape where one of the two has indices, and the other one-hot rows of them."""

    def fit(shape: Sequence[int]) -> bool:
        return len(shape) == len(other) and all(w in (None, size) for w, size in zip(other, shape, strict=True))

    order = tuple(range(values.ndim))
    if values.dtype.kind in "iu" and other and (classes := other[-1]) and fit((*values.shape, classes)):
        return [OneHot(order, classes=classes)] if values.min() >= 0 and values.max() < classes else []
    if values.ndim > 1 and fit(values.shape[:-1]) and _is_one_hot(values):
        return [Indices(order, classes=values.shape[-1])]
    return []


def _is_one_hot(values: Array) -> bool:
    return bool(np.all((values == 0) | (values == 1)) and np.all(values.sum(axis=-1) == 1))


def closest(values: Array, other: Array, before: Flattened = NOTHING_FLATTENED) -> Layout | None:
    """The layout in which `values` are nearest to the `other` model's; None where none has its shape.

    That they were flattened in another order is believed where they are nearer by a quarter then: features that were no
    image are nearer in some order by chance, but by little, and what a wrong layer left of one by a half. Where they
    are as far in either order, as features that are all equal, they lie as images do.
    """
    found = layouts(values.shape, other.shape, before.shapes)
    if len(found) < 2:
        return found[0] if found else None
    far = {layout: _far(layout.there(values), other) for layout in found}
    whole = min((layout for layout in found if not layout.before), key=far.__getitem__, default=None)
    flattened = min((layout for layout in found if layout.before), key=far.__getitem__, default=None)
    if whole is None or flattened is None:
        return whole or flattened
    otherwise = before.turned if far[flattened] == far[whole] else far[flattened] < far[whole] * BY_CHANCE
    return flattened if otherwise else whole


def _far(values: Array, other: Array) -> float:
    with np.errstate(all="ignore"):
        return float(np.nan_to_num(np.mean(np.abs(values.astype(float) - other)), nan=np.inf))


def distance(values: Array, other: Array, before: Flattened = NOTHING_FLATTENED) -> float:
    """How far an array is from the other model's in its layout, of its mean size; infinity where they are others."""
    layout = closest(values, other, before)
    if layout is None:
        return math.inf
    return float(np.mean(np.abs(values.astype(float) - layout.back(other)))) / (size_of(values) or 1.0)


def size_of(values: Array) -> float:
    """The mean size of an array's elements; 0 where it has none."""
    return float(np.mean(np.abs(values), dtype=float)) if values.size else 0.0


def turned(found: Sequence[Layout]) -> bool:
    """Tells whether one of several inputs is an image that lies otherwise in the other model."""
    return any(len(layout.order) > 3 and not layout.same for layout in found)


def combinations(found: Sequence[Sequence[Layout]]) -> list[tuple[Layout, ...]]:
    """Every choice of a layout for each of several arrays, the likely ones first."""
    return list(itertools.product(*found))
