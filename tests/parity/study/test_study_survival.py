"""Studies through the command line: killed, torn, out of room, in company; nothing is lost or doubled."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_study
from tiny_study import COMMAND, ENVIRONMENT, EPOCHS, RUNS, contents, written
from typer.testing import CliRunner, Result

from parity.cli import app
from parity.statistics import decide
from parity.study import InProcess

SCRIPT = [sys.executable, tiny_study.__file__]
KILLING = """
import json, os, random, signal, sys, time
from pathlib import Path
from parity.results.store import Results
from parity.study import InProcess
from parity.results.code import origin
import scipy.stats, statsmodels.stats.multitest, tiny_study

KILLS, folder, rng = 12, Path(sys.argv[1]), random.Random(0)


def begun(name):
    child = os.fork()
    if not child:
        tiny_study.study("tiny", Results(folder / name), executor=InProcess())
        os._exit(0)
    return child


tiny_study.EXPERIMENT.dataset, origin()  # once, as what a verdict imports: not in every child
started = time.perf_counter()
os.waitpid(begun("uninterrupted"), 0)
whole = time.perf_counter() - started
kills, killed = [], 0
while sum(kills) < KILLS or killed:
    child = begun(f"killed-{len(kills)}")
    if sum(kills) + killed < KILLS:
        time.sleep(rng.uniform(0, whole / 10))
        os.kill(child, signal.SIGKILL)
    if os.WIFSIGNALED(os.waitpid(child, 0)[1]):
        killed += 1
    else:
        kills, killed = [*kills, killed], 0
print(json.dumps(kills))
"""

Parity = Callable[..., Result]

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")


@pytest.fixture
def parity(monkeypatch: pytest.MonkeyPatch) -> Parity:
    """The command line, here, its runs one after another and of one epoch."""
    monkeypatch.setattr(tiny_study, "EXPERIMENT", replace(tiny_study.EXPERIMENT, epochs=1))
    monkeypatch.setattr("parity.frameworks.available", lambda: ["torch"])
    monkeypatch.setattr(
        "parity.study.study", lambda *args, **options: tiny_study.study(*args, **{**options, "executor": InProcess()})
    )
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))


@pytest.mark.parametrize(
    ("torch", "outcome", "code"),
    [
        ([900] * 8, "identical", 0),
        ([900, 901, 899, 900, 900, 901, 899, 900], "equivalent", 0),
        ([902, 901, 902, 901, 902, 901, 902, 902], "different but negligible", 0),
        ([950] * 8, "different (material)", 1),
        ([880, 920, 890, 910, 870, 930, 900, 900], "inconclusive", 2),
        ([900] * 7 + [None], "invalid", 3),
    ],
)
def test_the_exit_code_tells_the_verdict(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, torch: list[int | None], outcome: str, code: int
) -> None:
    accuracies: dict[str, list[float | None]] = {
        "numpynet": [0.9] * 8,
        "torch": [right and right / 1000 for right in torch],
    }
    verdict = decide(accuracies, n_test=1000, margin=0.005)
    monkeypatch.setattr("parity.study.study", lambda *args, **options: verdict)
    said = CliRunner().invoke(app, [*COMMAND, str(tmp_path)])
    assert verdict.outcome.value == outcome
    assert said.exit_code == code
    assert f"{outcome}: " in said.output


@needs_fork
@pytest.mark.filterwarnings("ignore:.* is torn and was skipped")
def test_killed_at_twelve_random_moments_a_study_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    """One process forks the studies, so that the moments fall into them and not into imports."""
    environment = {
        **ENVIRONMENT,
        EPOCHS: "1",
        "PYTHONPATH": os.pathsep.join([str(Path(tiny_study.__file__).parent), *sys.path]),
    }
    command = [sys.executable, "-c", KILLING, str(tmp_path)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    kills = json.loads(done.stdout)
    assert sum(kills) == 12
    expected = contents(tmp_path / "uninterrupted")
    assert len(expected[0]) == RUNS
    for study in range(len(kills)):
        folder = tmp_path / f"killed-{study}"
        assert contents(folder) == expected
        whole = [line for line in (folder / "runs.jsonl").read_bytes().splitlines() if line.endswith(b"}")]
        assert len(whole) == RUNS


def test_a_torn_last_line_is_said_and_its_run_alone_is_repeated(tmp_path: Path, parity: Parity) -> None:
    assert parity(*COMMAND, tmp_path).exit_code == 0
    before, file = written(tmp_path), tmp_path / "runs.jsonl"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.warns(UserWarning, match=f"line {RUNS} is torn and was skipped"):
        assert parity(*COMMAND, tmp_path).exit_code == 0
    lines = file.read_bytes().splitlines()
    assert [json.loads(line) for line in lines[: RUNS - 1]] == before[:-1]
    assert len(lines) == RUNS + 1
    assert json.loads(lines[-1])["key"] == before[-1]["key"]


def test_a_disk_that_fills_up_ends_the_study_which_resumes_where_there_is_room(tmp_path: Path, parity: Parity) -> None:
    resource = pytest.importorskip("resource")

    def allow_20_kilobytes() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    command = [*SCRIPT, *COMMAND, str(tmp_path), "--workers", "1"]
    stopped = subprocess.run(
        command, env={**ENVIRONMENT, EPOCHS: "1"}, capture_output=True, text=True, preexec_fn=allow_20_kilobytes
    )
    assert stopped.returncode == 3
    assert f"parity: cannot write to {tmp_path / 'runs.jsonl'}" in stopped.stderr
    assert "Earlier records are intact; make room" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    kept = written(tmp_path)
    assert 0 < len(kept) < RUNS
    assert parity(*COMMAND, tmp_path).exit_code == 0
    assert written(tmp_path)[: len(kept)] == kept
    assert len(written(tmp_path)) == len({run["key"] for run in written(tmp_path)}) == RUNS


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this platform")
def test_a_device_that_is_full_when_the_verdict_is_written_leaves_the_runs(tmp_path: Path, parity: Parity) -> None:
    (tmp_path / "studies.jsonl").symlink_to("/dev/full")
    stopped = parity(*COMMAND, tmp_path)
    assert stopped.exit_code == 3
    assert "studies.jsonl: No space left on device. Earlier records are intact" in " ".join(stopped.output.split())
    runs = written(tmp_path)
    (tmp_path / "studies.jsonl").unlink()
    assert parity(*COMMAND, tmp_path).exit_code == 0
    assert written(tmp_path) == runs
    assert len(written(tmp_path, "studies")) == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this platform")
def test_a_device_that_is_full_stops_other_commands_as_well(
    tmp_path: Path, parity: Parity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parity.frameworks.available", list)
    (tmp_path / "checks.jsonl").symlink_to("/dev/full")
    stopped = parity("check", "Flatten", "--examples", 1, "--dtype", "float32", "--results", tmp_path)
    assert stopped.exit_code == 3
    assert "checks.jsonl: No space left on device" in " ".join(stopped.output.split())


@pytest.mark.parametrize("file", ["runs.jsonl", "environment.json"])
def test_results_of_another_schema_version_are_left_alone(tmp_path: Path, parity: Parity, file: str) -> None:
    assert parity(*COMMAND, tmp_path).exit_code == 0
    path = tmp_path / file
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 2'))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    refused = parity(*COMMAND, tmp_path)
    assert refused.exit_code == 3
    assert f"{file} has schema version 2, this version of parity reads and writes 1" in refused.output
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_that_is_none_is_said(tmp_path: Path, parity: Parity) -> None:
    (tmp_path / "file").write_text("")
    refused = parity(*COMMAND, tmp_path / "file")
    assert refused.exit_code == 3
    assert "Not a directory" in refused.output
    assert str(tmp_path / "file" / "environment.json") in refused.output


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no SIGSTOP on this platform")
def test_a_second_process_is_refused_the_same_study_and_may_conduct_another(tmp_path: Path, parity: Parity) -> None:
    first = subprocess.Popen([*SCRIPT, *COMMAND, str(tmp_path), "--workers", "1"], env=ENVIRONMENT)
    while not (tmp_path / "runs.jsonl").exists():  # the lock's file is there before the lock is held, a run is not
        assert first.poll() is None
        time.sleep(0.001)
    first.send_signal(signal.SIGSTOP)
    refused = parity(*COMMAND, tmp_path)
    first.send_signal(signal.SIGCONT)
    assert refused.exit_code == 3
    assert "is being conducted in" in refused.output
    assert "by another process: wait for it" in refused.output
    assert parity("study", "other", "--results", tmp_path).exit_code == 0
    assert first.wait() == 0
    keys = [run["key"] for run in written(tmp_path)]
    assert len(keys) == len(set(keys)) == 2 * RUNS
    assert {study["key"] for study in written(tmp_path, "studies")} == {"tiny", "other"}
