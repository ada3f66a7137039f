"""What a killed process leaves of `parity release` is removed by the next one, and nothing that is still in use is."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from parity.releases import trying
from parity.releases.scratch import PREFIX, scratch

pytest.importorskip("fcntl")
ROOT = Path(trying.__file__).parents[2]

# `parity release`, of which the release that it installs is a parity.py: its command waits until it is told to end.
RUNNING = """
from parity.releases import trying

def install(package, version, home, index):
    (home / "parity.py").write_text("print('running', flush=True); input()")
    return {}

trying.install = install
with trying.releases({"keras": "3.0"}) as variables:
    trying.perform([["fingerprint"]], variables)
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary ones, of this process and of those that it starts."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


@pytest.fixture
def running(home: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that runs a command with a release in front."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", RUNNING], text=True, stdin=pipe, stdout=pipe, cwd=home) as process:
        assert process.stdout
        assert process.stdout.readline() == "running\n"
        yield process
        process.kill()


def left(home: Path) -> list[Path]:
    """The folders that are there when another process has had one of its own."""
    with scratch() as folder:
        assert folder.parent == home
    assert not folder.exists()
    return list(home.glob(f"{PREFIX}*"))


def test_what_a_killed_process_leaves_is_removed_by_the_next(home: Path, running: subprocess.Popen[str]) -> None:
    (folder,) = home.glob(f"{PREFIX}*")
    assert (folder / "keras" / "parity.py").exists()
    assert left(home) == [folder]  # it runs
    running.kill()
    running.wait()
    assert left(home) == [folder]  # its command runs, and imports from there
    running.communicate()  # which ends
    assert left(home) == []


def test_what_is_not_such_a_folder_stays(home: Path) -> None:
    others = [home / "parity-other", home / f"{PREFIX}being-made"]  # a lock is there once it is held
    for other in others:
        other.mkdir()
    assert left(home) == [others[1]]
    assert others[0].exists()


def test_a_folder_is_removed_though_what_it_served_raises(home: Path) -> None:
    with pytest.raises(KeyboardInterrupt), scratch():
        raise KeyboardInterrupt
    assert not list(home.iterdir())
