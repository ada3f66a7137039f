"""Event files for TensorBoard: one folder for each implementation, with the same tags in all, so that they overlay.

They need tensorboardX, the extra `tensorboard`, which needs neither torch nor TensorFlow; where it is missing, a
warning says so and none are written. `tensorboard --logdir FOLDER` shows them.
"""

from __future__ import annotations

import importlib.util
import shutil
import warnings
from pathlib import Path
from types import TracebackType

import numpy as np

from parity.training.observing import Observation


class EventFiles:
    """A context manager that writes observations into a folder, which it empties first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> EventFiles:
        self.writer = None
        if importlib.util.find_spec("tensorboardX") is None:
            warnings.warn("no event files without tensorboardX: pip install tensorboardX", stacklevel=2)
            return self
        from tensorboardX import SummaryWriter  # noqa: PLC0415 - an extra

        shutil.rmtree(self.folder, ignore_errors=True)
        self.writer = SummaryWriter(str(self.folder))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if self.writer is not None:
            self.writer.close()

    def write(self, seen: Observation, scalars: dict[str, float]) -> None:
        """Write a histogram of the finite values of each tensor, and the finite scalars, at the observed step."""
        if self.writer is None:
            return
        for tag, values in seen.tensors():
            if np.isfinite(values).any():
                self.writer.add_histogram(tag, values[np.isfinite(values)], seen.step)
        for tag, value in scalars.items():
            if np.isfinite(value):
                self.writer.add_scalar(tag, value, seen.step)
