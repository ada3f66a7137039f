"""What terms add up to is computed in single precision where that is enough, and as exactly as its digits matter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from parity.comparison.magnitudes import WORTH, absolutes
from parity.frameworks import available
from parity.frameworks.lazy import torch

pytestmark = pytest.mark.skipif("torch" not in available(), reason="torch is not installed")


def drawn(*shape: int, scale: float = 1.0) -> Any:
    return scale * torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(len(shape)))


CONVOLVED = [[1, 1], [1, 1], [1, 1], False, [0, 0], 1]
OPERATIONS: dict[str, Callable[[], tuple[Any, ...]]] = {
    "mm": lambda: (drawn(64, 80), drawn(80, 3)),
    "addmm": lambda: (drawn(3), drawn(64, 80), drawn(80, 3)),
    "convolution": lambda: (drawn(2, 4, 24, 24), drawn(5, 4, 3, 3), drawn(5), *CONVOLVED),
    "convolution_backward": lambda: (
        *(drawn(2, 5, 24, 24), drawn(2, 4, 24, 24), drawn(5, 4, 3, 3)),
        *([5], *CONVOLVED, [True, True, True]),
    ),
}


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30], ids=["inside", "below", "beyond"])
def test_the_operation_on_absolute_values(name: str, scale: float) -> None:
    operation = getattr(torch.ops.aten, name).default
    given = [each * scale if torch.is_tensor(each) else each for each in OPERATIONS[name]()]
    assert max(each.numel() for each in given if torch.is_tensor(each)) >= WORTH
    exact = operation(*(abs(each) if torch.is_tensor(each) else each for each in given))
    found = absolutes(operation, given, {})
    single = False
    for one, other in zip(found, [exact] if torch.is_tensor(exact) else exact, strict=True):
        assert one.dtype == torch.float64
        assert torch.allclose(one, other, rtol=1e-5, atol=0)
        single = single or not torch.equal(one, other)
    assert single == (scale == 1)  # of numbers that single precision does not have it is not made use of


def test_zeros_add_nothing_and_lose_nothing() -> None:
    sparse = drawn(64, 80).clamp(min=0)
    sparse[7] = 0
    (found,) = absolutes(torch.ops.aten.mm.default, (sparse, drawn(80, 3)), {})
    assert torch.equal(found[7], torch.zeros(3, dtype=torch.float64))
    tiny = sparse.clone()
    tiny[7, 0] = 1e-40
    (found,) = absolutes(torch.ops.aten.mm.default, (tiny, drawn(80, 3)), {})
    assert (found[7] > 0).all()
