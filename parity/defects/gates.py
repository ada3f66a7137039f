"""Defects of GELU, SiLU, HardSigmoid and HardSwish."""

from __future__ import annotations

import numpy as np

from numpynet import GELU, Array, HardSigmoid, HardSwish, SiLU
from numpynet.activations import hard_slope, sigmoid
from parity.defects.defect import caught_on
from parity.ladder.trace import GRADIENT, OUTPUT


def by_tanh(x: Array) -> Array:
    """P(Z <= x) by the formula with tanh that GELU's own approximation uses."""
    return (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * (x * x * x)))) / 2


@caught_on(OUTPUT)
class GELUAlwaysTanh(GELU):
    """Approximates by tanh, whatever it was asked for."""

    def forward(self, input: Array) -> Array:
        super().forward(input)
        gate = by_tanh(input)
        return self.remember(input * gate, input, gate)


@caught_on(OUTPUT)
class GELUBySigmoid(GELU):
    """x * sigmoid(1.702 x), the paper's other approximation, for the one by tanh."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        if self.approximate == "none":
            return output
        gate = sigmoid(1.702 * input)
        return self.remember(input * gate, input, gate)


@caught_on(GRADIENT)
class GELUGradientWithoutDensity(GELU):
    """Differentiates as if the gate did not depend on the input."""

    def backward(self, grad_output: Array) -> Array:
        _, gate = self.recall(grad_output)
        return grad_output * gate


@caught_on(GRADIENT)
class GELUGradientOfTheOther(GELU):
    """Is exact forward, and sends back the gradient of the approximation."""

    def backward(self, grad_output: Array) -> Array:
        input, _ = self.recall(grad_output)
        gate = by_tanh(input)
        slope = 2 * gate * (1 - gate) * np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * input * input)
        return grad_output * (gate + input * slope)


@caught_on(GRADIENT)
class GELUCubeNotDifferentiated(GELU):
    """Forgets the cube inside tanh when it differentiates."""

    def backward(self, grad_output: Array) -> Array:
        if self.approximate == "none":
            return super().backward(grad_output)
        input, gate = self.recall(grad_output)
        return grad_output * (gate + input * 2 * gate * (1 - gate) * np.sqrt(2 / np.pi))


@caught_on(GRADIENT)
class SiLUWithoutProductRule(SiLU):
    """Multiplies the derivatives of the factors: that of a sigmoid is left."""

    def backward(self, grad_output: Array) -> Array:
        _, gate = self.recall(grad_output)
        return grad_output * gate * (1 - gate)


@caught_on(GRADIENT)
class SiLUGateConstant(SiLU):
    """Multiplies the gradient by the gate, and takes the gate for a constant."""

    def backward(self, grad_output: Array) -> Array:
        _, gate = self.recall(grad_output)
        return grad_output * gate


@caught_on(OUTPUT)
class HardSigmoidOfKeras2(HardSigmoid):
    """Has the slope of Keras 2, 0.2, and ends at -2.5 and 2.5."""

    def forward(self, input: Array) -> Array:
        super().forward(input)
        return np.clip(0.2 * input + 0.5, 0, 1)


@caught_on(GRADIENT)
class HardSigmoidGradientOutside(HardSigmoid):
    """Sends a sixth of the gradient back beyond the ends, too."""

    def backward(self, grad_output: Array) -> Array:
        self.recall(grad_output)
        return grad_output / 6


@caught_on(GRADIENT)
class HardSigmoidGradientAtEnds(HardSigmoid):
    """Counts the ends themselves to the slope."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        inside = (input >= -3) & (input <= 3)
        return self.remember(output, 3 * inside.astype(output.dtype))


@caught_on(GRADIENT)
class HardSwishGradientAtEnds(HardSwish):
    """Has the parabola's gradients at the ends, as torch before 2.8: -0.5 and 1.5."""

    def backward(self, grad_output: Array) -> Array:
        input, clipped = self.recall(grad_output)
        return grad_output * (clipped + input * (np.abs(input) <= 3)) / 6


@caught_on(GRADIENT)
class HardSwishWithoutProductRule(HardSwish):
    """Differentiates the gate alone."""

    def backward(self, grad_output: Array) -> Array:
        input, clipped = self.recall(grad_output)
        return grad_output * input * hard_slope(clipped) / 6
