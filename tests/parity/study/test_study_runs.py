"""Runs in processes: killed, crashed or refused, each is on record exactly once."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import pytest
import tiny_study
from tiny_study import COMMAND, ENVIRONMENT, RUNS, dying, written

from parity.results.records import Json
from parity.results.store import Results, ResultsError
from parity.statistics import Outcome
from parity.study import ARMS, COUPLED, InProcess, study
from parity.study.arms import Arm
from parity.study.runs import Job, perform, performed
from parity.training.experiment import Experiment
from parity.training.studies import STUDIES

T = TypeVar("T")
DIGITS = STUDIES["digits"]


def job(arm: Arm, seed: int = 0) -> Job:
    return Job("test", DIGITS, arm, "numpynet", seed)


def alive(pid: str) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not os.path.exists("/proc/self"), reason="looks for processes in /proc")
def test_a_study_killed_in_the_middle_resumes_with_no_run_lost_or_doubled_and_leaves_no_process(tmp_path: Path) -> None:
    command = [sys.executable, tiny_study.__file__, *COMMAND, str(tmp_path)]
    process = subprocess.Popen(command, env=ENVIRONMENT)
    while len(written(tmp_path)) < 8:
        assert process.poll() is None
        time.sleep(0.01)
    children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout.split()
    process.kill()
    process.wait()
    assert len(written(tmp_path)) < RUNS
    deadline = time.monotonic() + 30
    while any(map(alive, children)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert tiny_study.study("tiny", Results(tmp_path), executor=InProcess()).outcome is Outcome.IDENTICAL
    keys = [run["key"] for run in written(tmp_path)]
    assert len(keys) == len(set(keys)) == RUNS


@pytest.mark.skipif(sys.platform == "win32", reason="processes of Windows die of other causes")
def test_a_process_that_dies_takes_no_other_run_with_it_and_its_run_is_recorded_with_how_it_ended() -> None:
    arm = Arm("dying", "", dying)
    records = {job.seed: record for job, record in performed([job(arm, seed) for seed in (4, 0, 1, 5, 2, 3, 6)])}
    crashed = {seed: record["message"] for seed, record in records.items() if record["status"] == "crashed"}
    assert {seed for seed, record in records.items() if record["status"] == "ok"} == {4, 5, 6}
    died = "its process died, and again alone: "
    assert crashed.pop(0) == died + f"signal {signal.SIGKILL} (Killed), as a system does that has no memory left"
    assert crashed.pop(1) == died + f"signal {signal.SIGSEGV} (Segmentation fault)"
    assert crashed.pop(2) == died + "exit code 7"
    assert re.match("_?.*MemoryError: Unable to allocate 8.00 GiB", crashed.pop(3))
    assert not crashed


@pytest.mark.parametrize("problem", [MemoryError("no room for the weights"), SystemExit("no license")])
def test_an_error_within_a_run_is_recorded_with_its_message(problem: BaseException) -> None:
    def failing(experiment: Experiment, implementation: str, seed: int) -> NoReturn:
        raise problem

    record = perform(job(Arm("failing", "", failing)))
    assert record["status"] == "crashed"
    assert record["message"] == f"{type(problem).__name__}: {problem}"
    assert record.keys() == perform(job(COUPLED)).keys()


def test_the_result_of_a_run_does_not_depend_on_the_process() -> None:
    [(_, elsewhere)] = performed([job(COUPLED)])
    [(_, here)] = performed([job(COUPLED)], executor=InProcess())
    same = {"final_weights", "accuracy", "correct", "batch_order"}
    if os.environ.get("OMP_NUM_THREADS") != "1":
        same -= {"final_weights"}  # a matmul on two threads may round otherwise
    assert {name: here[name] for name in same} == {name: elsewhere[name] for name in same}


class Remote(InProcess):
    """An executor whose workers get lost, as a cluster's may, with the runs of these seeds."""

    def __init__(self, lost: list[int]) -> None:
        self.lost = lost

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        (job,) = args
        if job.seed not in self.lost:
            return super().submit(fn, job)
        self.lost.remove(job.seed)
        future: Future[T] = Future()
        future.set_exception(RuntimeError("the scheduler gave up on it"))
        return future


def on(executor: Executor) -> dict[int, Json]:
    return {job.seed: record for job, record in performed([job(COUPLED, seed) for seed in range(3)], executor=executor)}


def test_any_executor_will_do_and_a_run_that_it_loses_twice_is_recorded() -> None:
    records = on(Remote(lost=[1, 1]))
    assert [records[seed]["status"] for seed in range(3)] == ["ok", "crashed", "ok"]
    assert records[1]["message"] == "RuntimeError: the scheduler gave up on it"


def test_a_run_that_is_lost_with_anothers_worker_is_performed_in_the_end() -> None:
    assert [record["status"] for record in on(Remote(lost=[0])).values()] == ["ok"] * 3


@pytest.mark.parametrize("problem", [BrokenExecutor("gone"), CancelledError()])
def test_an_executor_that_breaks_down_is_no_run_that_crashed(problem: Exception) -> None:
    class Broken(InProcess):
        def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
            future: Future[T] = Future()
            future.set_exception(problem)
            return future

    with pytest.raises(BrokenExecutor):
        on(Broken())


def test_what_ends_is_yielded_before_another_is_given_out() -> None:
    """A study that is killed has stored what had ended; a cluster is not given more than AT_ONCE runs."""
    begun: list[int] = []

    class Counting(InProcess):
        def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
            begun.append(args[0].seed)
            return super().submit(fn, *args)

    jobs = [job(COUPLED, seed) for seed in range(3)]
    assert [(each.seed, len(begun)) for each, _ in performed(jobs, executor=Counting())] == [(0, 1), (1, 2), (2, 3)]


def test_no_more_runs_are_under_way_than_a_cluster_is_given_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parity.study.runs.AT_ONCE", 2)
    under_way: list[Future[Any]] = []
    most = 0

    class Slow(Executor):
        def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
            nonlocal most
            future: Future[T] = Future()
            under_way.append(future)
            most = max(most, len(under_way))
            if len(under_way) == 2 or args[0].seed == 4:
                for each in (under_way.pop(), *under_way):
                    each.set_result({})
                under_way.clear()
            return future

    found = [each.seed for each, _ in performed([job(COUPLED, seed) for seed in range(5)], executor=Slow())]
    assert sorted(found) == list(range(5))
    assert most == 2


def test_seeds_of_the_disjoint_arm_are_further_apart_than_any_study_is_long_and_stay_what_they_were() -> None:
    """A study that was begun goes on from the same ones."""
    names = ("numpynet", "torch", "tensorflow")
    assert [ARMS["disjoint"].seed(name, 7) for name in names] == [7, 10_007, 20_007]
    assert [COUPLED.seed(name, 7) for name in names] == [7, 7, 7]


def test_every_arm_makes_its_trainer_from_the_seed_alone() -> None:
    hashes = {name: [perform(job(arm, 7))["initial_weights"] for _ in range(2)] for name, arm in ARMS.items()}
    assert all(first == second for first, second in hashes.values())
    assert hashes["rerun"] == hashes["frozen-layer"] != hashes["one-ulp"]


def test_a_second_study_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    with open(tmp_path / "digits.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ResultsError, match="by another process"):
            study("digits", Results(tmp_path))
