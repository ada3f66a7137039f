"""The gradients of every pair are its derivatives, a wrong gradient is found, and a kink is told from a wrong one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

import parity
from numpynet import (
    ELU,
    Array,
    BatchNormalization,
    Conv2d,
    Criterion,
    Dropout,
    HardSwish,
    HuberCriterion,
    Linear,
    Module,
    NLLCriterionUnstable,
    ReLU,
    Sequential,
    Sigmoid,
    SoftMax,
    Softplus,
    Tanh,
)
from numpynet.features import along, feature_axes
from parity.case import Case, Step
from parity.defects.defect import Defect, gallery
from parity.derivatives.proving import DerivativeError, check_derivatives, derivatives, prove_derivative
from parity.ladder.proving import targets
from parity.ladder.trace import GRADIENT
from parity.mapping.loss import Loss
from parity.mapping.pair import Pair
from parity.results.store import plain
from parity.work.performing import Done

EXAMPLES = 5  # the first of the 50 of the main job

# The functions that have kinks, and networks of them.
BENT = {
    *("ReLU", "LeakyReLU", "PReLU", "Maxout", "ELU", "SELU", "HardSigmoid", "HardSwish", "MaxPool2d"),
    *("L1Criterion", "BinaryCrossEntropyCriterionUnstable", "NLLCriterionUnstable", "Sequential", "Graph"),
}


@pytest.mark.parametrize("target", targets(), ids=lambda target: target.__name__)
def test_gradients_are_the_derivatives(target: type) -> None:
    report = check_derivatives(target, examples=EXAMPLES)
    assert report.passed, report.message
    assert report.examples == EXAMPLES
    assert report.derivatives >= report.kinks, "most directions have a derivative to compare with"
    assert not report.kinks or target.__name__ in BENT


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


class TanhABillionthOff(Tanh):
    def backward(self, grad_output: Array) -> Array:
        return super().backward(grad_output) * (1 + 1e-9)


class LinearABillionthOff(Linear):
    def accumulate(self, grad_output: Array) -> None:
        super().accumulate(grad_output)
        self.weight.grad *= 1 + 1e-9


class ReLUPassingTheNegative(ReLU):
    def backward(self, grad_output: Array) -> Array:
        return grad_output


class SigmoidRaising(Sigmoid):
    def backward(self, grad_output: Array) -> Array:
        raise IndexError("no such thing")


class TanhOfOneRow(Tanh):
    def backward(self, grad_output: Array) -> Array:
        return super().backward(grad_output)[:1]


@pytest.mark.parametrize(
    "wrong",
    [
        SoftMaxWithoutCrossTerm,
        BatchNormalizationWithoutMeanTerm,
        TanhABillionthOff,
        LinearABillionthOff,
        ReLUPassingTheNegative,
        SigmoidRaising,
        TanhOfOneRow,
    ],
)
def test_a_wrong_gradient_is_found(wrong: type[Module]) -> None:
    def plant(module: Module) -> Module:
        module.__class__ = wrong
        return module

    report = check_derivatives(wrong.__mro__[1], examples=50, alter=plant)
    assert not report.passed
    assert report.measured
    assert wrong.__name__ in report.message


def test_what_is_tried_while_shrinking_is_not_counted() -> None:
    def plant(module: Module) -> Module:
        module.__class__ = TanhOfOneRow
        return module

    shrunk, found = (check_derivatives(Tanh, examples=50, alter=plant, shrink=shrink) for shrink in (True, False))
    assert (shrunk.examples, shrunk.shares) == (found.examples, found.shares)
    assert "no gradient, ValueError" in shrunk.message


AT_A_KINK = "at a kink a gradient is a convention: there is no derivative that it must be"
ANOTHER_FUNCTION = "computes another function, and its right derivative"
ACCUMULATION = "what an earlier backward left is lost: the gradient of a single one is right"
ONE_CALL = "a derivative takes one forward and one backward pass of one instance"
UNSEEN = {  # gradient defects that comparing with the derivative alone cannot see
    "ReLUGradientAtZero": AT_A_KINK,
    "PReLUGradientAtZero": AT_A_KINK,
    "SELUGradientAtZero": AT_A_KINK,
    "L1GradientAtZero": AT_A_KINK,
    "HardSigmoidGradientAtEnds": AT_A_KINK,
    "HardSwishGradientAtEnds": AT_A_KINK,
    "MaxPoolGradientToAllTies": AT_A_KINK,
    "MaxPoolGradientToLastTie": AT_A_KINK,
    "MaxoutTiesShared": AT_A_KINK,
    "NLLAlwaysMean": ANOTHER_FUNCTION,
    "NLLUnstableAddsEps": ANOTHER_FUNCTION,
    "ConcatenateReversed": ANOTHER_FUNCTION,
    "LinearGradientOverwritten": ACCUMULATION,
    "LinearFirstInFirstOut": ONE_CALL,
    "SiLUFirstInFirstOut": ONE_CALL,
    "MaxPoolFirstInFirstOut": ONE_CALL,
    "LinearMemoryShared": ONE_CALL,
    "LinearFreesMemory": ONE_CALL,
    "TanhSlopeInPlace": ONE_CALL,
    "SigmoidMemoryShared": ONE_CALL,
}
GRADIENT_DEFECTS = [
    defect
    for defect in gallery()
    if defect.rung == GRADIENT and isinstance(defect.target, type) and issubclass(defect.target, Module | Criterion)
]


def planted(defect: Defect) -> Callable[[Module], Module]:
    def plant(module: Module) -> Module:
        return defect.plant(Case(module, [])).module

    return plant


@pytest.mark.parametrize("defect", GRADIENT_DEFECTS, ids=lambda defect: defect.name)
def test_gradient_defects_of_the_gallery_are_caught_by_the_derivative_alone(defect: Defect) -> None:
    examples = 15 if defect.name in UNSEEN else 400  # some need a square matrix, or two ties in one window
    report = check_derivatives(defect.target, examples=examples, alter=planted(defect), shrink=False)
    assert report.passed == (defect.name in UNSEEN), report.message or "not caught"
    assert report.measured


def test_what_cannot_be_seen_is_in_the_gallery() -> None:
    assert set(UNSEEN) <= {defect.name for defect in GRADIENT_DEFECTS}


def only(case: Case) -> Any:
    (found,) = derivatives(case)
    return found


def test_the_failure_names_the_module_the_tensor_and_both_values() -> None:
    module = TanhABillionthOff()
    found = only(Case(module, [Step(np.array([[0.5, -2.0]]), np.array([[1.0, 3.0]]))]))
    message = str(DerivativeError(module, found))
    for part in ("TanhABillionthOff()", "gradient of the input", f"{found.gradient:.18g}", f"{found.exact:.18g}"):
        assert part in message


def test_the_record_says_how_far_off_and_how_fine() -> None:
    record = prove_derivative(Tanh, examples=5)
    assert record.key == "Tanh"
    assert record.passed
    assert record.measured
    assert 0 < (record.used or 0) <= 1
    assert 0 < (record.resolution or 0) < 1e-12


@pytest.mark.parametrize("distance", [0.0, 1e-3, 1e-6, 1e-300])
def test_only_a_kink_at_the_point_itself_has_no_derivative(distance: float) -> None:
    found = only(Case(ReLU(), [Step(np.array([[1.0, -distance]]), np.ones((1, 2)))]))
    assert found.kink == (distance == 0)
    assert found.kink or found.used <= 1


@pytest.mark.parametrize(
    ("module", "x"),
    [
        (Softplus(), 0.0),
        (Sigmoid(), 0.0),
        (ELU(alpha=1.0), 0.0),
        (SoftMax(), 2.0),
        (Loss(HuberCriterion(delta=0.5), np.zeros((1, 3))), 0.5),
        (Sequential(ReLU(), Linear(3, 1, rng=np.random.default_rng(0), dtype="float64")), 1.0),
        (Dropout(0.5, rng=np.random.default_rng(0)), 0.0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_comparisons_with_ties_are_no_kinks_where_both_sides_agree(module: Module, x: float) -> None:
    case = Case(module, [Step(np.full((1, 3), x), np.ones(np.shape(module(np.full((1, 3), x)))))])
    for found in derivatives(case):
        assert not found.kink
        assert found.used <= 1


class Jump(Module):
    def forward(self, input: Array) -> Array:
        return self.remember(input + (input > 0))

    def backward(self, grad_output: Array) -> Array:
        return grad_output


class Root(Module):
    def forward(self, input: Array) -> Array:
        output = np.sqrt(input)
        return self.remember(output, output)

    def backward(self, grad_output: Array) -> Array:
        (output,) = self.recall(grad_output)
        return grad_output / (2 * output)


@pytest.mark.parametrize(
    ("module", "x"),
    [(ELU(alpha=2.0), 0.0), (HardSwish(), 3.0), (HardSwish(), -3.0), (Jump(), 0.0), (Root(), 0.0)],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_where_the_sides_differ_or_nothing_is_finite_there_is_no_derivative(module: Module, x: float) -> None:
    assert only(Case(module, [Step(np.full(1, x), np.ones(np.shape(module(np.full(1, x)))))])).kink


@pytest.mark.parametrize("small", [1e-6, 1e-8, 1e-10, 1e-12])
@pytest.mark.parametrize("large", [1.0, 1e3, 1e6])
def test_elements_of_very_different_sizes_are_no_alarm(small: float, large: float) -> None:
    """One step for both was too long for the small: numerical differentiation was up to 1e14 times its allowance off,
    and took the gradient to be wrong."""
    input = np.array([[small, large], [0.3, 0.4]])
    unstable = Case(Loss(NLLCriterionUnstable("sum"), np.array([0, 1])), [Step(input, np.array(1.0))])
    near_a_kink = Case(ELU(1.8125), [Step(np.array([[-small, large]]), np.array([[1.0, 0.125]]))])
    for case in (unstable, near_a_kink):
        found = only(case)
        assert not found.kink
        assert found.used <= 0.5
        assert found.allowed < 1e-15 * abs(found.exact), "and the resolution is that of the format"


def test_a_gradient_of_elements_of_very_different_sizes_is_still_judged() -> None:
    class Off(NLLCriterionUnstable):
        def gradient(self, input: Array, clipped: Array, weights: Array) -> Array:
            return super().gradient(input, clipped, weights) * (1 + 1e-14)

    found = only(Case(Loss(Off("sum"), np.array([0])), [Step(np.array([[1e-10, 1e3]]), np.array(1.0))]))
    assert found.used > 1


# A stranger's layers


class Windowed(Module):
    """Means of pairs of neighbours, written into views of a buffer; then the largest of each row."""

    def forward(self, input: Array) -> Array:
        means = np.empty_like(input, shape=(len(input), input.shape[1] - 1))
        odd, even = means[:, 1::2], means[:, ::2]
        np.add(input[:, 1:-1:2], input[:, 2::2], out=odd)
        even[...] = input[:, :-1:2]
        even += input[:, 1::2]
        means /= 2
        winner = means.argmax(axis=1)
        rows = np.arange(len(input))
        return self.remember(means[rows, winner], input, winner)

    def backward(self, grad_output: Array) -> Array:
        input, winner = self.recall(grad_output)
        gradient, rows = np.zeros_like(input), np.arange(len(input))
        gradient[rows, winner] += grad_output / 2
        gradient[rows, winner + 1] += grad_output / 2
        return gradient


class WindowedWrong(Windowed):
    def backward(self, grad_output: Array) -> Array:
        return 2 * super().backward(grad_output)


class Inverse(Windowed):
    """Of a function that has no rule."""

    def forward(self, input: Array) -> Array:
        return self.remember(np.median(input, axis=1), input, np.zeros(len(input), int))


class Losing(Windowed):
    """Lets go of the class in between."""

    def forward(self, input: Array) -> Array:
        return super().forward(input) + np.asarray(input).sum(axis=1)


class Windows(Pair):
    def shapes(self, module: Any) -> Any:
        return st.just((3, 6))


for _layer in (Windowed, WindowedWrong, Inverse, Losing):
    parity.pair(_layer)(type(f"{_layer.__name__}Pair", (Windows,), {"modules": st.builds(_layer)}))


def test_a_strangers_layer_is_covered_alike() -> None:
    report = check_derivatives(Windowed, examples=50)
    assert report.passed, report.message
    assert report.derivatives > report.kinks > 0
    wrong = prove_derivative(WindowedWrong, examples=5)
    assert wrong.measured
    assert not wrong.passed
    assert "WindowedWrong(): the gradient of the input is not the derivative" in wrong.message


@pytest.mark.parametrize(("layer", "reason"), [(Inverse, r"numpy.median"), (Losing, "np.asanyarray")])
def test_a_strangers_layer_that_cannot_be_differentiated_is_red_and_told_why(layer: type[Module], reason: str) -> None:
    record = prove_derivative(layer, examples=5)
    assert not record.measured
    assert record.passed is False
    assert Done({record.KIND: [plain(record)]}).exit_code == 1
    assert f"{layer.__name__}(): its gradients were not compared with its derivatives" in record.message
    assert reason in record.message


def test_layers_that_write_into_views_and_buffers_are_followed() -> None:
    rng = np.random.default_rng(0)
    layer = Conv2d(2, 4, 3, stride=2, padding=1, groups=2, rng=rng, dtype="float64")
    input = rng.standard_normal((2, 2, 5, 5))
    case = Case(layer, [Step(input, rng.standard_normal(layer(input).shape))])
    found = derivatives(case)
    assert [one.tensor for one in found] == ["input", "weight", "bias"]
    assert all(one.exact != 0 and one.used <= 1 for one in found)
