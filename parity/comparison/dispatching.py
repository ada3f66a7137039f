"""Shows every operation that torch performs to a function of ours, which performs it."""

from __future__ import annotations

import functools
import sys
from typing import Any

from parity.comparison.decompositions import Perform
from parity.frameworks.lazy import torch


def handing_on(perform: Perform) -> Any:
    """A context in which `perform` is handed every operation of torch, with its arguments, and computes the result."""
    return _mode("torch._dynamo" in sys.modules)(perform)  # without which no model is compiled


@functools.cache
def _mode(compiling: bool) -> Any:
    """The class of torch's modes that hand every operation on; torch is not imported before."""

    class Mode(torch.utils._python_dispatch.TorchDispatchMode):
        def __init__(self, perform: Perform) -> None:
            super().__init__()
            self.perform = perform

        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            """Tells whether torch's compiler is kept away: to import it takes longer than to compare a small model."""
            return compiling

        def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return self.perform(operation, args, kwargs or {})

    return Mode
