"""Refusals of layers that rearrange."""

from __future__ import annotations

from parity.catalogue.known import FLOATING, Known

KNOWN = [
    Known("integer input", "Flatten", "numpynet", FLOATING),
    Known("boolean input", "Flatten", "numpynet", FLOATING),
    Known("complex input", "Flatten", "numpynet", FLOATING, "keras>=3.6"),
    Known("complex input", "Flatten", "numpynet tensorflow", FLOATING, "keras<3.6"),
    Known("one dimension too few", "Flatten", "numpynet torch", "Keras makes (N, 1) of (N,)"),
]
