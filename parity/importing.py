"""Loads triton before TensorFlow, since otherwise torch's ordinary wheel and TensorFlow crash in one process.

TensorFlow's wheels from 2.20 on are loaded with RTLD_GLOBAL (`tensorflow.python.pywrap_dlopen_global_flags`), and hand
the LLVM that is linked into them to every library loaded later. Triton 3.7, which torch's wheels for CUDA require, has
an LLVM of its own and dies of TensorFlow's while it is loaded: SIGSEGV
(https://github.com/tensorflow/tensorflow/issues/124205). torch imports triton late, when the first optimizer is made or
something is compiled.

Measured with TensorFlow 2.21.0, torch 2.13.0 and triton 3.7.1 on Linux:

| order | outcome |
|---|---|
| tensorflow, triton | SIGSEGV |
| torch, tensorflow, a torch optimizer | SIGSEGV |
| triton (0.2 s), tensorflow, a torch optimizer, `torch.compile` | all run |
| tensorflow, triton marked as absent, a torch optimizer, `torch.compile` for the CPU | all run |

Importing `parity` therefore sees to it that triton is loaded just before TensorFlow, wherever that is imported from,
or, where TensorFlow is there already, that triton stays out of the process. As a plugin of pytest this module does it
before pytest imports anybody's test file, so that a file may begin with `import keras`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType


class TritonFirst(MetaPathFinder):
    """A finder that finds nothing: it imports triton just before TensorFlow, when that is looked for.

    This is the last moment at which triton can still be loaded.
    """

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if fullname == "tensorflow" and "triton" not in sys.modules and importlib.util.find_spec("triton") is not None:
            try:
                importlib.import_module("triton")
            except ImportError as error:
                # A triton that does not load now would not have loaded later either; torch does without.
                warnings.warn(f"triton is installed and cannot be imported: {error}", RuntimeWarning, stacklevel=2)


def keep_triton_and_tensorflow_apart() -> None:
    """Loads triton before TensorFlow from now on; if it is too late for that, keeps it out of this process."""
    if any(isinstance(finder, TritonFirst) for finder in sys.meta_path):
        return
    too_late = "tensorflow.python.pywrap_dlopen_global_flags" in sys.modules and "triton" not in sys.modules
    if too_late and importlib.util.find_spec("triton") is not None:
        sys.modules["triton"] = None  # type: ignore[assignment]  # Python's own mark of what cannot be imported
        warnings.warn(
            "TensorFlow was imported before parity; importing triton now would crash, so torch goes without it. "
            "Import parity first to have both",
            RuntimeWarning,
            stacklevel=3,
        )
    sys.meta_path.insert(0, TritonFirst())
