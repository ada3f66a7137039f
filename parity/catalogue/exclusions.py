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
        "numbers beyond 2^-10 .. 2^10 of the normal distribution's", "strategies.scales", ("subnormals-flushed",)
    ),
    Exclusion(
        "NaN and infinities",
        "strategies.arrays",
        ("softmax-nan", "relu-gradient-nan", "relu-gradient-infinite", "dropout-infinite", "maxpool-nan"),
    ),
    Exclusion("classes chosen by argmax of NaN", "strategies.arrays", ("argmax-nan",)),
    Exclusion(
        "slopes, alphas and probabilities that are not dyadic", "strategies.dyadic", ("leaky-relu-float32-slope",)
    ),
    Exclusion("momenta and learning rates that are not dyadic", "pairs.optimizers", ("keras-float32",)),
    Exclusion("betas that are not dyadic", "pairs.adaptive", ("keras-float32", "adam-bias-correction")),
    Exclusion("learning rates that are no power of two", "strategies.cases", ("sgd-velocity", "sgd-nesterov-velocity")),
    Exclusion("Softplus with torch's default threshold", "pairs.activations", ("softplus-threshold",)),
    Exclusion("training batches of one", "pairs.normalization", ("batchnorm-single-value",)),
    Exclusion("batches of one in GroupNormalization", "pairs.normalization", ("groupnorm-single-value",)),
    Exclusion("the frameworks' own dropout masks", "pairs.dropout", ("dropout-masks", "dropout-division")),
    Exclusion("targets of another shape than the input", "pairs.criteria", ("mse-broadcasting",)),
    Exclusion("rows of class weights that do not sum to 1", "pairs.criteria", ("soft-targets",)),
    Exclusion(
        "Keras' own loss on probabilities", "pairs.criteria", ("probabilities-clipped", "probabilities-eager-graph")
    ),
    Exclusion("Keras' own mean squared error", "pairs.criteria", ("mse-reduction",)),
    Exclusion("the frameworks' own binary cross-entropy of probabilities", "pairs.criteria", ("bce-clipped",)),
    Exclusion("torch's own mean of weighted one-hot rows", "pairs.classification", ("class-weights-rows",)),
    Exclusion("float64 losses under a float32 floatx", "frameworks.tensorflow.precision", ("losses-in-floatx",)),
    Exclusion("the frameworks' own initial weights", "frameworks", ("dense-initial-weights", "dense-initial-bias")),
    Exclusion("Keras' normal initialisers", "frameworks", ("he-normal-truncated", "glorot-normal-truncated")),
)
