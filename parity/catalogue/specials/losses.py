"""Special values in criteria."""

from __future__ import annotations

from numpynet import (
    BinaryCrossEntropyCriterion,
    BinaryCrossEntropyCriterionUnstable,
    CrossEntropyCriterion,
    HuberCriterion,
    L1Criterion,
    MSECriterion,
    NLLCriterion,
    NLLCriterionUnstable,
)
from parity.catalogue.deviation import Deviation, Uncompared, flushed
from parity.catalogue.example import BINARY, LABELS, PROBABILITIES, ROWS, loss

EXAMPLES = [
    loss(MSECriterion(), -2 * ROWS),
    loss(L1Criterion(), -2 * ROWS),
    loss(HuberCriterion(), -2 * ROWS),
    loss(BinaryCrossEntropyCriterion(), BINARY),
    loss(BinaryCrossEntropyCriterionUnstable(), BINARY, PROBABILITIES),
    loss(CrossEntropyCriterion(), LABELS),
    loss(NLLCriterion(), LABELS, -PROBABILITIES),
    loss(NLLCriterionUnstable(), LABELS, PROBABILITIES),
]

INFINITE_LOGITS = (
    "numpynet and TensorFlow compute max(x, 0) - x y + log(1 + exp(-|x|)), torch (1 - y) x - log(sigmoid(x)): of an "
    "infinite logit each is NaN where it takes infinity from infinity or multiplies it by 0"
)

KNOWN: list[Deviation] = [
    Deviation(
        "MSECriterion",
        "largest",
        "torch tensorflow",
        {"input gradient": "+inf to finite"},
        "numpynet doubles the difference before it divides by the number of elements, the frameworks after",
    ),
    Deviation(
        "L1Criterion",
        "NaN",
        "torch",
        {"input gradient": "NaN to zero"},
        "the sign of NaN is 0 in torch, NaN in NumPy and TensorFlow",
    ),
    Uncompared(
        "HuberCriterion",
        "+inf, -inf",
        "tensorflow",
        {"input gradient": "NaN"},
        "the counterpart is written out with tf.where, which multiplies the infinity by 0 in the gradient of the side "
        "that is not chosen",
    ),
    Deviation(
        "BinaryCrossEntropyCriterion",
        "+inf",
        "torch",
        {"output": "NaN to +inf"},
        f"{INFINITE_LOGITS}; here the label is 0",
        ("last",),
        source="https://github.com/pytorch/pytorch/issues/102894",
    ),
    Deviation(
        "BinaryCrossEntropyCriterion",
        "-inf",
        "torch",
        {"output": "+inf to NaN"},
        f"{INFINITE_LOGITS}; here the label is 1",
        ("first",),
        source="https://github.com/pytorch/pytorch/issues/49844",
    ),
    flushed("BinaryCrossEntropyCriterionUnstable", "largest", "input gradient", ("first",)),
    flushed("NLLCriterionUnstable", "largest", "input gradient"),
]
