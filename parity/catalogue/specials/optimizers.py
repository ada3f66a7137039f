"""Special values in the gradients of stochastic gradient descent."""

from __future__ import annotations

from numpynet import SGD, ClipByGlobalNorm, ClipByNorm, ClipByValue
from parity.catalogue.deviation import Deviation, Uncompared
from parity.catalogue.example import rule

EXAMPLES = [
    rule(SGD, "with momentum", momentum=0.875, weight_decay=0.125),
    rule(SGD, "clipped by value", clip=ClipByValue(1.0)),
    rule(SGD, "clipped by norm", clip=ClipByNorm(1.0)),
    rule(SGD, "clipped by global norm", clip=ClipByGlobalNorm(1.0)),
]

KNOWN: list[Deviation] = [
    *(
        Deviation(
            "SGD",
            value,
            "tensorflow",
            dict.fromkeys(("parameter, step 1", "parameter, step 2"), "finite to NaN"),
            "tf.clip_by_global_norm makes everything NaN where the norm is infinite; numpynet and torch scale by 0",
            ("clipped by global norm",),
            source="https://www.tensorflow.org/api_docs/python/tf/clip_by_global_norm",
        )
        for value in ("+inf", "-inf", "largest")
    ),
    *(
        Uncompared(
            "SGD",
            "NaN",
            "torch",
            dict.fromkeys(("parameter, step 1", "parameter, step 2"), "NaN in its own element"),
            "the counterpart asks whether the norm exceeds the limit, which NaN does not, before torch clips",
            (clip,),
        )
        for clip in ("clipped by norm", "clipped by global norm")
    ),
]
