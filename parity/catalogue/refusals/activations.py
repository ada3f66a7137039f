"""Refusals of activations."""

from __future__ import annotations

from numpynet import GELU
from parity.catalogue.known import EXACT_DTYPE, FLOATING, GRADIENT, Known
from parity.catalogue.settings import Settings, on_rows
from parity.frameworks.lazy import keras, torch

ALL = "ReLU LeakyReLU PReLU Maxout ELU SELU GELU SiLU Softplus Sigmoid HardSigmoid HardSwish Tanh SoftMax LogSoftMax"

KNOWN = [
    Known("integer input", "ReLU Tanh", "numpynet", FLOATING),
    Known("integer input", "LeakyReLU", "numpynet torch", FLOATING),
    Known("integer input", "Maxout", "numpynet", FLOATING),
    Known("integer input", "Sigmoid", "numpynet tensorflow", FLOATING),
    Known("boolean input", "Tanh", "numpynet", FLOATING),
    Known("boolean input", "Maxout", "numpynet tensorflow", FLOATING),
    Known("boolean input", "Sigmoid", "numpynet tensorflow", FLOATING),
    Known("complex input", "Sigmoid Tanh", "numpynet", FLOATING, "keras>=3.6"),
    Known("complex input", "Sigmoid Tanh", "numpynet tensorflow", FLOATING, "keras<3.6"),
    Known("complex input", "SiLU", "numpynet", FLOATING, "keras>=3.6"),
    Known("complex input", "SiLU", "numpynet tensorflow", FLOATING, "keras<3.6"),
    Known("input of another precision", "PReLU", "numpynet torch", EXACT_DTYPE),
    Known("gradient of another precision", ALL, "tensorflow", GRADIENT),
    Known("gradient of integers", ALL, "tensorflow", GRADIENT),
    Known("a single number", "SoftMax LogSoftMax", "tensorflow", "Keras' softmax wants an axis, the others return 1"),
    Known("an unknown approximation", "GELU", "numpynet torch", "Keras takes whatever is true for the one by tanh"),
]

SETTINGS: Settings = {
    "GELU": {
        "an unknown approximation": on_rows(
            lambda: GELU("sigmoid"),  # type: ignore[arg-type]
            lambda: torch.nn.GELU("sigmoid"),
            lambda: keras.layers.Activation(lambda x: keras.activations.gelu(x, approximate="sigmoid")),
        )
    },
}
