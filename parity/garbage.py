"""When Python looks for garbage in processes that import the frameworks: rarely."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def left_alone() -> Iterator[None]:
    """A context in which no garbage is collected, and what is made stays out of the collector's sight for good.

    Importing both frameworks makes objects that stay. To look through all of them, seven times meanwhile, took a
    quarter of the time of the import, and each look later a third of a second.
    """
    outermost = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if outermost:
            gc.freeze()
            gc.enable()


def collect_rarely() -> None:
    """Have this process, which must be one of ours, look for garbage once in 10,000 objects, not once in 700.

    To look so often took a fifteenth of what a check computes.
    """
    gc.set_threshold(10_000)
