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


@pytest.mark.skipif(not crashes_with_triton(), reason="TensorFlow before 2.20 keeps its LLVM to itself")
def test_without_parity_triton_after_tensorflow_dies(tmp_path: Path) -> None:
    assert run("-c", "import tensorflow, triton", cwd=tmp_path).returncode == -signal.SIGSEGV


def test_after_parity_both_can_be_imported_torch_compiles_and_an_optimizer_is_checked(tmp_path: Path) -> None:
    compiled = "torch.compile(lambda x: x + 1)(torch.zeros(2))"
    program = f"import parity, keras, torch, triton; {ADAM}; print({compiled}.sum().item(), triton.__version__)"
    checked = "import numpynet; parity.check(numpynet.Adam, examples=2)"
    done = run("-c", f"{program}; {checked}", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split()[0] == "2.0"


def test_where_tensorflow_comes_before_parity_triton_stays_out_and_it_says_so(tmp_path: Path) -> None:
    done = run("-c", f"import keras, parity, torch, sys; {ADAM}; print(sys.modules['triton'])", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    if crashes_with_triton():
        assert done.stdout.strip() == "None"
        assert "Import parity first to have both" in done.stderr


@pytest.mark.skipif(
    "parity.importing" not in {plugin.value for plugin in metadata.entry_points(group="pytest11")},
    reason="parity is not installed as a plugin of pytest",
)
def test_pytest_loads_triton_before_a_test_file_that_begins_with_keras(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text(
        f"import keras\nimport sys\nimport torch\ndef test():\n    {ADAM}\n    assert sys.modules['triton']\n"
    )
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_own.py", cwd=tmp_path)
    assert "1 passed" in done.stdout, done.stdout + done.stderr
