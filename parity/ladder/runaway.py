"""What is judged of a computation: the part before its numbers run away, or rounding alone drives them."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from parity.formats import format_of
from parity.ladder.trace import OUTPUT, STEP, Trace


def in_range(reference: Trace, allowed: Trace, dtype: np.dtype[Any]) -> Trace:
    """The part of the reference that is computed before numbers run away, or rounding alone drives them.

    Beyond the square root of the format's largest number a variance or a square is infinite there, and every
    implementation right to say so, or to say NaN where that infinity meets a zero. Where rounding alone makes a
    training go that far, every perturbed run is NaN from there; where it may change a parameter by more than the
    parameter, the runs go on elsewhere: what they deviate by then says nothing of the training at hand. The same holds
    where a step's gradient is nothing but rounding: an update that divides by its norm goes a whole step into any
    direction, and the largest error of all decides how far that of another tensor goes.
    """
    largest, last = math.sqrt(format_of(dtype).largest), (math.inf, OUTPUT)
    reference = until_beyond(largest, reference, allowed)
    norms: dict[int, Any] = {}  # squared, of the gradient and of its allowance
    for key, values in reference.items():
        size, bound = np.abs(values), allowed[key]
        if key.step > 0 and np.any(size + bound > largest):
            last = min(last, (key.step, OUTPUT))
        if key.quantity == "parameter" and np.max(bound, initial=0) > np.max(size, initial=0):
            last = min(last, (key.step + 1, OUTPUT))
        if key.quantity == "parameter gradient":
            with np.errstate(over="ignore"):
                norms[key.step] = norms.get(key.step, 0) + np.array([np.sum(size * size), np.sum(bound * bound)])
    last = min([last, *((step, STEP) for step, (gradient, noise) in norms.items() if noise > gradient)])
    return {key: values for key, values in reference.items() if (key.step, key.rung) < last}


def until_beyond(largest: float, reference: Trace, allowed: Trace, steps: float = 1) -> Trace:
    """Returns what is computed before a tensor of the first `steps` steps is beyond `largest`.

    An infinity that the reference itself comes to, as the logarithm of 0, is not: it is what has to be computed.
    """
    for number, (key, values) in enumerate(reference.items()):
        if key.step < steps and np.any(np.isfinite(values) & (np.abs(values) + allowed[key] > largest)):
            return dict(itertools.islice(reference.items(), number))
    return reference
