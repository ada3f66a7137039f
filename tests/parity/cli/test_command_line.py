"""The list of commands, which must answer at once, is made without them and says what they say."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest
from tiny_study import ENVIRONMENT
from typer.testing import CliRunner

from parity import discovery
from parity.cli import app
from parity.cli.command import Command
from parity.cli.main import COMMANDS, load

HELP = """
import sys
from parity.cli import app
try:
    app(["--help"])
except SystemExit:
    print(*(name for name in sys.modules if name.partition(".")[0] in ("numpy", "numpynet", "parity")), sep="\\n")
"""


def test_the_list_of_commands_is_made_without_importing_them() -> None:
    done = subprocess.run([sys.executable, "-c", HELP], env=ENVIRONMENT, check=True, capture_output=True, text=True)
    assert all(f" {name} " in done.stdout for name in COMMANDS)
    imported = set(done.stdout.splitlines())
    assert "parity.cli.main" in imported
    assert not imported & {"numpy", "numpynet", "parity.frameworks", "parity.cli.command", "parity.cli.check"}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_listed_by_the_first_paragraph_of_its_own_help(name: str) -> None:
    assert COMMANDS[name] == " ".join((load(name).help or "").split("\n\n")[0].split())


def test_every_command_that_there_is_a_module_of_is_listed() -> None:
    made = [command for module in discovery.modules("parity.cli") for command in vars(module).values()]
    assert {id(command) for command in made if isinstance(command, Command)} == {id(load(name)) for name in COMMANDS}


def test_a_command_that_there_is_not_is_refused_with_the_one_that_was_meant() -> None:
    found = CliRunner().invoke(app, ["chek"])
    assert found.exit_code == 2
    assert "No such command 'chek'. Did you mean 'check'?" in found.output


@pytest.mark.parametrize("error", [OSError("no space"), ConnectionError("the cluster is lost")])
def test_what_may_befall_any_command_is_one_line_and_exit_code_3(
    monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def lost() -> list[str]:
        raise error

    monkeypatch.setattr("parity.cli.command.frameworks", SimpleNamespace(available=lost))
    found = CliRunner().invoke(app, ["modes"])
    assert (found.exit_code, found.output) == (3, f"parity: {error}\n")
