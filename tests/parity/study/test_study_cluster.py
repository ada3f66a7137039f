"""Runs on a Dask cluster of processes on this machine: killed workers and a lost scheduler cost no run."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_study
from tiny_study import COMMAND, ENVIRONMENT, RUNS, written

from parity.results.store import Results
from parity.study import ClusterError, InProcess, cluster

pytest.importorskip("distributed", reason="Dask (the package distributed) is not installed")


STUDY = [sys.executable, tiny_study.__file__, *COMMAND]
Process = subprocess.Popen[bytes]


Dask = tuple[str, Process, list[Process]]


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dask]:
    """Address, scheduler and two workers; none of which is started again when it dies."""
    file = tmp_path_factory.mktemp("dask") / "scheduler.json"
    started: list[Process] = []

    def start(program: str, *options: str) -> Process:
        command = [sys.executable, "-m", "dask", program, *options, "--no-dashboard", "--scheduler-file", str(file)]
        started.append(subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.DEVNULL))
        return started[-1]

    try:
        scheduler = start("scheduler", "--host", "127.0.0.1", "--port", "0")
        found = [start("worker", "--nthreads", "1", "--no-nanny") for _ in range(2)]
        from distributed import Client

        with Client(scheduler_file=str(file), timeout=60, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
            address = client.scheduler.address
        yield address, scheduler, found
    finally:
        for process in started:
            process.kill()
            process.wait()


def begun(folder: Path, address: str) -> subprocess.Popen[str]:
    """A study on the cluster, in the middle."""
    process = subprocess.Popen(
        [*STUDY, str(folder), "--dask", address],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while len(written(folder)) < 5:
        assert process.poll() is None
        time.sleep(0.01)
    return process


def finished_here(folder: Path) -> Path:
    tiny_study.study("tiny", Results(folder), executor=InProcess())
    return folder


def accuracies(folder: Path) -> dict[str, float]:
    return {run["key"]: run["accuracy"] for run in written(folder)}


def test_a_study_outlives_a_worker_and_has_every_run_exactly_once(tmp_path: Path, dask: Dask) -> None:
    address, _, workers = dask
    study = begun(tmp_path / "results", address)
    workers[0].kill()
    assert len(written(tmp_path / "results")) < RUNS
    said, _ = study.communicate()
    assert workers[1].poll() is None
    assert study.returncode == 0
    assert said.startswith("identical")
    keys = [run["key"] for run in written(tmp_path / "results")]
    assert len(keys) == len(set(keys)) == RUNS
    assert {run["status"] for run in written(tmp_path / "results")} == {"ok"}
    assert accuracies(tmp_path / "results") == accuracies(finished_here(tmp_path / "here"))


def test_a_study_whose_scheduler_is_lost_says_so_and_resumes_elsewhere(tmp_path: Path, dask: Dask) -> None:
    """Last of those with the cluster, of which one worker is left."""
    address, scheduler, _ = dask
    study = begun(tmp_path / "results", address)
    scheduler.kill()
    _, complaint = study.communicate()
    assert study.returncode == 3
    assert f"the Dask scheduler at {address} was lost: run again to resume" in complaint
    assert "Traceback" not in complaint
    kept = written(tmp_path / "results")
    assert 0 < len(kept) < RUNS
    assert written(finished_here(tmp_path / "results"))[: len(kept)] == kept
    assert len(written(tmp_path / "results")) == RUNS


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nowhere"])
def test_an_address_without_a_scheduler_is_said(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parity.study.dask.PATIENCE", 0.2)
    with pytest.raises(ClusterError, match=f"no Dask scheduler at '{address}'"), cluster(address):
        pass
