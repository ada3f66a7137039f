"""Special values in activations."""

from __future__ import annotations

from numpynet import (
    ELU,
    GELU,
    SELU,
    HardSigmoid,
    HardSwish,
    LeakyReLU,
    LogSoftMax,
    Maxout,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    SoftMax,
    Softplus,
    Tanh,
)
from parity.catalogue.deviation import Deviation, Uncompared, flushed
from parity.catalogue.example import layer

EXAMPLES = [
    layer(ReLU()),
    layer(LeakyReLU(0.25)),
    layer(PReLU(33)),
    layer(Maxout(3)),
    layer(ELU(0.5)),
    layer(SELU()),
    layer(GELU(), name="exact"),
    layer(GELU("tanh"), name="tanh"),
    layer(SiLU()),
    layer(Softplus()),
    layer(Sigmoid()),
    layer(HardSigmoid()),
    layer(HardSwish()),
    layer(Tanh()),
    layer(SoftMax()),
    layer(LogSoftMax()),
]

VECTORS = (
    "torch's vectors take NaN for one side of the kink, and the loop over what they leave over takes it for the other: "
    "the gradient depends on where the element lies"
)
VECTORS_SOURCE = "https://github.com/pytorch/pytorch/issues/195075"

KNOWN: list[Deviation] = [
    flushed("ReLU LeakyReLU PReLU ELU SELU GELU SiLU HardSwish Tanh", "subnormal", "output"),
    flushed("GELU SiLU HardSwish", "smallest normal", "output"),
    flushed("ReLU", "subnormal", "input gradient"),
    Deviation(
        "ReLU",
        "NaN",
        "torch",
        {"input gradient": "zero to finite"},
        "torch stops the gradient where the output is at most 0, which NaN is not; the others pass it where the output "
        "is above 0 (see relu-gradient-nan)",
    ),
    Deviation(
        "ReLU PReLU",
        "-0",
        "torch",
        {"output": "zero to negative zero"},
        "torch returns its input where that is not below 0; NumPy's maximum of -0 and 0 is 0, and -0 + 0 is 0",
    ),
    Deviation(
        "ReLU",
        "-0",
        "tensorflow",
        {"output": "zero to negative zero"},
        "the processor's maximum of two zeros is the second of them: Eigen's vectors have 0 there, and what they leave "
        "over has the input",
        ("last",),
    ),
    Deviation(
        "ELU SELU",
        "-0",
        "torch",
        {"output": "zero to negative zero"},
        "torch multiplies the exponential minus 1, which is -0, by constants; NumPy's minimum of -0 and 0 is 0",
        when="torch>=2.8",
    ),
    Deviation(
        "ELU",
        "-0",
        "tensorflow",
        {"output": "zero to negative zero"},
        "TensorFlow takes -0 for negative, and returns its exponential minus 1: -0",
    ),
    Deviation(
        "ELU SELU",
        "NaN",
        "tensorflow",
        {"input gradient": "NaN to finite"},
        "a NaN output is not below 0, so TensorFlow hands the gradient on as for positive inputs; numpynet takes what "
        "is not above 0 for the exponential's side, whose slope is NaN",
    ),
    Deviation(
        "ELU SELU",
        "NaN",
        "torch",
        {"input gradient": "NaN to finite"},
        VECTORS,
        ("last",),
        source=VECTORS_SOURCE,
    ),
    Deviation(
        "HardSigmoid",
        "NaN",
        "torch",
        {"input gradient": "zero to finite"},
        f"{VECTORS}; in float32 it is another kernel, which stops the gradient everywhere",
        ("float64", "last"),
        source=VECTORS_SOURCE,
    ),
    Deviation(
        "HardSwish",
        "+inf",
        "torch",
        {"input gradient": "NaN to finite"},
        "torch has a branch for inputs beyond 3, where the slope is 1 or 0; the others compute inf * 0",
    ),
    Deviation(
        "HardSwish",
        "-inf",
        "torch",
        {"input gradient": "NaN to zero"},
        "torch has a branch for inputs beyond 3, where the slope is 1 or 0; the others compute inf * 0",
    ),
    Deviation(
        "HardSwish",
        "largest",
        "tensorflow",
        {"output": "+inf to finite"},
        "Keras multiplies the input by a sixth of the other factor; numpynet and torch divide the product by 6, which "
        "overflows for inputs beyond a sixth of the largest number",
    ),
    *(
        Deviation(
            "SoftMax",
            value,
            "tensorflow",
            {"output": "NaN to zero"},
            "oneDNN's float32 kernel keeps the NaN where it is and gives 0 elsewhere; Eigen's and torch's rows become "
            "NaN (see softmax-nan). The gradient's row is NaN everywhere",
            ("float32",),
            by="oneDNN",
            source="https://github.com/openvinotoolkit/openvino/issues/33456",
        )
        for value in ("NaN", "+inf")
    ),
    Uncompared(
        "GELU",
        "+inf, -0, largest",
        "torch",
        {"output": "NaN, +0 or +inf"},
        "torch computes it in float32 by oneDNN's formula for the instruction set at hand: with AVX-512 the output is "
        "NaN at +inf and +inf at the largest number, with AVX2 and SSE4.1 it is +0 at -0",
        ("exact", "float32"),
        source="https://github.com/pytorch/pytorch/issues/185770",
    ),
    Uncompared(
        "PReLU",
        "+inf, -inf",
        "tensorflow",
        {"parameter gradient of slope": "NaN"},
        "the counterpart chooses between two formulas by tf.where, which multiplies the infinity by 0 in the gradient "
        "of the one that is not chosen: not Keras' own doing",
    ),
    Uncompared(
        "PReLU",
        "-0",
        "tensorflow",
        {"output": "negative zero"},
        "the counterpart multiplies zeros by the slope itself: not Keras' own doing",
    ),
    Deviation(
        "PReLU",
        "NaN",
        "tensorflow",
        {"input gradient": "finite to zero"},
        "Keras adds two ReLUs, and both stop the gradient at NaN; numpynet and torch have the slope there",
    ),
    Uncompared(
        "Maxout",
        "NaN",
        "tensorflow",
        {"input gradient": "that of the largest number"},
        "Keras has no Maxout: the counterpart asks tf.argmax, to which no NaN is the largest (see argmax-nan)",
    ),
    Uncompared(
        "Maxout",
        "-inf",
        "tensorflow",
        {"output": "NaN"},
        "Keras has no Maxout: the counterpart multiplies what is not the largest by 0",
    ),
]
