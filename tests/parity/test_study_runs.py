"""Runs in processes: killed, crashed or refused, each is on record exactly once."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future

import pytest

from parity.results import Results, ResultsError
from parity.study import ARMS, COUPLED, EXPERIMENTS, InProcess, study
from parity.study.arms import Arm
from parity.study.runs import Job, perform, performed

STUDY = """
import sys
from dataclasses import replace
from parity.experiment import trainer
from parity.results import Results
from parity.study import COUPLED, EXPERIMENTS, Registration, conduct

def on_numpynet(experiment, implementation, seed):
    return trainer(experiment, "numpynet", seed)

if __name__ == "__main__":
    registration = Registration("short", "digits", 12, 0.05, ("rerun",), {}, {}, (0.97, 0.98, 0.99))
    verdict = conduct(
        registration,
        replace(EXPERIMENTS["digits"], epochs=3),
        Results(sys.argv[1]),
        frameworks=["torch"],
        coupled=replace(COUPLED, make=on_numpynet),
        progress=lambda done, total: print(done, total, flush=True),
    )
    print(verdict.outcome.value)
"""
DIGITS = EXPERIMENTS["digits"]


def job(arm, seed=0):
    return Job("test", DIGITS, arm, "numpynet", seed)


def dying(experiment, implementation, seed):
    if seed == 1:
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    return COUPLED.make(experiment, implementation, seed)


def failing(experiment, implementation, seed):
    raise MemoryError("no room for the weights")


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not os.path.exists("/proc/self"), reason="looks for processes in /proc")
def test_a_study_killed_in_the_middle_resumes_with_no_run_lost_or_doubled_and_leaves_no_process(tmp_path):
    script = tmp_path / "short.py"
    script.write_text(STUDY)
    command = [sys.executable, str(script), str(tmp_path / "results")]
    for killed_after in (5, 12):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        while int(process.stdout.readline().split()[0]) < killed_after:
            pass
        children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout.split()
        process.kill()
        process.communicate()
        deadline = time.monotonic() + 30
        while any(map(alive, children)):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finished = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert int(finished[0].split()[0]) >= 12
    assert finished[-1] == "identical"
    lines = (tmp_path / "results" / "runs.jsonl").read_text().splitlines()
    keys = [json.loads(line)["key"] for line in lines]
    assert len(keys) == len(set(keys)) == 36


def test_a_process_that_dies_takes_no_other_run_with_it_and_its_run_is_recorded_as_crashed():
    arm = Arm("dying", "", dying)
    records = {job.seed: record for job, record in performed([job(arm, seed) for seed in range(4)])}
    assert {seed: record["status"] for seed, record in records.items()} == {0: "ok", 1: "crashed", 2: "ok", 3: "ok"}
    assert records[1]["accuracy"] is None
    assert "its process died" in records[1]["message"]


def test_an_error_within_a_run_is_recorded_with_its_message():
    record = perform(job(Arm("failing", "", failing)))
    assert record["status"] == "crashed"
    assert record["message"] == "MemoryError: no room for the weights"
    assert record.keys() == perform(job(COUPLED)).keys()


def test_the_result_of_a_run_does_not_depend_on_the_process():
    [(_, elsewhere)] = performed([job(COUPLED)])
    [(_, here)] = performed([job(COUPLED)], executor=InProcess())
    same = {"final_weights", "accuracy", "correct", "batch_order"}
    if os.environ.get("OMP_NUM_THREADS") != "1":
        same -= {"final_weights"}  # a matmul on two threads may round otherwise
    assert {name: here[name] for name in same} == {name: elsewhere[name] for name in same}


class Remote(InProcess):
    """An executor whose workers get lost, as a cluster's may."""

    def submit(self, fn, /, job):
        if job.seed != 1:
            return super().submit(fn, job)
        future = Future()
        future.set_exception(RuntimeError("the scheduler gave up on it"))
        return future


def test_any_executor_will_do_and_a_run_that_it_loses_is_recorded():
    records = {
        job.seed: record for job, record in performed([job(COUPLED, seed) for seed in range(3)], executor=Remote())
    }
    assert [records[seed]["status"] for seed in range(3)] == ["ok", "crashed", "ok"]
    assert records[1]["message"] == "RuntimeError: the scheduler gave up on it"


def test_every_arm_makes_its_trainer_from_the_seed_alone():
    hashes = {name: [perform(job(arm, 7))["initial_weights"] for _ in range(2)] for name, arm in ARMS.items()}
    assert all(first == second for first, second in hashes.values())
    assert hashes["rerun"] == hashes["frozen-layer"] != hashes["one-ulp"]


def test_a_second_study_in_the_same_folder_is_refused(tmp_path):
    fcntl = pytest.importorskip("fcntl")
    with open(tmp_path / "digits.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ResultsError, match="by another process"):
            study("digits", Results(tmp_path))
