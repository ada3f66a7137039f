"""What the benchmarks ran on: `python -m benchmarks.where` prints it as JSON."""

from __future__ import annotations

import json
import platform
from typing import Any

import numpy as np

from parity.results.packages import machine, versions


def where() -> dict[str, Any]:
    """The versions, the processor with its number of cores, and the kernels that NumPy's products run on."""
    np.ones((2, 2)) @ np.ones((2, 2))  # which loads the BLAS
    found = machine()
    kernels = [f"{pool['internal_api']} {pool['version']}, kernel {pool['architecture']}" for pool in found["blas"]]
    return {
        "versions": {"python": platform.python_version(), **versions()},
        "processor": found["processor"],
        "cores": found["cores"],
        "blas": ", ".join(kernels),
    }


if __name__ == "__main__":
    print(json.dumps(where()))
