"""What crashes, is killed or has no room in the middle of a check is on record, and its report is not green."""

from __future__ import annotations

import json
import multiprocessing
import operator
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
import tiny_check
from tiny_study import ENVIRONMENT, written
from typer.testing import CliRunner

from parity.cli import app
from parity.cli.check import print_check
from parity.cli.defects import print_defects
from parity.items import differences, refusals
from parity.report import Summary, write_report
from parity.results.packages import THREAD_VARIABLES
from parity.results.records import Json
from parity.results.store import Results
from parity.work.performing import Done
from parity.work.pool import Call, Crash, Pool, kept

posix = pytest.mark.skipif(os.name != "posix", reason="processes of Windows die of other causes")


def command(folder: Path, *layers: str, workers: int = 1) -> list[str]:
    """Check these layers of tiny_check."""
    file = folder / f"{'-'.join(['layers', *layers])}.py"
    shutil.copy(tiny_check.__file__, file)
    options = ["--examples", "3", "--dtype", "float32", "--workers", str(workers), "--results", str(folder / "results")]
    return [sys.executable, tiny_check.__file__, "check", str(file), *options]


def report(folder: Path) -> tuple[Summary, str, dict[str | None, str]]:
    """The summary, the report.md and the outcome of each case of the junit.xml of what is in `folder`."""
    summary = write_report([folder / "results"], folder / "report")
    cases = ElementTree.parse(folder / "report" / "junit.xml").findall(".//testcase")
    outcomes = {case.get("name"): next((part.tag for part in case), "passed") for case in cases}
    return summary, (folder / "report" / "report.md").read_text(), outcomes


@posix
def test_a_worker_that_dies_costs_its_pair_and_is_recorded_with_how_it_died(tmp_path: Path) -> None:
    done = subprocess.run(
        command(tmp_path, "Killed", "Exits", "Leaves", "Fine", workers=2),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 3, done.stderr
    assert "6 crashed and count as not shown" in done.stdout
    records = {record["pair"]: record for record in Results(tmp_path / "results").read("checks")}
    assert records["Fine"]["examples"] == 3
    messages = {pair: record["message"].splitlines()[0] for pair, record in records.items() if pair != "Fine"}
    assert messages == {
        "Killed": "its process died: signal 9 (Killed), as a system does that has no memory left",
        "Exits": "its process died: exit code 7",
        "Leaves": "SystemExit: no license",
    }
    assert {record["status"] for pair, record in records.items() if pair != "Fine"} == {"crashed"}
    summary, text, outcomes = report(tmp_path)
    assert (summary.status, summary.exit_code) == ("incomplete", 3)
    assert "6 crashed" in summary.headline
    (crashes,) = summary.document["reds"]
    assert crashes["kind"] == "crashes"
    assert len(crashes["found"]) == 6
    assert all(
        "held" not in rung for rung in text.splitlines() if rung.startswith("| 1 output") and "missing" not in rung
    )
    assert [rung["held"] for rung in summary.document["verdict"]["ladder"]] == [None] * 5
    assert outcomes["Fine/float32"] == "passed"
    assert [outcomes[f"{name}/float32"] for name in messages] == ["error"] * 3


def test_a_pair_that_cannot_be_drawn_has_failed_and_the_others_are_looked_at(tmp_path: Path) -> None:
    done = subprocess.run(command(tmp_path, "Undrawn", "Fine"), env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "drawing an example of Undrawn raised MemoryError: no room for the weights" in done.stdout
    records = {record["pair"]: record for record in Results(tmp_path / "results").read("checks")}
    assert (records["Fine"]["passed"], records["Undrawn"]["passed"]) == (True, False)
    assert records["Undrawn"]["failed_quantity"] == "crash"
    summary, _, outcomes = report(tmp_path)
    assert {red["kind"] for red in summary.document["reds"]} == {"crashes", "numbers"}
    assert outcomes["Undrawn/float32"] == "failure"


@posix
def test_a_check_killed_in_the_middle_is_incomplete_and_done_again_it_is_not(tmp_path: Path) -> None:
    process = subprocess.Popen(
        command(tmp_path, "Fine", "Sleeps", workers=2), env=ENVIRONMENT, stderr=subprocess.DEVNULL
    )
    while not written(tmp_path / "results", "checks"):
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    summary, text, outcomes = report(tmp_path)
    assert (summary.status, summary.exit_code) == ("incomplete", 3)
    (sentence,) = [each for each in summary.document["missing"] if "Sleeps/float32" in each]
    assert "was killed, or still runs" in sentence
    assert sentence in text
    assert outcomes["Fine/float32"] == "passed"
    assert outcomes["Sleeps/float32"] == "error"
    assert CliRunner().invoke(app, ["report", str(tmp_path / "results"), "--out", str(tmp_path)]).exit_code == 3
    file = next(tmp_path.glob("layers*.py"))
    file.write_text(file.read_text().replace("time.sleep(600)", "return Fine.forward(self, input)"))
    again = [sys.executable, tiny_check.__file__, "check", str(file), "--examples", "3", "--dtype", "float32"]
    subprocess.run([*again, "--results", str(tmp_path / "results")], env=ENVIRONMENT, check=True, capture_output=True)
    assert report(tmp_path)[0].document["missing"] == []


def test_a_disk_that_is_full_leaves_a_plan_that_the_report_misses(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    (tmp_path / "results").mkdir()

    def allow_16_kilobytes() -> None:  # room for what was planned and where, none for what came of it
        resource.setrlimit(resource.RLIMIT_FSIZE, (16_000, 16_000))

    (tmp_path / "results" / "checks.jsonl").write_text(
        json.dumps({"schema": 1, "key": "x", "status": "crashed", "message": "x" * 15_900}) + "\n"
    )
    stopped = subprocess.run(
        command(tmp_path, "Fine"), env=ENVIRONMENT, capture_output=True, text=True, preexec_fn=allow_16_kilobytes
    )
    assert stopped.returncode == 3
    assert "checks.jsonl" in " ".join(stopped.stderr.split())
    assert "Traceback" not in stopped.stderr
    summary, text, _ = report(tmp_path)
    assert (summary.status, summary.exit_code) == ("incomplete", 3)
    assert "Fine/float32" in text
    assert "was stopped by ResultsError: cannot write to" in text


@posix
def test_every_call_comes_back_whatever_becomes_of_the_workers() -> None:
    # Of Python's own, since a process imports where a function is from.
    calls = [Call(number, operator.mul, (2, number)) for number in range(20)]
    calls += [Call("exit", os._exit, (3,)), Call("raised", json.loads, ("no",)), Call("unsent", bool, (lambda: 0,))]
    calls += [Call("unreturned", open, (os.devnull,)), Call("last", operator.mul, (2, 21))]
    with Pool(2) as pool:
        found = {call.about: result for call, result in pool.run(calls)}
        assert [result for _, result in pool.run([Call(0, operator.mul, (2, 4))])] == [8]
    assert {number: found[number] for number in range(20)} == {number: 2 * number for number in range(20)}
    assert found["last"] == 42
    assert found["exit"] == Crash("exit code 3", died=True)
    assert found["raised"].message.startswith("JSONDecodeError: Expecting value: line 1 column 1 (char 0)\n  ")
    for name in ("unsent", "unreturned"):
        assert isinstance(found[name], Crash)
        assert not found[name].died


def test_a_pool_starts_no_more_processes_than_there_is_work_and_uses_each_again() -> None:
    with Pool(3) as pool:
        [(_, first)] = pool.run([Call(0, os.getpid)])
        [(_, second)] = pool.run([Call(1, os.getpid)])
    assert first == second != os.getpid()


def test_the_defects_are_shown_where_torch_is_not_installed_and_the_usual_way_cannot_be_tried(
    capsys: pytest.CaptureFixture[str],
) -> None:
    caught: Json = {"key": "a", "title": "writes its gradients over", "passed": True, "rung": 2, "examples": 3}
    crash = {"key": "b", "title": "dies", "status": "crashed", "message": "its process died: exit code 7"}
    print_defects([caught | {"baseline": None}, caught | {"baseline": {"by": None}}, crash])
    said = capsys.readouterr().out
    assert "The baseline was not tried: no framework that has one is installed" in said
    assert said.count("not caught") == 1
    assert "b crashed and was not looked at: its process died: exit code 7" in said


def test_what_is_not_measured_is_never_counted_as_stated(capsys: pytest.CaptureFixture[str]) -> None:
    """With torch alone every difference was "as stated"."""
    elsewhere: list[Json] = [{"key": f"{n}", "passed": None, "measured": False} for n in range(77)]
    tried: list[Json] = [{"key": "a", "passed": True}, {"key": "b", "passed": False}, {"key": "c", "passed": None}]
    done = Done({differences.KIND: elsewhere, refusals.KIND: tried})
    print_check(done)
    said = capsys.readouterr().out
    assert "differences: 0 of 77 measured, 77 not measurable here" in said
    assert "refusals: 1 of 2 as stated, 1 not measurable here\n  b" in said
    assert done.exit_code == 1
    assert Done({differences.KIND: elsewhere}).exit_code == 0


def test_a_process_is_replaced_after_as_many_calls_as_it_may_perform() -> None:
    with Pool(1, calls=3) as pool:
        processes = [found for _, found in pool.run(Call(number, os.getpid) for number in range(7))]
    assert [processes.count(process) for process in dict.fromkeys(processes)] == [3, 3, 1]


def test_what_is_kept_serves_the_next_pool_of_as_many_threads_unless_it_has_died(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in THREAD_VARIABLES:
        monkeypatch.setenv(name, "1")

    def process(**settings: bool) -> int:
        with Pool(1, **settings) as pool:
            [(_, found)] = pool.run([Call(0, os.getpid)])
        return int(found)

    with kept():
        first = process()
        assert process(single_threaded=True) == first
        monkeypatch.setenv(THREAD_VARIABLES[0], "2")
        assert process() != first
        monkeypatch.setenv(THREAD_VARIABLES[0], "1")
        os.kill(first, signal.SIGKILL)
        ended(first)
        second = process()
        assert second != first
    ended(second)
    assert process() != process()


def ended(process: int) -> None:
    """Wait for the end of a process."""
    for _ in range(200):
        if not any(child.pid == process and child.is_alive() for child in multiprocessing.active_children()):
            return
        time.sleep(0.01)
    raise AssertionError(f"process {process} has not ended")
