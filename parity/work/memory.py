"""What a process need not keep once a piece of work is done."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Made = TypeVar("Made")


def forgetting(work: Callable[Given, Made]) -> Callable[Given, Made]:
    """The work, behind which TensorFlow lets go of the kernels that it keeps for each variable that Keras has made.

    They go by the variables' names, 36 KB each, and none is asked for again: 10,000 examples left 2.5 GB. Those that
    are still in use are made anew.
    """

    @functools.wraps(work)
    def done(*args: Given.args, **kwargs: Given.kwargs) -> Made:
        try:
            return work(*args, **kwargs)
        finally:
            if "tensorflow" in sys.modules:
                importlib.import_module("tensorflow.python.eager.context").context().clear_kernel_cache()

    return done
