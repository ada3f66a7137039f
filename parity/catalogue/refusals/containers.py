"""Refusals of what joins the branches of a graph."""

from __future__ import annotations

from parity.catalogue.known import EXACT_DTYPE, EXACT_SHAPE, FLOATING, Known

KNOWN = [
    Known("integer input", "Sum Concatenate", "numpynet", FLOATING),
    Known("boolean input", "Concatenate", "numpynet", FLOATING),
    Known("boolean input", "Sum", "numpynet tensorflow", FLOATING),
    Known("complex input", "Sum Concatenate", "numpynet", FLOATING, "keras>=3.6"),
    Known("complex input", "Sum Concatenate", "numpynet tensorflow", FLOATING, "keras<3.6"),
    Known("inputs of two precisions", "Sum Concatenate", "numpynet", EXACT_DTYPE),
    Known(
        "a tuple of one input", "Sum Concatenate", "numpynet", "numpynet takes a branch without another for a mistake"
    ),
    Known("inputs that broadcast", "Sum", "numpynet tensorflow", EXACT_SHAPE),
    Known("inputs of two ranks", "Sum", "numpynet", EXACT_SHAPE),
    Known("empty batch", "Sum", "tensorflow", "Keras takes an array without rows for a bias", "keras>=3.7"),
]
