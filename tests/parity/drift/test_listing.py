"""The stacks that there are, and the results that belong to each."""

from __future__ import annotations

import re
from pathlib import Path

from made_up_stack import stack
from typer.testing import CliRunner

from parity.cli import app
from parity.drift.listing import LOCKS, listed

OWN = "# mine\nnumpy==2.4.6\ntorch==2.9.1\ntensorflow-cpu==2.21.0\nkeras==3.15.1\nscipy\n"


def test_the_project_s_locks_are_listed_without_tools_and_documentation() -> None:
    names = [each.name for each in listed([], [])]
    assert set(names) == {path.stem for path in LOCKS.glob("*-py3.1?.txt") if path.name[0] in "co"}
    assert all(set(each.packages) == {"numpy", "torch", "tensorflow", "keras"} for each in listed([], []))


def test_results_belong_to_the_stack_of_their_versions(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text(OWN)
    whole = stack(tmp_path / "results" / "drift" / "whole")
    part = stack(tmp_path / "results" / "part", without=("modes", "curves"))
    other = stack(tmp_path / "results" / "other", torch="2.10.0")
    found = listed([tmp_path / "mine.txt"], [tmp_path / "results"])
    (mine,) = [each for each in found if each.name == "mine"]
    assert {each.folder: each.lacks for each in mine.results} == {
        whole: {},
        part: {"modes": "parity modes", "curves": "parity curves"},
    }
    (unnamed,) = [each for each in found if each.file is None]
    assert [each.folder for each in unnamed.results] == [other]


def test_the_command_says_what_is_still_to_be_made(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("# pythons: 3.11\n" + OWN)
    stack(tmp_path / "results" / "part", without=("modes",))
    done = CliRunner().invoke(app, ["stacks", str(tmp_path / "mine.txt"), "--results", str(tmp_path / "results")])
    assert done.exit_code == 0, done.output
    text = re.sub(r"[\s│]", "", done.output)  # a cell is folded, wherever its column ends
    assert re.search(r"mine3\.112\.4\.62\.9\.12\.21\.03\.15\.1/.*/part,lacksparitymodes", text)
