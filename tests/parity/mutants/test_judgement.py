"""Mutants of parity's judgement are planted in a copy of the checkout, and killed by tests that run in children."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner

from parity.cli import app
from parity.mutants import mutant, trying
from parity.mutants.checkout import PARTS, Checkout, Ran
from parity.mutants.modules import NO_JUDGE, Of, files_of_tests, kind, modules, path
from parity.mutants.mutant import Mutant
from parity.results.code import ROOT

MODULE = "parity.statistics.margins"
LARGEST = path(MODULE).read_text("utf-8")

QUICK = f"""
from {MODULE} import LARGEST_MARGIN

def test_the_largest_margin():
    assert LARGEST_MARGIN == 0.005
"""
ODD = """
import os
import subprocess
import sys
import time

def test_first():
    pass

def test_second():
    {}
"""


class Larger(Mutant):
    """A mutant that needs nothing installed."""

    def source(self) -> str:
        return path(self.module).read_text("utf-8").replace("LARGEST_MARGIN = 0.005", "LARGEST_MARGIN = 0.006")


class NoPython(Mutant):
    def source(self) -> str:
        return "LARGEST_MARGIN ="


LARGER = Larger(MODULE, "a larger margin", 0, "", 11)
NO_PYTHON = NoPython(MODULE, "no margin", 0, "", 11)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """Of a checkout that has one module and one test; every test leaves the module as it was."""
    if not hasattr(os, "fork"):
        pytest.skip("processes are not forked on this system")
    here = tmp_path_factory.mktemp("judgement")
    tree = here / "source"
    for folder in (*PARTS[:4], "parity/statistics"):
        (tree / folder).mkdir(parents=True)
    for file in ("README.md", "pyproject.toml", "parity/__init__.py", "parity/importing.py"):
        (tree / file).touch()
    (tree / "parity/statistics/__init__.py").touch()
    for module in ("parity.discovery", "parity.starting", "parity.statistics.lazy", MODULE):
        shutil.copy2(path(module), tree / path(module).relative_to(ROOT))
    (tree / "tests/test_quick.py").write_text(QUICK)
    made = Checkout(here / "copy", tree, ["numpy.testing"])
    yield made
    made.close()


def odd(checkout: Checkout, what: str) -> list[str]:
    (checkout.folder / "tests/test_odd.py").write_text(ODD.format(what))
    return ["tests/test_odd.py"]


def test_a_mutant_is_in_the_copy_alone_and_nothing_is_left_of_it(checkout: Checkout) -> None:
    tests = ["tests/test_quick.py"]
    assert checkout.run(tests, 60, bytecode=True).by == ""
    with checkout.planted(LARGER):
        assert checkout.run(tests, 60).by == "tests/test_quick.py::test_the_largest_margin"
        assert path(MODULE).read_text("utf-8") == LARGEST
    assert checkout.run(tests, 60).by == ""


def test_a_mutant_that_is_no_python_is_killed_by_the_file_that_cannot_be_imported(checkout: Checkout) -> None:
    with checkout.planted(NO_PYTHON):
        assert checkout.run(["tests/test_quick.py"], 60).by == "tests/test_quick.py"


def test_what_computes_for_ever_is_ended_after_so_many_seconds_of_computing(checkout: Checkout) -> None:
    assert checkout.run(odd(checkout, "while True: pass"), 1, patience=100).by == "more than 1 s"


def test_what_waits_for_ever_is_ended_with_all_that_it_has_started(checkout: Checkout, tmp_path: Path) -> None:
    told = tmp_path / "child"
    child = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid"
    tests = odd(checkout, f"open({str(told)!r}, 'w').write(str({child})); time.sleep(600)")
    for limit in (2, 10, 60):  # on a busy machine it has not begun when it is ended
        assert checkout.run(tests, limit, patience=1).by == f"more than {limit} s"
        if told.exists():
            break
    assert told.read_text()
    with suppress(ProcessLookupError, FileNotFoundError):  # it has ended, or its new parent has yet to hear of it
        for _ in range(100):
            os.kill(int(told.read_text()), 0)
            if Path(f"/proc/{told.read_text()}/stat").read_text().split()[2] == "Z":
                break
            time.sleep(0.1)
        else:
            pytest.fail("what it has started goes on")


def test_a_process_that_dies_is_told_and_the_next_one_runs(checkout: Checkout) -> None:
    assert checkout.run(odd(checkout, "os.abort()"), 60).by == "exit code -6"
    assert checkout.run(odd(checkout, "pass"), 60).by == ""


def test_quick_tests_come_first(checkout: Checkout) -> None:
    tests = odd(checkout, "raise AssertionError")
    seconds = {"tests/test_odd.py::test_first": 9.0, "tests/test_odd.py::test_second": 0.1}
    assert list(checkout.run(tests, 60, seconds).seconds) == ["tests/test_odd.py::test_second"]
    assert list(checkout.run(tests, 60).seconds) == ["tests/test_odd.py::test_first", "tests/test_odd.py::test_second"]


def test_it_says_which_modules_of_others_were_imported_and_none_of_its_own(checkout: Checkout) -> None:
    imported = checkout.run(["tests/test_quick.py", *odd(checkout, "import mailbox")], 60).imported
    assert {"numpy", "numpy.testing", "mailbox"} <= set(imported)
    assert not [name for name in imported if name.startswith(("parity", "test_"))]


def test_a_test_that_fails_without_a_mutant_stops_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Red:
        def __init__(self, *_: object) -> None: ...

        def run(self, *_: object, **__: object) -> Ran:
            return Ran("tests/test_a.py::test_b")

        def close(self) -> None: ...

    monkeypatch.setattr(trying, "Checkout", Red)
    monkeypatch.setattr(mutant, "candidates", lambda names: [LARGER])
    asked = ["mutants", "--of", "judgement", "--results", str(tmp_path)]
    found = CliRunner().invoke(app, asked, env={"COLUMNS": "200"})
    assert found.exit_code == 3
    assert "tests/test_a.py::test_b does not pass on the unchanged tree" in found.stderr
    assert not (tmp_path / "mutants.jsonl").exists()


def test_what_judges_has_mutants_and_what_only_tells_or_runs_has_none() -> None:
    found = modules(Of.JUDGEMENT)
    assert {"parity.rounding.allowance", "parity.ladder.judge", "parity.statistics.verdict"} <= set(found)
    assert all(kind(name) is Of.JUDGEMENT and path(name).is_file() for name in found)
    assert not set(found) & set(NO_JUDGE)
    assert all(path(name).is_file() for name in NO_JUDGE)


def test_a_module_is_judged_by_the_tests_of_its_room_and_by_those_of_meta_that_import_it() -> None:
    tests = files_of_tests("parity.rounding.noisy")
    assert "tests/parity/rounding/test_runs.py" in tests
    assert "tests/meta/test_alarms.py" in tests
    assert not [test for test in files_of_tests(MODULE) if not test.startswith("tests/parity/statistics/")]
    assert all((ROOT / test).is_file() for name in modules(Of.JUDGEMENT) for test in files_of_tests(name))
