"""How processes of ours start: with the frameworks imported as fast as they can be."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from types import ModuleType

# Packages that Keras imports where they are, for its wrappers and its plots, which nothing here uses: a third of the
# time that TensorFlow and Keras take.
UNUSED = ("matplotlib", "sklearn")


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


class WithoutExtras(MetaPathFinder):
    """A finder that finds nothing: while Keras is imported, it says that the extras of Keras are not there."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if fullname in UNUSED and getattr(getattr(sys.modules.get("keras"), "__spec__", None), "_initializing", False):
            raise ModuleNotFoundError(f"{fullname} is left out while Keras is imported", name=fullname)


def lighten() -> None:
    """Have this process, which must be one of ours, spend less on what it does not need.

    It looks for garbage once in 10,000 objects, not once in 700: to look so often took a fifteenth of what a check
    computes. And it imports Keras without its extras.
    """
    gc.set_threshold(10_000)
    if not any(isinstance(finder, WithoutExtras) for finder in sys.meta_path):
        sys.meta_path.insert(0, WithoutExtras())
