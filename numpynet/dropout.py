"""The dropout layer."""

from __future__ import annotations

import numpy as np

from numpynet.module import Array, Module


class Dropout(Module):
    """Zeroes each element with probability `p` in training, and multiplies the rest by 1/(1-p).

    In evaluation it returns its input. The input is floating and of any shape. The mask is `rng.random(shape, float32)
    >= p`, so two modules with equal generators draw equal masks. Raises ValueError unless 0 <= p < 1, and unless the
    input is floating.
    Srivastava et al. 2014, in the inverted form of PyTorch and Keras.
    """

    def __init__(self, p: float = 0.5, *, rng: np.random.Generator | None = None) -> None:
        if not 0 <= p < 1:
            raise ValueError(f"Dropout needs 0 <= p < 1, got p={p}")
        self.p = p
        self.rng = rng or np.random.default_rng()

    def forward(self, input: Array) -> Array:
        input = self.floating(input)
        if not self.training or self.p == 0:
            return self.remember(input, None)
        kept = self.rng.random(input.shape, np.float32) >= self.p
        factor = kept * input.dtype.type(1 / (1 - self.p))
        return self.remember(input * factor, factor)

    def backward(self, grad_output: Array) -> Array:
        (factor,) = self.recall(grad_output)
        return grad_output if factor is None else grad_output * factor
