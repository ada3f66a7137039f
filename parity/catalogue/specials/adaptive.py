"""Special values in the gradients of adaptive optimizers."""

from __future__ import annotations

from numpynet import Adagrad, Adam, AdamW, RMSprop
from parity.catalogue.deviation import Deviation, flushed
from parity.catalogue.example import rule

EXAMPLES = [rule(Adam), rule(AdamW), rule(RMSprop), rule(Adagrad)]

MOVED = (
    "it moves a moment by its distance from the gradient, of which an infinite one has none: inf - inf; torch moves "
    "the first moment so, Keras both, numpynet none"
)

KNOWN: list[Deviation] = [
    flushed("Adam AdamW", "smallest normal, subnormal", "first moment, step 1"),
    Deviation("Adam AdamW", "+inf", "torch tensorflow", {"first moment, step 2": "+inf to NaN"}, MOVED),
    Deviation("Adam AdamW", "-inf", "torch tensorflow", {"first moment, step 2": "-inf to NaN"}, MOVED),
    Deviation("Adam AdamW", "+inf, -inf, largest", "tensorflow", {"second moment, step 2": "+inf to NaN"}, MOVED),
    Deviation(
        "Adam AdamW",
        "largest",
        "tensorflow",
        {"parameter, step 2": "finite to NaN"},
        "it is divided by the root of the second moment, which overflowed in the step before",
    ),
]
