"""What the oldest releases that are supported cannot do, so that what rests on it is not tested beside them."""

from __future__ import annotations

from importlib import metadata
from importlib.util import find_spec

import pytest

TORCH_2_2 = find_spec("torch") is not None and metadata.version("torch").startswith("2.2.")
KERAS_3_3 = find_spec("keras") is not None and metadata.version("keras").startswith("3.3.")

needs_float16_in_layer_norm = pytest.mark.skipif(TORCH_2_2, reason="torch 2.2 has no LayerNorm of float16 on the CPU")
# What is checked later in the process would be wrong.
needs_hooks_after_compiling = pytest.mark.skipif(TORCH_2_2, reason="torch 2.2 calls no hooks once it compiled")
needs_names_in_files = pytest.mark.skipif(KERAS_3_3, reason="Keras 3.3 writes no names of layers into its files")
