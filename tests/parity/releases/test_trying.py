"""Commands run with other releases in front of what is installed, which are removed; what came out is passed on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from parity.cli import app
from parity.releases import trying
from parity.releases.trying import perform, pinned, releases


def test_pins_are_read_by_either_name_of_a_package() -> None:
    assert pinned(["tensorflow-cpu==2.20.0", "keras==3.9.2"]) == {"tensorflow": "2.20.0", "keras": "3.9.2"}
    for wrong in ("torch", "torch>=2", "pandas==3.0.0"):
        with pytest.raises(ValueError, match="is not PACKAGE==VERSION of one of numpy, "):
            pinned([wrong])


def made_up(package: str, version: str, home: Path, index: str | None) -> dict[str, str]:
    """Installs a keras.py that says its version, and of torch one variable more."""
    (home / f"{package}.py").write_text(f"__version__ = {version!r}\n")
    return {"PYTHONPATH": "of this one alone"} | ({"LD_LIBRARY_PATH": "stand-ins"} if package == "torch" else {})


def test_every_release_comes_before_what_is_installed_and_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trying, "install", made_up)
    script = "import keras, torch; print(keras.__version__, torch.__version__)"
    with releases({"keras": "3.0", "torch": "2.0"}) as variables:
        done = subprocess.run([sys.executable, "-c", script], env=variables, capture_output=True, text=True, check=True)
        folders = [Path(folder) for folder in variables["PYTHONPATH"].split(os.pathsep)[:2]]
        assert all(folder.is_dir() for folder in folders)
    assert (done.stdout, variables["LD_LIBRARY_PATH"]) == ("3.0 2.0\n", "stand-ins")
    assert not any(folder.exists() for folder in folders)


def test_commands_run_one_after_another_and_each_has_its_exit_code() -> None:
    variables = {"PYTHONPATH": str(Path(trying.__file__).parents[2])}
    assert perform([["--help"], ["no such command"]], variables) == [0, 2]


class TestTheCommand:
    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[object]:
        """What was asked for: the releases, then the commands."""
        asked: list[object] = []

        @contextmanager
        def installed(pins: Mapping[str, str], index: str | None) -> Iterator[dict[str, str]]:
            asked.append(pins)
            if pins.get("keras") == "0":
                raise subprocess.CalledProcessError(1, "pip", stderr="ERROR: no matching distribution\nmore")
            yield {}

        def done(commands: list[list[str]], variables: Mapping[str, str]) -> list[int]:
            asked.append(commands)
            return [0, 1]

        monkeypatch.setattr("parity.cli.release.releases", installed)
        monkeypatch.setattr("parity.cli.release.perform", done)
        return asked

    def run(self, *words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["release", *words])
        return done.exit_code, done.output

    def test_runs_several_commands_and_ends_with_the_largest_exit_code(self, asked: list[object]) -> None:
        words = ("keras==3.9.2", "torch==2.9.1", "--", "fingerprint", "--examples", "1", "--", "check")
        assert self.run(*words)[0] == 1
        assert asked == [
            {"keras": "3.9.2", "torch": "2.9.1"},
            [["fingerprint", "--examples", "1"], ["check"]],
        ]

    @pytest.mark.parametrize("words", [("keras==3.9.2",), ("--", "fingerprint"), ("pandas==3", "--", "fingerprint")])
    def test_says_what_is_to_be_named(self, words: tuple[str, ...], asked: list[object]) -> None:
        code, said = self.run(*words)
        assert (code, asked) == (2, [])
        assert "==" in said

    def test_says_why_a_release_cannot_be_installed(self, asked: list[object]) -> None:
        code, said = self.run("keras==0", "--", "fingerprint")
        assert (code, len(asked)) == (3, 1)
        assert "keras==0 cannot be installed: no matching distribution" in said
