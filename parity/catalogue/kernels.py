"""The kernels that TensorFlow computes with on this machine, as TensorFlow itself says."""

from __future__ import annotations

from typing import Any

from parity.discovery import Lazy

port: Any = Lazy("tensorflow.python.util._pywrap_util_port")


def onednn() -> bool:
    """Tells whether TensorFlow takes oneDNN's kernels where it has one.

    It decides when it starts, by TF_ENABLE_ONEDNN_OPTS or else by the processor (tensorflow/core/util/util.cc): an AMD
    processor without AVX512-VNNI gets Eigen's.
    """
    return bool(port.IsMklEnabled())


def kernels() -> str:
    """The owner of the kernels that TensorFlow computes with: "oneDNN", or "Eigen" where it takes its own alone."""
    return "oneDNN" if onednn() else "Eigen"
