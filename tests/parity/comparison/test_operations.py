"""The model of rounding on torch's operations: it agrees with that on NumPy's, and torch itself stays within it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from zoo import allowed

from numpynet import Array
from parity.comparison.operations import Rounding
from parity.formats import format_of
from parity.ladder.judge import share_used
from parity.rounding.errors import LOST, SLACK, Errors, RandomErrors, forward_pass, making

torch: Any = pytest.importorskip("torch", reason="the model of rounding on torch's operations needs torch")

F32 = np.dtype(np.float32)
UNIT = SLACK * format_of(F32).unit
x = np.random.default_rng(1).standard_normal((5, 7))


def perturbed(function: Callable[[Any], Any], *arrays: Array) -> Array:
    with making(RandomErrors(F32, b"seed")), Rounding():
        result: Array = function(*(torch.from_numpy(array.copy()) for array in arrays)).numpy()
    return result


@pytest.mark.parametrize(
    "function",
    [
        lambda a: -a,
        lambda a: a.relu(),
        lambda a: torch.where(a > 0, a, 0.0),
        lambda a: a[::2].T.reshape(-1),
        lambda a: torch.cat([a, a]),
        lambda a: a * (a > 0),
        lambda a: a.max(dim=0).values,
        lambda a: a.clamp(-1, 1),
        lambda a: a.clone().copy_(a).masked_fill_(a > 1, 0.0),
        lambda a: torch.zeros_like(a).index_add(0, torch.arange(5), a),
        lambda a: torch.full_like(a, -torch.inf) + a,
    ],
)
def test_exact_operations_make_no_error(function: Callable[[Any], Any]) -> None:
    np.testing.assert_array_equal(perturbed(function, x), function(torch.from_numpy(x)).numpy())


@pytest.mark.parametrize(
    ("function", "size"),
    [
        (lambda a: a + 1, np.abs(x + 1)),
        (lambda a: a * 3, np.abs(3 * x)),
        (lambda a: a.clone().mul_(3), np.abs(3 * x)),
        (lambda a: torch.mul(a, 3, out=torch.empty(0, dtype=a.dtype)), np.abs(3 * x)),
        (lambda a: torch._foreach_mul([a], 3)[0], np.abs(3 * x)),
        (lambda a: a.square(), x**2),
        (lambda a: a**2, x**2),
        (lambda a: a.exp(), LOST * np.exp(x)),
        (lambda a: a.sum(0), np.sum(np.abs(x), axis=0)),
        (lambda a: a.mean(1), np.mean(np.abs(x), axis=1)),
        (lambda a: a @ a.T, np.abs(x) @ np.abs(x).T),
        (lambda a: torch.einsum("ij,kj->ik", a, a), np.abs(x) @ np.abs(x).T),
        (lambda a: torch.addmm(a[:, :5], a, a.T, beta=-1, alpha=-2), np.abs(x[:, :5]) + 2 * np.abs(x) @ np.abs(x).T),
        (lambda a: a.cumsum(0), np.cumsum(np.abs(x), axis=0)),
    ],
)
def test_each_operation_errs_by_at_most_its_own_rounding(function: Callable[[Any], Any], size: Array) -> None:
    error = np.abs(perturbed(function, x) - function(torch.from_numpy(x)).numpy())
    assert np.all(error <= UNIT * size)
    assert np.all(error > 0)


F = torch.nn.functional
COMPOSITE = {
    "LayerNorm": lambda a, w, b: F.layer_norm(a, (7,), w, b),
    "LayerNorm without a bias": lambda a, w, b: F.layer_norm(a, (7,), w),
    "LayerNorm without a weight": lambda a, w, b: F.layer_norm(a, (7,), None, b),
    "LayerNorm without either": lambda a, w, b: F.layer_norm(a, (7,)),
    "LayerNorm of two axes": lambda a, w, b: F.layer_norm(
        a.view(5, 7, 1) * a[0], (7, 7), w * b[:, None], b * w[:, None]
    ),
    "LayerNorm of a vector": lambda a, w, b: F.layer_norm(a[0], (7,), w, b),
    "LayerNorm of nothing": lambda a, w, b: F.layer_norm(a[:0], (7,), w, b),
    "GELU": lambda a, w, b: F.gelu(a * w + b),
    "GELU by tanh": lambda a, w, b: F.gelu(a * w + b, approximate="tanh"),
}


@pytest.mark.parametrize("function", COMPOSITE.values(), ids=COMPOSITE)
def test_what_consists_of_others_computes_what_torch_computes(function: Callable[..., Any]) -> None:
    def computed() -> list[Array]:
        given = [torch.from_numpy(each.copy()).requires_grad_() for each in (x, 1 + x[1] ** 2, x[2])]
        output = function(*given)
        output.backward(torch.cos(torch.arange(output.numel(), dtype=output.dtype)).view(output.shape))
        gradients = [each.grad for each in given if each.grad is not None]
        return [each.detach().numpy() for each in (output, *gradients)]

    expected = computed()
    with making(Errors()), Rounding() as rounding:
        found = computed()
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-13)
    assert not rounding.unmodelled


def test_an_operation_without_a_model_is_named_and_errs() -> None:
    double = torch.from_numpy(x)
    library = torch.library.Library("parity_test", "FRAGMENT")
    library.define("twice(Tensor a) -> Tensor")
    library.impl("twice", lambda a: 2 * a, "CPU")
    twice = torch.ops.parity_test.twice
    allowances, unmodelled = allowed({"": 2 * x}, lambda: {"": twice(double).numpy()}, F32)
    assert unmodelled == ["parity_test::twice"]
    assert np.all(allowances[""] > 0)


@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize(
    ("optimizer", "arguments"),
    [
        ("SGD", {"momentum": 0.9, "weight_decay": 0.01, "nesterov": True}),
        ("Adam", {"amsgrad": True}),
        ("AdamW", {}),
        ("NAdam", {}),
        ("RAdam", {}),
        ("Adamax", {}),
        ("RMSprop", {"centered": True, "momentum": 0.5}),
        ("Adagrad", {}),
        ("Adadelta", {}),
    ],
)
def test_torchs_own_steps_in_float32_stay_within_the_allowance(
    optimizer: str, arguments: dict[str, Any], foreach: bool
) -> None:
    def trained(dtype: Any) -> dict[int, Array]:
        parameter = torch.tensor(x, dtype=torch.float32).to(dtype).requires_grad_()
        rule = getattr(torch.optim, optimizer)([parameter], lr=0.125, foreach=foreach, **arguments)
        steps = {}
        for step in range(3):
            rule.zero_grad()
            with forward_pass():
                loss = parameter.tanh().square().sum()
            loss.backward()
            rule.step()
            steps[step] = parameter.detach().numpy().copy()
        return steps

    reference, narrow = trained(torch.float64), trained(torch.float32)
    allowances, unmodelled = allowed(reference, lambda: trained(torch.float64), F32)
    assert not unmodelled
    for step, values in reference.items():
        assert 0 < share_used(narrow[step], values, allowances[step], F32) <= 1
