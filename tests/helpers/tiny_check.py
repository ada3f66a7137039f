"""The command line on numpynet alone, and layers that die: python tiny_check.py check FILE [--results FOLDER].

A copy of this file is a FILE of layers: of those that its own name mentions, as in layers-Fine-Killed.py. No framework
is imported, so that a check takes seconds.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

from hypothesis import strategies as st

import parity
import parity.frameworks
from numpynet import Array, Module
from parity.mapping.pair import Pair


class Fine(Module):
    def forward(self, input: Array) -> Array:
        return self.remember(input + input)

    def backward(self, grad_output: Array) -> Array:
        self.recall(grad_output)
        return grad_output + grad_output


class Killed(Fine):
    """As the system does to a process when no memory is left."""

    def forward(self, input: Array) -> Array:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("it lives")


class Exits(Fine):
    """As a library does that ends the process on its own."""

    def forward(self, input: Array) -> NoReturn:
        os._exit(7)


class Leaves(Fine):
    def forward(self, input: Array) -> NoReturn:
        sys.exit("no license")


class Undrawn(Fine):
    """Has no room for its weights."""

    def __init__(self) -> None:
        raise MemoryError("no room for the weights")


class Sleeps(Fine):
    def forward(self, input: Array) -> Array:
        time.sleep(600)
        raise AssertionError("nobody ended it")


if __name__ == "__main__":
    from parity.cli import app

    parity.frameworks.available = list
    app()
for layer in (Fine, Killed, Exits, Leaves, Undrawn, Sleeps):
    if layer.__name__ in Path(__file__).stem.split("-"):
        parity.pair(layer)(type("Paired", (Pair,), {"modules": st.builds(layer)}))
