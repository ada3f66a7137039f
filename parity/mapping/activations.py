"""The pairs of the activations."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from numpynet import (
    ELU,
    GELU,
    SELU,
    Array,
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
from numpynet.normal import normal_cdf
from parity.drawing.strategies import arrays, batches, dyadic, more_sides, sizes
from parity.drawing.tails import ends, integers
from parity.frameworks.counterpart import Counterpart
from parity.frameworks.lazy import keras, keras_activations, torch, torch_activations
from parity.mapping.normalization import SharedFeaturePair
from parity.mapping.pair import AnyShapePair, LayerPair, pair
from parity.results.boundaries import before


@pair(ReLU)
class ReLUPair(AnyShapePair):
    modules = st.builds(ReLU)

    def torch(self, module: ReLU) -> Any:
        return torch.nn.ReLU()

    def tensorflow(self, module: ReLU) -> Any:
        return keras.layers.ReLU()


@pair(LeakyReLU)
class LeakyReLUPair(AnyShapePair):
    """Keras calls it negative_slope; the defaults differ (see differences, leaky-relu-slope)."""

    modules = st.builds(LeakyReLU, ends(dyadic(0, 1), 0.01, 0.0, 2.0**-10, 2.0))

    def torch(self, module: LeakyReLU) -> Any:
        return torch.nn.LeakyReLU(module.slope)

    def tensorflow(self, module: LeakyReLU) -> Any:
        return keras.layers.LeakyReLU(negative_slope=module.slope)


@pair(PReLU)
class PReLUPair(SharedFeaturePair):
    """torch calls it num_parameters; Keras has a slope for each element unless axes are shared."""

    modules = st.builds(PReLU, sizes)

    def torch(self, module: PReLU) -> Any:
        layer = torch.nn.PReLU(module.num_features)
        return Counterpart(layer, slope=layer.weight)

    def tensorflow(self, module: PReLU) -> Any:
        layer = keras_activations.PReLU(module.num_features)
        return Counterpart(layer, slope=layer.alpha)


@pair(Maxout)
class MaxoutPair(LayerPair):
    """No framework has it: it is written out in each."""

    modules = st.builds(Maxout, ends(st.sampled_from([2, 1, 3, 4]), 7))

    def shapes(self, module: Maxout) -> SearchStrategy[tuple[int, ...]]:
        units = integers("size", 1, 4, 12)
        return st.builds(lambda n, units, more: (n, units * module.pieces, *more), batches, units, more_sides(2))

    def torch(self, module: Maxout) -> Any:
        return torch_activations.Maxout(module.pieces)

    def tensorflow(self, module: Maxout) -> Any:
        return keras_activations.Maxout(module.pieces)


class ELUByDifference(ELU):
    """TensorFlow's ELU: exp(x) - 1, with the gradient taken from the output (see differences, elu-cancellation)."""

    def forward(self, input: Array) -> Array:
        positive = input > 0
        below = np.exp(np.minimum(input, 0)) - 1
        return self.remember(np.where(positive, input, self.alpha * below), positive, below)

    def backward(self, grad_output: Array) -> Array:
        positive, below = self.recall(grad_output)
        return np.where(positive, grad_output, self.alpha * grad_output * (below + 1))


@pair(ELU)
class ELUPair(AnyShapePair):
    modules = st.builds(ELU, ends(dyadic(0, 2), 1.0, 0.0, 2.0**-10, 8.0))
    formulas: ClassVar = {
        "tensorflow": ELUByDifference,
        **({"torch": ELUByDifference} if before("elu-cancellation-torch") else {}),
    }

    def torch(self, module: ELU) -> Any:
        return torch.nn.ELU(module.alpha)

    def tensorflow(self, module: ELU) -> Any:
        return keras.layers.ELU(alpha=module.alpha)


class SELUByDifference(SELU):
    """TensorFlow's SELU: exp(x) - 1, with the gradient taken from the output (see differences, elu-cancellation)."""

    def forward(self, input: Array) -> Array:
        positive = input > 0
        below = np.exp(np.minimum(input, 0)) - 1
        output = np.where(positive, self.scale * input, self.scale * self.alpha * below)
        return self.remember(output, positive, below)

    def backward(self, grad_output: Array) -> Array:
        positive, below = self.recall(grad_output)
        return grad_output * np.where(positive, self.scale, self.scale * self.alpha * (below + 1))


@pair(SELU)
class SELUPair(AnyShapePair):
    """TensorFlow's gradient at exactly 0 is mapped (see differences, selu-kink)."""

    modules = st.builds(SELU)
    formulas: ClassVar = {
        "tensorflow": SELUByDifference,
        **({"torch": SELUByDifference} if before("elu-cancellation-torch") else {}),
    }

    def torch(self, module: SELU) -> Any:
        return torch.nn.SELU()

    def tensorflow(self, module: SELU) -> Any:
        return keras.layers.Activation(keras_activations.selu)


class GELUByErf(GELU):
    """torch's GELU: the gate (1 + erf(x / sqrt(2))) / 2 cancels in the lower tail (see differences, gelu-tail)."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        if self.approximate == "tanh":
            return output
        erf = 1 - 2 * normal_cdf(-input)
        gate = (1 + erf) / 2
        return self.remember(input * gate, input, gate)


@pair(GELU)
class GELUPair(AnyShapePair):
    """TensorFlow's constants are mapped in float64 (see differences, gelu-float32-constants)."""

    modules = st.builds(GELU, st.sampled_from(["none", "tanh"]))
    formulas: ClassVar = {
        "torch": GELUByErf,
        **({"tensorflow": GELUByErf} if before("gelu-tail-tensorflow") else {}),
    }

    def torch(self, module: GELU) -> Any:
        return torch.nn.GELU(module.approximate)

    def tensorflow(self, module: GELU) -> Any:
        return keras.layers.Activation(functools.partial(keras_activations.gelu, approximate=module.approximate))


@pair(SiLU)
class SiLUPair(AnyShapePair):
    modules = st.builds(SiLU)

    def torch(self, module: SiLU) -> Any:
        return torch.nn.SiLU()

    def tensorflow(self, module: SiLU) -> Any:
        return keras.layers.Activation("silu")


class HardPair(AnyShapePair):
    """Base of the pairs of functions with kinks at -3 and 3: half of the inputs are clipped to [-3, 3]."""

    def values(self, module: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> SearchStrategy[Array]:
        plain = arrays(shape, dtype)
        return plain | plain.map(lambda x: np.clip(x, -3, 3))


@pair(HardSigmoid)
class HardSigmoidPair(HardPair):
    """torch's gradient is mapped in float64 (see differences, hardsigmoid-float32-sixth)."""

    modules = st.builds(HardSigmoid)

    def torch(self, module: HardSigmoid) -> Any:
        return torch_activations.Hardsigmoid()

    def tensorflow(self, module: HardSigmoid) -> Any:
        return keras.layers.Activation("hard_sigmoid")


@pair(HardSwish)
class HardSwishPair(HardPair):
    """torch's gradient at exactly -3 and 3 is mapped (see differences, hardswish-kinks)."""

    modules = st.builds(HardSwish)

    def torch(self, module: HardSwish) -> Any:
        return torch_activations.Hardswish()

    def tensorflow(self, module: HardSwish) -> Any:
        return keras.layers.Activation("hard_silu")


@pair(Softplus)
class SoftplusPair(AnyShapePair):
    """torch is linear above a threshold, by default 20, where float64 still sees the difference: 40 is beyond it."""

    modules = st.builds(Softplus)

    def torch(self, module: Softplus) -> Any:
        return torch.nn.Softplus(threshold=40)

    def tensorflow(self, module: Softplus) -> Any:
        return keras.layers.Activation("softplus")


@pair(Sigmoid)
class SigmoidPair(AnyShapePair):
    modules = st.builds(Sigmoid)

    def torch(self, module: Sigmoid) -> Any:
        return torch.nn.Sigmoid()

    def tensorflow(self, module: Sigmoid) -> Any:
        return keras.layers.Activation("sigmoid")


@pair(Tanh)
class TanhPair(AnyShapePair):
    modules = st.builds(Tanh)

    def torch(self, module: Tanh) -> Any:
        return torch.nn.Tanh()

    def tensorflow(self, module: Tanh) -> Any:
        return keras.layers.Activation("tanh")


@pair(SoftMax)
class SoftMaxPair(AnyShapePair):
    modules = st.builds(SoftMax)

    def torch(self, module: SoftMax) -> Any:
        return torch.nn.Softmax(dim=-1)

    def tensorflow(self, module: SoftMax) -> Any:
        return keras.layers.Softmax(axis=-1)


@pair(LogSoftMax)
class LogSoftMaxPair(AnyShapePair):
    modules = st.builds(LogSoftMax)

    def torch(self, module: LogSoftMax) -> Any:
        return torch.nn.LogSoftmax(dim=-1)

    def tensorflow(self, module: LogSoftMax) -> Any:
        return keras.layers.Activation("log_softmax")
