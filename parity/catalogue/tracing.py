"""Tells who raised what: a refusal is the framework's own, or it is our wrapper's fault and none of its doing."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpynet
import parity
from parity.catalogue.attempt import error_of
from parity.frameworks import framework

OURS = tuple(Path(package.__file__).parent for package in (parity, numpynet) if package.__file__)


def raised_by_us(run: Callable[[], Any], name: str) -> str:
    """The line of numpynet or parity that raises when `run` is tried on the framework called `name`.

    It is empty where it is accepted, or where the framework refuses: the innermost frame is then of the framework's
    code, or of the call that led into its compiled part.
    """
    with framework(name).traced():
        error = error_of(run)
    if error is None:
        return ""
    last = traceback.extract_tb(error.__traceback__)[-1]
    path = Path(last.filename)
    if last.name == "__torch_function__" or not any(path.is_relative_to(home) for home in OURS):
        return ""
    return f"{path.name}:{last.lineno}: {last.line} ({type(error).__name__}: {error})"
