"""What is converted to Keras in a piece of work leaves no memory behind it."""

from __future__ import annotations

import gc
import importlib
import sys

import numpy as np
import psutil
import pytest

from numpynet import Linear
from parity.frameworks import available
from parity.mapping.convert import to_tensorflow
from parity.work.memory import forgetting

TIMES = 250
KILOBYTES = 25  # a conversion; two variables are 73 where TensorFlow keeps a kernel for each


@forgetting()
def converted() -> None:
    for _ in range(TIMES):
        to_tensorflow(Linear(3, 2, rng=np.random.default_rng(0)))


def resident() -> float:
    gc.collect()
    return psutil.Process().memory_info().rss / 1e3


@pytest.mark.skipif("tensorflow" not in available(), reason="TensorFlow is not installed")
def test_conversions_leave_no_kernels_behind() -> None:
    converted()
    before = resident()
    converted()
    assert resident() - before < KILOBYTES * TIMES


def test_short_pieces_forget_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    cleared: list[None] = []
    context = type("", (), {"clear_kernel_cache": lambda self: cleared.append(None)})()
    module = type("", (), {"context": staticmethod(lambda: context)})
    monkeypatch.setitem(sys.modules, "tensorflow", module)
    monkeypatch.setattr(importlib, "import_module", lambda name: module)
    short = forgetting(every=3)(lambda: None)
    for _ in range(7):
        short()
    assert len(cleared) == 2


def test_the_work_is_called_as_it_is_and_has_its_name() -> None:
    @forgetting()
    def work(one: int, *, other: int = 2) -> tuple[int, int]:
        return one, other

    assert (work(1, other=3), work.__name__) == ((1, 3), "work")
