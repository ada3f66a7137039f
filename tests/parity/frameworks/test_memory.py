"""What is converted to Keras and let go of leaves no memory behind."""

from __future__ import annotations

import gc

import numpy as np
import psutil
import pytest

from numpynet import Linear
from parity.frameworks import available
from parity.mapping.convert import to_tensorflow

TIMES = 600
KILOBYTES = 25  # a conversion; two variables were 73 when TensorFlow kept a kernel for each


@pytest.mark.skipif("tensorflow" not in available(), reason="TensorFlow is not installed")
def test_conversions_leave_no_kernels_behind() -> None:
    def converted() -> float:
        for _ in range(TIMES):
            to_tensorflow(Linear(3, 2, rng=np.random.default_rng(0)))
        gc.collect()
        return psutil.Process().memory_info().rss / 1e3

    before = converted()
    assert converted() - before < KILOBYTES * TIMES
