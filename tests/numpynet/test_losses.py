"""The contract of criteria; that they compute what torch and TensorFlow do is parity's to prove."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from numpynet import (
    Array,
    BinaryCrossEntropyCriterion,
    BinaryCrossEntropyCriterionUnstable,
    Criterion,
    CrossEntropyCriterion,
    HuberCriterion,
    L1Criterion,
    MSECriterion,
    NLLCriterion,
    NLLCriterionUnstable,
)
from numpynet.losses import ClassCriterion, Reduction


def inputs(dtype: str = "float32") -> Array:
    return np.random.default_rng(0).standard_normal((6, 4)).astype(dtype)


CLASSES = np.array([0, 1, 2, 3, 0, 1])


@pytest.mark.parametrize("cls", [NLLCriterion, NLLCriterionUnstable, CrossEntropyCriterion])
def test_classes_and_one_hot_rows_give_the_same(cls: type[Criterion]) -> None:
    input, classes = np.abs(inputs("float64")), np.array([0, 1, 2, 3, 0, 1])
    criterion = cls()
    losses, gradients = zip(
        *((criterion(input, t), criterion.backward()) for t in (classes, np.eye(4)[classes])), strict=True
    )
    assert losses[0] == pytest.approx(losses[1], rel=1e-14)
    np.testing.assert_allclose(gradients[0], gradients[1], rtol=1e-14)  # sums of other order


@pytest.mark.parametrize("wrong", [np.array([0, 1, 2, 3, 0, 4]), np.array([0, 1, -1, 3, 0, 1])])
def test_a_label_out_of_range_is_refused_with_its_index(wrong: Array) -> None:
    index = int(np.flatnonzero((wrong < 0) | (wrong > 3))[0])
    with pytest.raises(ValueError, match=rf"0\.\.3, got class {wrong[index]} at index {index}"):
        NLLCriterion()(inputs(), wrong)


@pytest.mark.parametrize(
    ("criterion", "input", "target"),
    [
        (NLLCriterion(), inputs()[0], np.array([1, 2, 3, 0])),
        (NLLCriterion(), inputs(), np.zeros(5, int)),
        (NLLCriterion(), inputs(), np.zeros(6)),
        (MSECriterion(), inputs(), inputs()[:, :1]),
        (MSECriterion(), inputs(), inputs("float64")),
        (MSECriterion(), inputs()[:0], inputs()[:0]),
        (L1Criterion(), inputs(), inputs()[:, :1]),
        (HuberCriterion(), inputs(), inputs("float64")),
        (BinaryCrossEntropyCriterion(), inputs(), np.zeros((6, 3))),
        (BinaryCrossEntropyCriterion(), inputs(), np.full((6, 4), 1.5)),
        (BinaryCrossEntropyCriterionUnstable(), inputs(), np.full((6, 4), -1)),
        (CrossEntropyCriterion(class_weights=(1, 2, 3)), inputs(), np.zeros(6, int)),
    ],
)
def test_wrong_shapes_and_dtypes_are_refused_by_name(criterion: Criterion, input: Array, target: Array) -> None:
    with pytest.raises(ValueError, match=type(criterion).__name__):
        criterion(input, target)


@pytest.mark.parametrize("cls", [MSECriterion, L1Criterion, HuberCriterion, BinaryCrossEntropyCriterion])
def test_the_mean_is_over_elements_and_batchmean_over_rows(cls: Callable[..., Criterion]) -> None:
    input, target = inputs("float64"), np.abs(np.sin(inputs("float64")))
    losses = {reduction: cls(reduction)(input, target) for reduction in ("sum", "mean", "batchmean")}
    assert losses["mean"] * 24 == pytest.approx(losses["sum"], rel=1e-14)
    assert losses["batchmean"] * 6 == pytest.approx(losses["sum"], rel=1e-14)


def test_huber_is_the_square_near_and_the_difference_far() -> None:
    near, far, zero = np.array([[0.25]]), np.array([[-8.0]]), np.zeros((1, 1))
    criterion = HuberCriterion(delta=0.5)
    assert criterion(near, zero) == 0.25**2 / 2
    assert criterion.backward() == 0.25
    assert criterion(far, zero) == 0.5 * (8 - 0.25)
    assert criterion.backward() == -0.5


def test_no_class_weights_and_weights_of_one_are_the_same() -> None:
    plain = CrossEntropyCriterion()
    ones = CrossEntropyCriterion(class_weights=np.ones(4))  # type: ignore[arg-type]  # an array, as users write it
    assert plain(inputs("float64"), CLASSES) == pytest.approx(ones(inputs("float64"), CLASSES), rel=1e-14)
    np.testing.assert_allclose(plain.backward(), ones.backward(), rtol=1e-13)  # a few roundings


def test_the_weighted_mean_of_equal_losses_is_their_loss_and_batchmean_is_not() -> None:
    same = np.zeros((6, 4))
    losses: dict[Reduction, float] = {"mean": np.log(4), "batchmean": np.log(4) * 16 / 6}
    for reduction, expected in losses.items():
        criterion = CrossEntropyCriterion(reduction, class_weights=(1, 2, 4, 6))
        assert criterion(same, CLASSES) == pytest.approx(expected, rel=1e-14)


def test_smoothed_labels_have_their_least_loss_at_the_smoothed_probabilities() -> None:
    criterion = CrossEntropyCriterion(label_smoothing=0.25)
    smoothed = 0.75 * np.eye(4)[CLASSES] + 0.0625
    criterion(np.log(smoothed), CLASSES)
    np.testing.assert_allclose(criterion.backward(), 0, atol=1e-16)  # the rounding of probabilities below 1


@pytest.mark.parametrize("logit", [1e4, -1e4])
def test_a_sure_logit_has_a_finite_loss_and_gradient(logit: float) -> None:
    criterion = BinaryCrossEntropyCriterion("sum")
    assert criterion(np.array([[logit]]), np.array([[0.0 if logit > 0 else 1.0]])) == 1e4
    assert criterion.backward() == np.sign(logit)


@pytest.mark.parametrize(
    ("make", "needs"),
    [
        (lambda: HuberCriterion(delta=0.0), "delta > 0"),
        (lambda: NLLCriterion(label_smoothing=1.5), "label_smoothing"),
        (lambda: NLLCriterionUnstable(class_weights=(1, -1)), "class_weights"),
        (lambda: L1Criterion("average"), "reduction"),  # type: ignore[arg-type]  # which is the point
    ],
)
def test_arguments_outside_their_range_are_refused_by_name(make: Callable[[], Any], needs: str) -> None:
    with pytest.raises(ValueError, match=f"Criterion.* needs .*{needs}"):
        make()


def test_they_read_as_the_constructor_call() -> None:
    assert repr(HuberCriterion(delta=0.5)) == "HuberCriterion(delta=0.5)"
    assert repr(NLLCriterion("sum", (1, 2))) == "NLLCriterion(reduction='sum', class_weights=(1.0, 2.0))"


@pytest.mark.parametrize("criterion", [NLLCriterion, NLLCriterionUnstable, CrossEntropyCriterion])
def test_criteria_of_classes_have_one_set_of_defaults(criterion: type[ClassCriterion]) -> None:
    """The docstrings name those of `ClassCriterion`."""
    expected, found = (inspect.signature(each).parameters for each in (ClassCriterion, criterion))
    assert {name: found[name].default for name in expected} == {name: expected[name].default for name in expected}
