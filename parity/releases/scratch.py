"""Folders that are removed when they have served, and by a later process where theirs was killed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: nobody can tell whose process is dead, and what one leaves stays
    fcntl = None  # type: ignore[assignment]

PREFIX = "parity-release-"
LOCK = "in-use"


@contextmanager
def scratch(beside: Path | None = None) -> Iterator[Path]:
    """A context with a folder of its own in `beside`, or among the temporary ones, which is removed when it ends.

    What processes left there that are dead is removed before. A process is alive as long as it, or one that it started
    with `close_fds=False`, holds the folder's lock, which no kill leaves behind.
    """
    home = beside or Path(tempfile.gettempdir())
    _clear(home)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=home) as folder:
        if fcntl is None:
            yield Path(folder)
            return
        taken = Path(folder, f"{LOCK}.new")  # renamed once it is held, so that no other process finds it before
        with open(taken, "wb") as lock:
            os.set_inheritable(lock.fileno(), True)
            fcntl.flock(lock, fcntl.LOCK_EX)
            taken.rename(taken.with_name(LOCK))
            yield Path(folder)


def _clear(home: Path) -> None:
    """Remove the folders whose lock nobody holds; those of other users stay."""
    if fcntl is None:
        return
    for lock in home.glob(f"{PREFIX}*/{LOCK}"):
        with suppress(OSError), open(lock, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)
