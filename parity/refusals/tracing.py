"""Tells who raised what: a refusal is the framework's own, or it is our wrapper's fault and none of its doing."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpynet
import parity
from parity.frameworks.lazy import keras, tf, torch
from parity.refusals import error_of

OURS = tuple(Path(package.__file__).parent for package in (parity, numpynet) if package.__file__)


@contextlib.contextmanager
def of_torch() -> Iterator[None]:
    """A context in which every function and operator of torch that is called leaves a frame in the traceback.

    They are written in C++, and without it the last frame of what they raise is the caller's.
    """

    class CalledByTorch(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return function(*args, **(kwargs or {}))

    with CalledByTorch():
        yield


@contextlib.contextmanager
def of_tensorflow() -> Iterator[None]:
    """A context in which Keras and TensorFlow keep their own frames, which they take out of what they raise."""
    keras.config.disable_traceback_filtering()
    tf.debugging.disable_traceback_filtering()
    try:
        yield
    finally:
        keras.config.enable_traceback_filtering()
        tf.debugging.enable_traceback_filtering()


TRACED: dict[str, Callable[[], contextlib.AbstractContextManager[None]]] = {
    "torch": of_torch,
    "tensorflow": of_tensorflow,
}


def raised_by_us(run: Callable[[], Any], framework: str) -> str:
    """The line of numpynet or parity that raises when `run` is tried on `framework`.

    It is empty where it is accepted, or where the framework refuses: the innermost frame is then of the framework's
    code, or of the call that led into its compiled part.
    """
    with TRACED[framework]():
        error = error_of(run)
    if error is None:
        return ""
    last = traceback.extract_tb(error.__traceback__)[-1]
    path = Path(last.filename)
    if last.name == "__torch_function__" or not any(path.is_relative_to(home) for home in OURS):
        return ""
    return f"{path.name}:{last.lineno}: {last.line} ({type(error).__name__}: {error})"
