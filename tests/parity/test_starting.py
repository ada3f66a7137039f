"""A process of ours imports Keras without its extras, which can be imported all the same."""

from __future__ import annotations

import gc
import importlib.util
import subprocess
import sys

import pytest

from parity.frameworks import available
from parity.starting import UNUSED, left_alone

SCRIPT = """
import gc, sys
gc.disable()
from parity.starting import lighten
lighten()
lighten()
assert sum(type(finder).__name__ == "WithoutExtras" for finder in sys.meta_path) == 1
import keras
print(*(name for name in {unused} if name in sys.modules))
import {imported}
print(keras.layers.Dense(2)(keras.ops.ones((1, 3))).shape)
"""


@pytest.mark.skipif("tensorflow" not in available(), reason="TensorFlow is not installed")
def test_keras_is_imported_without_extras_which_are_there_for_others() -> None:
    there = [name for name in UNUSED if importlib.util.find_spec(name)]
    script = SCRIPT.format(unused=there, imported=", ".join(["os", *there]))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["", "(1, 2)"]


def test_garbage_is_collected_again_after_it_was_left_alone() -> None:
    assert gc.isenabled()
    with left_alone():
        assert not gc.isenabled()
        with left_alone():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
