"""The gradients of every pair are its derivatives, and a wrong gradient is found."""

from __future__ import annotations

import numpy as np
import pytest

from numpynet import Array, BatchNormalization, Linear, Module, ReLU, SoftMax, Tanh
from numpynet.features import along, feature_axes
from parity.derivatives import DerivativeError, check_derivatives, derivatives, extrapolate, prove_derivative
from parity.pairing import Case, Step
from parity.proving import targets


@pytest.mark.parametrize("target", targets(), ids=lambda target: target.__name__)
def test_gradients_are_the_derivatives(target: type) -> None:
    report = check_derivatives(target, examples=30)
    assert report.holds, report.message
    assert report.derivatives > report.kinks, "most directions have a derivative to compare with"


class SoftMaxWithoutCrossTerm(SoftMax):
    def backward(self, grad_output: Array) -> Array:
        (output,) = self.recall(grad_output)
        return grad_output * output * (1 - output)


class BatchNormalizationWithoutMeanTerm(BatchNormalization):
    def backward(self, grad_output: Array) -> Array:
        normalized, scale = self.recall(grad_output)
        if normalized is None:
            return super().backward(grad_output)
        projection = np.mean(grad_output * normalized, axis=feature_axes(grad_output))
        return (grad_output - normalized * along(projection, grad_output)) * scale


class TanhAMillionthOff(Tanh):
    def backward(self, grad_output: Array) -> Array:
        return super().backward(grad_output) * (1 + 1e-6)


class LinearAMillionthOff(Linear):
    def accumulate(self, grad_output: Array) -> None:
        super().accumulate(grad_output)
        self.weight.grad *= 1 + 1e-6


class ReLUPassingTheNegative(ReLU):
    def backward(self, grad_output: Array) -> Array:
        return grad_output


@pytest.mark.parametrize(
    "wrong",
    [
        SoftMaxWithoutCrossTerm,
        BatchNormalizationWithoutMeanTerm,
        TanhAMillionthOff,
        LinearAMillionthOff,
        ReLUPassingTheNegative,
    ],
)
def test_a_wrong_gradient_is_found(wrong: type[Module]) -> None:
    def plant(module: Module) -> Module:
        module.__class__ = wrong
        return module

    report = check_derivatives(wrong.__mro__[1], examples=50, alter=plant)
    assert not report.holds


def test_the_failure_names_the_module_the_tensor_and_both_values() -> None:
    module = TanhAMillionthOff()
    (found,) = derivatives(Case(module, [Step(np.array([[0.5, -2.0]]), np.array([[1.0, 3.0]]))]))
    message = str(DerivativeError(module, found))
    for part in ("TanhAMillionthOff()", "gradient of the input", f"{found.gradient:.18g}", f"{found.slope.value:.18g}"):
        assert part in message


def test_the_record_says_how_far_off_and_how_fine() -> None:
    record = prove_derivative(Tanh, examples=5)
    assert record["key"] == "Tanh"
    assert record["holds"]
    assert 0 < record["used"] <= 1
    assert record["resolution"] < 1e-6


@pytest.mark.parametrize("distance", [0.0, 1e-3, 1e-6])
def test_only_a_kink_at_the_point_itself_has_no_derivative(distance: float) -> None:
    (found,) = derivatives(Case(ReLU(), [Step(np.array([[1.0, -distance]]), np.ones((1, 2)))]))
    assert found.slope.kink == (distance == 0)
    assert found.slope.kink or found.used <= 1


def test_a_function_narrower_than_the_first_steps_is_not_taken_for_a_constant() -> None:
    x = np.array([[1000.0, 1000.0]])
    (found,) = derivatives(Case(SoftMax(), [Step(x, np.array([[1.0, 0.0]]))]))
    assert found.slope.error < abs(found.slope.value)
    assert found.used <= 1


def test_extrapolation_is_exact_to_rounding_where_the_series_ends() -> None:
    steps = np.longdouble(4.0) ** -np.arange(1, 21)
    slopes = np.stack([3 + 5 * steps + 7 * steps**2, 3 - 5 * steps + 7 * steps**2])
    noise = np.finfo(np.longdouble).eps * np.abs(slopes).max(axis=0)
    slope = extrapolate(slopes, noise)
    assert abs(slope.value - 3) <= slope.error <= 100 * noise.max()
    assert not slope.kink
