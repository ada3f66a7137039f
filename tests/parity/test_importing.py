"""torch's ordinary wheel brings triton, which dies when it is loaded after TensorFlow: parity's processes do not."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from parity.frameworks import available

ROOT = Path(__file__).parents[2]
# `nox -s tests` provides it: the folder that triton is installed into, beside a torch that need not have it.
TRITON = os.environ.get("PARITY_TRITON", "")


def crashes_with_triton() -> bool:
    """Whether the installed TensorFlow hands its LLVM to libraries that are loaded later."""
    found = importlib.util.find_spec("tensorflow")
    if found is None:
        return False
    assert found.origin is not None
    return Path(found.origin).parent.joinpath("python/pywrap_dlopen_global_flags.py").exists()


pytestmark = [
    pytest.mark.skipif(not TRITON, reason="PARITY_TRITON names no folder with triton (it has wheels for Linux alone)"),
    pytest.mark.skipif(len(available()) < 2, reason="torch and TensorFlow are not both installed"),
]

ADAM = "torch.optim.Adam([torch.zeros(1, requires_grad=True)])"  # this, or compiling, makes torch import triton


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT), TRITON, os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )


# Importing TensorFlow takes longer than all the rest: a child goes on with parity, its parent without.
TENSORFLOW_FIRST = f"""
import gc, os, sys
gc.disable()
import keras
if os.fork():
    assert os.wait()[1] == 0
    import triton
else:
    import parity, torch
    {ADAM}
    print(sys.modules["triton"])
"""


@pytest.fixture(scope="module")
def tensorflow_first(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    return run("-c", TENSORFLOW_FIRST, cwd=tmp_path_factory.mktemp("first"))


@pytest.mark.skipif(not crashes_with_triton(), reason="TensorFlow before 2.20 keeps its LLVM to itself")
def test_without_parity_triton_after_tensorflow_dies(tensorflow_first: subprocess.CompletedProcess[str]) -> None:
    assert tensorflow_first.returncode == -signal.SIGSEGV, tensorflow_first.stderr


def test_where_tensorflow_comes_before_parity_triton_stays_out_and_it_says_so(
    tensorflow_first: subprocess.CompletedProcess[str],
) -> None:
    # The child must have ended well before its parent went on to what kills it.
    assert tensorflow_first.returncode == (-signal.SIGSEGV if crashes_with_triton() else 0), tensorflow_first.stderr
    if crashes_with_triton():
        assert tensorflow_first.stdout.strip() == "None", tensorflow_first.stderr
        assert "Import parity first to have both" in tensorflow_first.stderr


def test_whoever_imports_parity_has_triton_loaded_before_tensorflow(tmp_path: Path) -> None:
    done = run(
        "-c", "import parity, sys; print(type(sys.meta_path[0]).__name__, 'triton' in sys.modules)", cwd=tmp_path
    )
    assert done.stdout.split() == ["TritonFirst", "False"], done.stderr


# As a plugin of pytest parity is imported before the file is, and what the finder does is seen of both at once.
PLUGIN = "parity.importing" in {plugin.value for plugin in metadata.entry_points(group="pytest11")}
OWN = f"""
{"" if PLUGIN else "import parity"}
import keras, sys, torch
import numpynet, parity

def test():
    {ADAM}
    assert sys.modules["triton"].__version__
    assert torch.compile(lambda x: x + 1, backend="eager")(torch.zeros(2)).sum().item() == 2
    parity.check(numpynet.Adam, examples=2)
"""


def test_after_parity_both_can_be_imported_torch_compiles_and_an_optimizer_is_checked_though_a_test_begins_with_keras(
    tmp_path: Path,
) -> None:
    (tmp_path / "test_own.py").write_text(OWN)
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_own.py", cwd=tmp_path)
    assert "1 passed" in done.stdout, done.stdout + done.stderr
