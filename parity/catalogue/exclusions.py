"""The inputs and settings that the random draws leave out, each with the entry of the catalogue that says why.

Nothing is left out in silence.
"""

from __future__ import annotations

from typing import NamedTuple


class Exclusion(NamedTuple):
    """Something that is not drawn: what it is, where that is decided, and the entries that give the reason."""

    what: str
    where: str
    entries: tuple[str, ...]


EXCLUSIONS = (
    Exclusion(
        "numbers beyond 2^-10 .. 2^10 of the normal distribution's",
        "drawing.strategies.scales",
        ("subnormals-flushed",),
    ),
    Exclusion(
        "NaN and infinities",
        "drawing.strategies.arrays",
        ("softmax-nan", "relu-gradient-nan", "relu-gradient-infinite", "dropout-infinite", "maxpool-nan"),
    ),
    Exclusion("classes chosen by argmax of NaN", "drawing.strategies.arrays", ("argmax-nan",)),
    Exclusion(
        "slopes, alphas and probabilities that are not dyadic",
        "drawing.strategies.dyadic",
        ("leaky-relu-float32-slope",),
    ),
    Exclusion("momenta and learning rates that are not dyadic", "mapping.optimizers", ("keras-float32",)),
    Exclusion("betas that are not dyadic", "mapping.adaptive", ("keras-float32", "adam-bias-correction")),
    Exclusion(
        "learning rates that are no power of two", "ladder.cases.cases", ("sgd-velocity", "sgd-nesterov-velocity")
    ),
    Exclusion("Softplus with torch's default threshold", "mapping.activations", ("softplus-threshold",)),
    Exclusion("training batches of one", "mapping.normalization", ("batchnorm-single-value",)),
    Exclusion("batches of one in GroupNormalization", "mapping.normalization", ("groupnorm-single-value",)),
    Exclusion("the frameworks' own dropout masks", "mapping.dropout", ("dropout-masks", "dropout-division")),
    Exclusion("targets of another shape than the input", "mapping.losses", ("mse-broadcasting",)),
    Exclusion("rows of class weights that do not sum to 1", "mapping.losses", ("soft-targets",)),
    Exclusion(
        "Keras' own loss on probabilities", "mapping.losses", ("probabilities-clipped", "probabilities-eager-graph")
    ),
    Exclusion("Keras' own mean squared error", "mapping.losses", ("mse-reduction",)),
    Exclusion("the frameworks' own binary cross-entropy of probabilities", "mapping.losses", ("bce-clipped",)),
    Exclusion("torch's own mean of weighted one-hot rows", "mapping.losses", ("class-weights-rows",)),
    Exclusion(
        "float64 losses under a float32 floatx", "frameworks.tensorflow.framework.precision", ("losses-in-floatx",)
    ),
    Exclusion("the frameworks' own initial weights", "frameworks", ("dense-initial-weights", "dense-initial-bias")),
    Exclusion("Keras' normal initialisers", "frameworks", ("he-normal-truncated", "glorot-normal-truncated")),
)
