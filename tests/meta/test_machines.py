"""Machines are emulated by switches that took, or said not to be; what came out is counted, never green by default."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from made_up_records import bare

from parity.machines import MACHINES, Machine, find
from parity.machines import run as running
from parity.machines.machine import _switches, environment_of
from parity.machines.probe import Found, not_taken, probe
from parity.machines.process import call_on
from parity.machines.run import DIED, GREEN, JOBS, NOT_HERE, RED, Outcome, exit_code, most_different, run_machines
from parity.machines.table import remarks, table
from parity.results.records import Json
from parity.results.records.ladder import passes
from parity.results.store import Results

NEHALEM = next(machine for machine in MACHINES if machine.name == "nehalem-eigen")
RIGHT: dict[str, Json] = {
    "checks": bare("checks", key="ReLU/float32"),
    "derivatives": bare("derivatives", key="ReLU"),
    "refusals": bare("refusals", key="ReLU/empty"),
    "specials": bare("specials", key="ReLU/NaN"),
    "differences": bare("differences", key="selu-kink", passed=None, measured=False),
    "modes": bare("modes", key="million/float32/torch/functions/compile", status="finding"),
    "curves": bare("curves", key="plain/float32"),
    "twins": bare("twins", key="Graph", baseline={"caught": True, "by": "parameters"}),
}


def test_ten_machines_at_least_differ_in_their_switches() -> None:
    environments = [json.dumps(machine.environment, sort_keys=True) for machine in MACHINES]
    assert len(set(environments)) == len(MACHINES) >= 10
    assert len({machine.name for machine in MACHINES}) == len(MACHINES)
    assert {machine.threads for machine in MACHINES} == {1, 2}
    for switch in _switches("", "", "", "", ""):
        assert len({machine.switches.get(switch) for machine in MACHINES}) > 1


def test_a_machine_has_its_own_switches_and_none_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "SkylakeX")
    monkeypatch.setenv("ELSEWHERE", "stays")
    assert environment_of(NEHALEM)["OPENBLAS_CORETYPE"] == "Nehalem"
    assert environment_of(NEHALEM)["ELSEWHERE"] == "stays"
    assert "OPENBLAS_CORETYPE" not in environment_of(find(["here"])[0])


def test_an_unknown_machine_is_named() -> None:
    with pytest.raises(LookupError, match="no machine called 'vax'; there are: here"):
        find(["vax"])


@pytest.mark.skipif(bool(NEHALEM.missing), reason="not an x86-64 processor")
def test_the_libraries_say_that_they_run_another_machine_and_compute_other_bits() -> None:
    there = probe(NEHALEM)
    assert [line for line in not_taken(NEHALEM, there) if not line.startswith("MKL_CBWR")] == []  # MKL: Intel only
    assert there.switches["OPENBLAS_CORETYPE"] == "Nehalem"
    alone = "from parity.machines import probe; probe.available = list; probe.ask()"  # NumPy, which imports in no time
    here = call_on(find(["here"])[0], "builtins:exec", alone).stdout.rpartition("answer ")[2]
    assert json.loads(here)["bits"].keys() == {"numpy"}
    assert json.loads(here)["bits"]["numpy"] != there.bits["numpy"]


def test_a_switch_that_did_not_take_is_named() -> None:
    machine = Machine("x", "", {"OPENBLAS_CORETYPE": "Zen", "ATEN_CPU_CAPABILITY": "avx2"})
    assert not_taken(machine, Found({"OPENBLAS_CORETYPE": "Haswell", "ATEN_CPU_CAPABILITY": "AVX2"}, {})) == []
    (line,) = not_taken(machine, Found({"OPENBLAS_CORETYPE": "Nehalem"}, {}))
    assert line == "OPENBLAS_CORETYPE=Zen was asked for, Nehalem is what the library says"


def test_the_two_of_ci_can_be_emulated_and_differ_in_most_switches() -> None:
    chosen = most_different()
    assert len(chosen) == 2
    assert not any(machine.missing for machine in chosen)
    assert running._apart(*chosen) >= 5


def test_a_process_on_a_machine_ends_with_the_one_that_waits_for_it(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    child = f"import os, time; open({str(told)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    script = f"""
from parity.machines import find
from parity.machines.process import call_on
call_on(find(["here"])[0], "builtins:exec", {child!r})
"""
    waiting = subprocess.Popen([sys.executable, "-c", script])
    eventually(lambda: told.exists() and told.read_text())
    os.kill(waiting.pid, signal.SIGKILL)
    waiting.wait()
    eventually(lambda: not _runs(int(told.read_text())))


def eventually(happened: Callable[[], object]) -> None:
    until = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Pretended:
    """Runs no process: its jobs leave `records` and end with `code`; the calls are kept."""

    def __init__(self) -> None:
        self.records, self.code = RIGHT, 0
        self.calls: list[str] = []

    def call(
        self, machine: Machine, function: str, command: list[str], **options: object
    ) -> subprocess.CompletedProcess[str]:
        self.calls.append(command[0])
        results = Results(command[command.index("--results") + 1])
        for kind in JOBS[command[0]]:
            if kind in self.records:
                results.append(kind, self.records[kind]["key"], self.records[kind])
        return subprocess.CompletedProcess(command, self.code, "", "it says why")


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> Pretended:
    pretended = Pretended()
    monkeypatch.setattr(running, "call_on", pretended.call)
    monkeypatch.setattr(running, "probe", lambda machine: Found({}, {}))
    return pretended


HERE = MACHINES[0]


def test_what_is_as_it_should_be_is_green_and_the_alarm_of_the_baseline_is_counted(
    tmp_path: Path, pretended: Pretended
) -> None:
    outcomes = run_machines(Results(tmp_path), [HERE])
    assert {outcome.job: outcome.status for outcome in outcomes} == dict.fromkeys(JOBS, GREEN)
    assert [outcome.alarms for outcome in outcomes] == [0, 0, 0, 1]
    assert outcomes[0].counts["differences"] == [0, 0, 1]
    assert exit_code(outcomes) == 0
    assert not remarks(outcomes)
    assert table(outcomes).row_count == 1


def test_one_record_that_is_off_makes_its_job_red(tmp_path: Path, pretended: Pretended) -> None:
    pretended.records = RIGHT | {"refusals": bare("refusals", key="MaxPool2d/window", passed=False)}
    outcomes = run_machines(Results(tmp_path), [HERE])
    assert {outcome.job: outcome.status for outcome in outcomes} == dict.fromkeys(JOBS, GREEN) | {"check": RED}
    assert remarks(outcomes) == ["here/check: refusals MaxPool2d/window"]
    assert exit_code(outcomes) == 1


@pytest.mark.parametrize(
    ("status", "counts"),
    [("agrees", [1, 0, 0]), ("finding", [1, 0, 0]), ("off", [0, 1, 0]), ("crashed", [0, 1, 0]), ("not run", [0, 0, 1])],
)
def test_a_way_of_writing_a_model_counts_as_what_came_out_of_it(
    status: str, counts: list[int], tmp_path: Path, pretended: Pretended
) -> None:
    mode = bare("modes", key="plain/float32/torch/module/compile", status=status, passed=passes(status))
    pretended.records = RIGHT | {"modes": mode}
    outcomes = {outcome.job: outcome for outcome in run_machines(Results(tmp_path), [HERE])}
    assert outcomes["modes"].counts == {"modes": counts}
    assert outcomes["modes"].status == (RED if counts[1] else GREEN)


@pytest.mark.parametrize(("change", "code"), [({"curves": None}, 0), ({}, -11), ({}, 3)])
def test_no_records_or_a_process_that_died_is_never_green(
    change: dict[str, Json | None], code: int, tmp_path: Path, pretended: Pretended
) -> None:
    pretended.records = {kind: record for kind, record in (RIGHT | change).items() if record}
    pretended.code = code
    outcomes = {outcome.job: outcome for outcome in run_machines(Results(tmp_path), [HERE])}
    assert outcomes["curves"].status == DIED
    assert outcomes["curves"].message == f"exit code {code}: it says why"
    assert exit_code(outcomes.values()) == 3


def test_what_was_done_is_not_done_again_but_what_died_is(tmp_path: Path, pretended: Pretended) -> None:
    run_machines(Results(tmp_path), [HERE])
    pretended.calls.clear()
    again = run_machines(Results(tmp_path), [HERE])
    assert not pretended.calls
    assert exit_code(again) == 0
    run_machines(Results(tmp_path), [HERE], quick=True)
    assert pretended.calls == list(JOBS)
    pretended.code = -9
    run_machines(Results(tmp_path / "other"), [HERE])
    pretended.calls.clear()
    run_machines(Results(tmp_path / "other"), [HERE])
    assert pretended.calls == list(JOBS)


def test_what_could_not_be_measured_is_counted_as_neither_right_nor_wrong(tmp_path: Path, pretended: Pretended) -> None:
    pretended.records = RIGHT | {"derivatives": bare("derivatives", key="Own", passed=False, measured=False)}
    outcome, *_ = run_machines(Results(tmp_path), [HERE])
    assert outcome.counts["derivatives"] == [0, 0, 1]


def test_a_machine_that_cannot_be_emulated_is_no_green_one(tmp_path: Path, pretended: Pretended) -> None:
    future = Machine("future", "AVX-2048", {}, frozenset({"avx2048"}))
    (outcome,) = run_machines(Results(tmp_path), [future])
    assert (outcome.status, outcome.message) == (NOT_HERE, "no avx2048")
    assert not pretended.calls
    assert exit_code([outcome]) == 3
    assert exit_code([outcome, Outcome("here", "", "check", GREEN)]) == 0
    (record,) = Results(tmp_path).read("machines")
    assert record["status"] == NOT_HERE
