"""What README and the set-up page promise about installing is what the locks, the sessions and CI do."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import stacks

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SET_UP = (ROOT / "docs" / "how-to" / "setup.md").read_text()
LOCKED = [(stack, python) for stack in stacks.LOCKED for python in stacks.pythons(stack)]


def readme_commands() -> list[str]:
    """The two commands that README opens with."""
    block = re.search(r"## Two commands.*?```sh\n(.*?)```", README, re.DOTALL)
    assert block is not None
    return [line.split("#")[0].strip() for line in block[1].splitlines()]


@pytest.mark.parametrize(("stack", "python"), LOCKED)
def test_every_lock_pins_all_of_its_source_as_it_stands_there(stack: str, python: str) -> None:
    pinned = stacks.pins(stacks.lock(stack, python))  # raises for a line that pins nothing
    asked = re.findall(r"^([\w-]+)(?:==([\w.]+))?", stacks.source(stack).read_text(), re.MULTILINE)
    assert {name: pinned.get(name) for name, version in asked if version} == dict(filter(all, asked))
    assert {name for name, _ in asked} - {"tomli"} <= pinned.keys()  # tomli is Python's own from 3.11 on
    assert not [name for name in pinned if stacks.CUDA.fullmatch(name)], "a torch for the CPU needs none of these"


@pytest.mark.parametrize(("stack", "python"), [each for each in LOCKED if each[0] != "tools"])
def test_every_lock_satisfies_what_the_project_requires_by_now(stack: str, python: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = stacks.pins(stacks.lock(stack, python))
    asked = [*project["dependencies"], *(each for extra in project["optional-dependencies"].values() for each in extra)]
    for requirement in map(Requirement, asked):
        here = requirement.marker is None or requirement.marker.evaluate({"python_version": python})
        if here and requirement.name != stacks.OURS:
            version = pinned.get(stacks.normalized(requirement.name))
            assert version is not None, f"`nox -s lock` has not been run since {requirement} was added"
            assert requirement.specifier.contains(version), f"{version} is locked: {requirement} asks for another"


@pytest.mark.parametrize(("stack", "python"), [each for each in LOCKED if each[0] != "tools"])
def test_what_only_cuda_wheels_of_torch_require_is_pinned_beside_the_lock(stack: str, python: str) -> None:
    pinned = stacks.pins(stacks.cuda(stack, python))
    assert any(name.startswith("nvidia-cudnn") for name in pinned)
    assert not pinned.keys() & stacks.pins(stacks.lock(stack, python)).keys()


def test_no_lock_is_left_of_a_python_that_is_no_longer_supported() -> None:
    known = {path for stack, python in LOCKED for path in (stacks.lock(stack, python), stacks.cuda(stack, python))}
    assert set(stacks.FOLDER.glob("*.txt")) <= known


def test_committed_files_of_the_set_up_name_no_index() -> None:
    files = [
        *stacks.FOLDER.glob("*.*"),
        *(ROOT / name for name in ("noxfile.py", ".ci/run", ".github/workflows/ci.yml")),
    ]
    assert not [path.name for path in files if re.search(r"index-url +\S*://|find-links +\S*/", path.read_text())]


def test_readme_and_the_set_up_page_say_which_pythons_and_versions_the_locks_have() -> None:
    *first, last = stacks.pythons("current")
    assert f"## Two commands, from a checkout, with Python {', '.join(first)} or {last}\n" in README
    assert f"`python{first[0]}`, `{'`, `'.join(first[1:])}` or `{last}`" in SET_UP
    for stack in ("current", "oldest"):
        assert f"```{{literalinclude}} ../../stacks/{stack}.in\n```" in SET_UP


def test_ci_runs_both_of_readmes_commands_as_they_stand() -> None:
    lines = [line.strip() for line in (ROOT / ".ci" / "run").read_text().splitlines()]
    commands = readme_commands()
    assert [command.rsplit(maxsplit=1)[1] for command in commands] == ["parity", "tests"]
    for command in commands:
        assert any(command in line for line in lines), f"{command} is not in .ci/run"


def test_the_environment_holds_what_its_lock_says_and_nothing_else() -> None:
    record = Path(sys.prefix, "stack.json")
    if not record.exists():
        pytest.skip("this environment was not made by nox")
    stack, python = record.parent.name.rsplit("-py", 1)
    if not stacks.lock(stack, python).exists():
        pytest.skip(f"the stack {stack} floats")
    assert stacks.deviations(stack, python, stacks.installed(sys.executable)) == []


def test_a_strangers_package_another_version_and_a_missing_one_are_named() -> None:
    pinned = stacks.pins(stacks.lock("current", "3.11"))
    installed = pinned | {"numpynet-parity": "0.1.0", "torch": f"{pinned['torch']}+cpu"}
    assert stacks.deviations("current", "3.11", installed) == []
    del installed["scipy"]
    assert stacks.deviations("current", "3.11", installed | {"Jinja2": "3.0.0", "left-pad": "1.0"}) == [
        f"jinja2 3.0.0 is installed, and the lock says {pinned['jinja2']}",
        "left-pad 1.0 is installed, and the lock does not name it",
        f"scipy {pinned['scipy']} is missing",
    ]


def test_a_line_that_pins_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lock.txt").write_text("numpy==2.4.6  # why\ntorch>=2\n")
    with pytest.raises(ValueError, match=r"lock.txt pins nothing in the line 'torch>=2'"):
        stacks.pins(tmp_path / "lock.txt")


Programs = Callable[[str, str | None], str]


class TestAStackOfOnesOwn:
    def test_is_called_as_its_file_and_floats_unless_all_is_pinned(self, tmp_path: Path) -> None:
        file = tmp_path / "mine.txt"
        file.write_text("numpy==2.3.0\ntorch==2.12.0  # the one in production\n")
        stack = str(file)
        assert (stacks.name(stack), stacks.source(stack)) == ("mine", file)
        assert not stacks.floats(stack, "3.11")
        file.write_text("numpy==2.3.0\ntorch\n")
        assert stacks.floats(stack, "3.11")
        assert stacks.floats("newest", "3.11")
        assert not stacks.floats("current", "3.11")

    def test_supports_what_it_says_or_what_the_project_does(self, tmp_path: Path) -> None:
        (tmp_path / "mine.txt").write_text("torch\n")
        assert stacks.pythons(str(tmp_path / "mine.txt")) == ["3.10", "3.11", "3.12", "3.13"]
        (tmp_path / "mine.txt").write_text("# pythons: 3.12\ntorch\n")
        assert stacks.pythons(str(tmp_path / "mine.txt")) == ["3.12"]

    def test_is_not_taken_for_one_of_ours(self, tmp_path: Path) -> None:
        (tmp_path / "current.txt").write_text("torch\n")
        with pytest.raises(stacks.StackError, match="is called as the stack current is"):
            stacks.name(str(tmp_path / "current.txt"))
        with pytest.raises(stacks.StackError, match=r"there is no file .*other.txt"):
            stacks.name(str(tmp_path / "other.txt"))


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """Makes programs that say they are a version of Python; None stands for one that does not run, as pyenv's."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def made(name: str, version: str | None) -> str:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{'exit 127' if version is None else f'echo {version}'}\n")
        path.chmod(0o755)
        return str(path)

    return made


@pytest.mark.skipif(os.name == "nt", reason="the programs of this test are shell scripts")
class TestInterpreter:
    def test_the_one_that_runs_nox_is_taken_where_the_stack_supports_it(self, programs: Programs) -> None:
        running = programs("python3", "3.12")
        programs("python3.13", "3.13")
        assert stacks.interpreter("current", running=running) == ("3.12", running)

    def test_else_the_newest_on_the_path_that_runs(self, programs: Programs) -> None:
        running, works = programs("python3", "3.14"), programs("python3.12", "3.12")
        programs("python3.11", "3.11")
        programs("python3.13", None)
        assert stacks.interpreter("current", running=running) == ("3.12", works)

    def test_the_one_that_is_asked_for_is_taken(self, programs: Programs) -> None:
        running, asked = programs("python3", "3.12"), programs("python3.11", "3.11")
        assert stacks.interpreter("current", "3.11", running=running) == ("3.11", asked)
        assert stacks.interpreter("current", "3.12", running=running) == ("3.12", running)

    def test_without_one_it_says_what_would_do(self, programs: Programs) -> None:
        running = programs("python3", "3.10")
        with pytest.raises(stacks.StackError) as caught:
            stacks.interpreter("current", running=running)
        assert "nox runs on Python 3.10; the stack current runs on Python 3.11, 3.12, 3.13" in str(caught.value)
        assert "(oldest runs on 3.10, 3.11, 3.12)" in str(caught.value)

    def test_one_that_is_not_there_or_not_supported_is_refused(self, programs: Programs) -> None:
        running = programs("python3", "3.12")
        with pytest.raises(stacks.StackError, match=r"no python3.13 on the PATH runs"):
            stacks.interpreter("current", "3.13", running=running)
        with pytest.raises(stacks.StackError, match=r"Python 3.9 was asked for; the stack current runs on Python 3.11"):
            stacks.interpreter("current", "3.9", running=running)


@pytest.fixture
def distribution() -> metadata.Distribution:
    try:
        return metadata.distribution(stacks.OURS)
    except metadata.PackageNotFoundError:
        pytest.skip(f"{stacks.OURS} is not installed here, or was before its name was changed")


def test_the_distribution_brings_the_command_and_the_plugin_of_pytest(distribution: metadata.Distribution) -> None:
    assert {("parity", "parity.cli:app"), ("parity", "parity.importing")} <= {
        (entry.name, entry.value) for entry in distribution.entry_points
    }


def test_readme_and_the_set_up_page_install_nothing_from_an_index_but_nox(distribution: metadata.Distribution) -> None:
    installed = re.findall(r"pip install (?:--quiet )?'?([\w.\[\]-]+)", README + SET_UP)
    extras = {extra for name in installed for extra in re.findall(r"\.\[(\w+)\]", name)}
    assert {re.sub(r"\[\w+\]", "", name) for name in installed} == {".", "nox"}
    assert extras
    assert extras <= set(distribution.metadata.get_all("Provides-Extra") or [])
