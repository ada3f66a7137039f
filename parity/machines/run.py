"""Runs each job of JOBS on every machine, in a process of its own whose switches were verified.

A job that was done with the same code, packages, switches and options is not done again, whatever it showed; one that
died is. The records of a job are in a results folder of its machine, to be reported like any other.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from typing import Any

from parity.items import checks, curves, derivatives, differences, modes, refusals, specials, twins
from parity.machines.machine import MACHINES, Machine
from parity.machines.probe import Found, not_taken, probe
from parity.machines.process import call_on
from parity.results.code import whole
from parity.results.packages import lock
from parity.results.records import Json
from parity.results.records.soaks import MachineRecord
from parity.results.store import Results
from parity.work.performing import Progress, crashed

KIND = MachineRecord.KIND
# Another processor's rounding shows in every example alike: what ten examples miss, the main job and the soak look for.
EXAMPLES = 10
# Of CI's two machines, which must be through within two minutes on a core.
QUICK_EXAMPLES = 2
SECONDS = 3600  # a job that takes this long hangs: the longest took 4 minutes on an idle core
GREEN, RED, DIED, NOT_HERE = "green", "red", "could not be run", "cannot be emulated here"
# The kinds of records that each job makes.
JOBS = {
    "check": (checks.KIND, derivatives.KIND, refusals.KIND, specials.KIND, differences.KIND),
    "modes": (modes.KIND,),
    "curves": (curves.KIND,),
    "twins": (twins.KIND,),
}


@dataclass
class Outcome:
    """The outcome of one job on one machine.

    job: one of JOBS; "probe" where the machine did not come so far
    asked, found: the switches, and what the libraries say that they run with
    bits: a digest of what each library computed; machines with equal digests are one machine to it
    counts: by kind, the numbers of records that are as they should be, that are off, and that were not compared
    alarms: the number of the baseline's alarms on undamaged twins
    off: the keys of the records that are off, each with its kind
    """

    machine: str
    describes: str
    job: str
    status: str
    message: str = ""
    asked: dict[str, str] = field(default_factory=dict)
    found: dict[str, str] = field(default_factory=dict)
    bits: dict[str, str] = field(default_factory=dict)
    counts: dict[str, list[int]] = field(default_factory=dict)
    alarms: int = 0
    off: list[str] = field(default_factory=list)
    seconds: float = 0.0
    origin: str = ""

    @property
    def key(self) -> str:
        return f"{self.machine}/{self.job}"

    @property
    def passed(self) -> bool | None:
        return {GREEN: True, RED: False}.get(self.status)


def run_machines(
    store: Results,
    machines: Sequence[Machine],
    *,
    quick: bool = False,
    workers: int = 1,
    progress: Progress = lambda done, total: None,
) -> list[Outcome]:
    """The outcomes of every job on every machine, recorded as each is done; those recorded already are read.

    `quick` is for CI: fewer examples, the curves of digits alone. `workers` machines run side by side.
    """
    outcomes: list[Outcome] = []
    total = len(machines) * len(JOBS)
    progress(0, total)
    with ThreadPoolExecutor(workers) as pool:
        pending = [pool.submit(_on, store, machine, quick) for machine in machines]
        for future in as_completed(pending):
            outcomes += future.result()
            progress(sum(outcome.job != "probe" for outcome in outcomes), total)
    order = [machine.name for machine in machines]
    return sorted(outcomes, key=lambda outcome: order.index(outcome.machine))


def most_different(count: int = 2) -> list[Machine]:
    """The machines for CI: the `count` that can be emulated here and whose switches differ most.

    They differ most from what this processor would choose, and then from each other.
    """
    others = [machine for machine in MACHINES if machine.switches and not machine.missing]
    if not others:
        return []
    own = max(others, key=lambda machine: len(machine.needs))  # what needs most is what the processor chooses
    chosen = [own]
    while len(chosen) <= count and len(chosen) < len(others):
        rest = [machine for machine in others if machine not in chosen]
        chosen.append(max(rest, key=lambda machine: min(_apart(machine, other) for other in chosen)))
    return chosen[1:]


def exit_code(outcomes: Iterable[Outcome]) -> int:
    """The exit code: 1 if anything is off, else 3 if something died or nothing was run, else 0.

    What cannot be emulated here is neither off nor dead.
    """
    found = {outcome.status for outcome in outcomes}
    return 1 if RED in found else 3 if DIED in found or not found & {GREEN, RED} else 0


def _apart(one: Machine, other: Machine) -> int:
    names = one.environment.keys() | other.environment.keys()
    return sum(one.environment.get(name) != other.environment.get(name) for name in names)


def _on(store: Results, machine: Machine, quick: bool) -> list[Outcome]:
    about: dict[str, Any] = {"machine": machine.name, "describes": machine.describes, "asked": machine.environment}
    if machine.missing:
        lacking = f"no {', '.join(sorted(machine.missing))}"
        return [_kept(store, Outcome(**about, job="probe", status=NOT_HERE, message=lacking))]
    try:
        found = probe(machine)
    except RuntimeError as error:
        return [_kept(store, Outcome(**about, job="probe", status=DIED, message=str(error)))]
    done = {record["key"]: record for record in store.read(KIND)}
    outcomes = []
    for job in JOBS:
        origin = _origin(machine, quick)
        record = done.get(f"{machine.name}/{job}", {})
        if record.get("origin") == origin and record["status"] != DIED:
            # Kept once more: a record answers the plan that it was appended under.
            outcomes.append(_kept(store, Outcome(**{name: record[name] for name in Outcome.__dataclass_fields__})))
        else:
            outcomes.append(_kept(store, _job(store, machine, job, quick, found, origin)))
    return outcomes


def _job(store: Results, machine: Machine, job: str, quick: bool, found: Found, origin: str) -> Outcome:
    folder = store.folder / KIND / machine.name
    for kind in JOBS[job]:  # what an earlier run left behind would be counted as this one's
        (folder / f"{kind}.jsonl").unlink(missing_ok=True)
    started = time.perf_counter()
    try:
        arguments = [*_arguments(job, quick), "--results", str(folder)]
        done = call_on(machine, "parity.cli:app", arguments, timeout=SECONDS)
        code, said = done.returncode, done.stderr.strip()[-500:] or done.stdout.strip()[-500:]
    except subprocess.TimeoutExpired:
        code, said = 3, f"not done after {SECONDS} s"
    outcome = Outcome(
        machine=machine.name,
        describes=machine.describes,
        job=job,
        status=GREEN,
        message="; ".join(not_taken(machine, found)),
        asked=machine.environment,
        found=found.switches,
        bits=found.bits,
        seconds=time.perf_counter() - started,
        origin=origin,
    )
    count(outcome, Results(folder))
    if code not in (0, 1) or not all(outcome.counts.values()):
        outcome.status, outcome.message = DIED, f"exit code {code}: {said}"
    elif code or outcome.off:
        outcome.status = RED
    return outcome


def count(outcome: Outcome, results: Results) -> None:
    """Fill in what the records of the outcome's job say; a kind without any record stays empty."""
    for kind in JOBS[outcome.job]:
        records = results.read(kind)
        marks = [_mark(record) for record in records]
        outcome.counts[kind] = [marks.count(True), marks.count(False), marks.count(None)] if records else []
        outcome.off += [f"{kind} {record['key']}" for record, mark in zip(records, marks, strict=True) if mark is False]
        outcome.alarms += sum(bool((record.get("baseline") or {}).get("caught")) for record in records)


def _mark(record: Json) -> bool | None:
    """Tells whether a record is as it should be, which that of a crash is not; None where nothing was measured."""
    if crashed(record):
        return False
    passed: bool | None = record["passed"]
    return passed if record.get("measured", True) else None


def _arguments(job: str, quick: bool) -> list[str]:
    examples = str(QUICK_EXAMPLES if quick else EXAMPLES)
    return {
        "check": ["check", "--examples", examples],
        "modes": ["modes"],
        "curves": ["curves", *(["--quick"] if quick else [])],
        "twins": ["twins", "--examples", examples],
    }[job]


def _kept(store: Results, outcome: Outcome) -> Outcome:
    store.append(KIND, outcome.key, asdict(outcome) | {"passed": outcome.passed})
    return outcome


def _origin(machine: Machine, quick: bool) -> str:
    """The SHA-256 (hex) of all that an outcome depends on: code, packages, switches and how much is done."""
    parts = [whole(), lock(), machine.environment, quick]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
