"""Special values in normalisation and scaling."""

from __future__ import annotations

from numpynet import BatchNormalization, GroupNormalization, LayerNormalization, Scaling
from parity.catalogue.deviation import Deviation, flushed
from parity.catalogue.example import IMAGES, layer

EXAMPLES = [
    layer(BatchNormalization(3), IMAGES),
    layer(LayerNormalization()),
    layer(GroupNormalization(3)),
    layer(Scaling(33)),
]

KNOWN: list[Deviation] = [
    flushed("BatchNormalization", "smallest normal, subnormal", "output", ("evaluation",)),
    Deviation(
        "BatchNormalization",
        "-0",
        "torch",
        {"output": "negative zero to zero"},
        "torch multiplies by one over the deviation and then adds what the mean is moved by: -0 + 0 is 0",
        ("evaluation",),
    ),
    Deviation(
        "LayerNormalization GroupNormalization",
        "largest",
        "torch",
        {"output": "zero to NaN", "input gradient": "zero to NaN"},
        "torch before 2.10 makes NaN of a variance that overflows in a vector of the processor; since then it is "
        "infinite there too, as in what the vectors leave over, and the output is 0",
        ("first",),
        when="torch<2.10",
    ),
]
