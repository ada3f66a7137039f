"""The command line on numpynet alone, and layers that die: python tiny_check.py check FILE [--results FOLDER].

A copy of this file is a FILE of layers: of those that its own name mentions, as in layers-Fine-Killed.py. No framework
is imported, so that a check takes seconds.
"""

import os
import signal
import sys
import time
from pathlib import Path

from hypothesis import strategies as st

import parity
import parity.frameworks
from numpynet import Module
from parity.pairing import Pair


class Fine(Module):
    def forward(self, input):
        return self.remember(input + input)

    def backward(self, grad_output):
        self.recall(grad_output)
        return grad_output + grad_output


class Killed(Fine):
    """As the system does to a process when no memory is left."""

    def forward(self, input):
        os.kill(os.getpid(), signal.SIGKILL)


class Exits(Fine):
    """As a library does that ends the process on its own."""

    def forward(self, input):
        os._exit(7)


class Leaves(Fine):
    def forward(self, input):
        sys.exit("no license")


class Undrawn(Fine):
    """Has no room for its weights."""

    def __init__(self):
        raise MemoryError("no room for the weights")


class Sleeps(Fine):
    def forward(self, input):
        time.sleep(600)


if __name__ == "__main__":
    from parity.cli import app

    parity.frameworks.available = list
    app()
for layer in (Fine, Killed, Exits, Leaves, Undrawn, Sleeps):
    if layer.__name__ in Path(__file__).stem.split("-"):
        parity.pair(layer)(type("Paired", (Pair,), {"modules": st.builds(layer)}))
