"""Shows every operation that torch performs to a function of ours, which performs it."""

from __future__ import annotations

import functools
from typing import Any

from parity.comparison.decompositions import Perform
from parity.frameworks.lazy import torch


def handing_on(perform: Perform) -> Any:
    """A context in which `perform` is handed every operation of torch, with its arguments, and computes the result."""
    return _mode()(perform)


@functools.cache
def _mode() -> Any:
    """The class of torch's modes that hand every operation on; torch is not imported before."""

    class Mode(torch.utils._python_dispatch.TorchDispatchMode):
        def __init__(self, perform: Perform) -> None:
            super().__init__()
            self.perform = perform

        def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return self.perform(operation, args, kwargs or {})

    return Mode
