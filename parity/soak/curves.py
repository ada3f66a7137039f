"""The soak of rung 4, which counts how often it would call a right implementation wrong.

Curves are trained over fresh seeds, networks, dtypes and machines, each in full, with more moved runs than curves are
judged by. What is kept is the factor that a curve needs, for every number of moved runs: the least one with which its
deviations stay within the allowance. From these `parity.soak.budget` derives the number of moved runs and the factor.
The deviations themselves, step by step, are kept beside the records, so that another envelope can be tried on them
without training anything again.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path

import numpy as np

from numpynet import Array
from parity.formats import DTYPES
from parity.machines.machine import Machine, find
from parity.machines.process import call_on
from parity.results.code import digest
from parity.results.code import origin as code
from parity.results.evidence import kept
from parity.results.records import Json
from parity.results.records.soaks import CurveSoakRecord
from parity.results.store import Results, number_of
from parity.soak.carrying import Soaked
from parity.training import recipes
from parity.training.curves import (
    FACTOR,
    MOVED_RUNS,
    SEEDS,
    Trainings,
    compare_curves,
    envelope,
    steps_before_chaos,
    train_all,
    unit,
)
from parity.training.recipes import CURVES

KIND = CurveSoakRecord.KIND
SELDOM = {"digits-images": 5}  # costs six times as much as the others: one of so many seeds trains it (on any machine)
MOVED = 8  # twice what was judged by before: what more would bring shows in how the factor falls until here

FAR = 1_000_000  # between the seeds of one curve's repetitions, beyond all seeds of a soak

REPLAYED = 2  # curves of each network and dtype that are trained again: the losses of both codes are equal to the bit

Progress = Callable[[int, int], object]
Work = tuple[Machine, int, list[tuple[str, str]]]  # a machine, a seed and the names and dtypes of its curves


def factors(reference: Array, moved: Array, found: Array, dtype: str) -> list[float]:
    """The least factor that allows the losses `found`, for each number of moved runs from 1 to all of them."""
    padded = np.full(len(reference), np.nan)
    padded[: len(found)] = found
    off = np.nan_to_num(np.abs(padded - reference), nan=np.inf)
    needed = []
    for count in range(1, len(moved) + 1):
        wide = envelope(reference, moved[:count])
        until = steps_before_chaos(reference, wide)
        needed.append(float((off / (wide + unit(reference, dtype)))[:until].max(initial=0)))
    return needed


def observe(name: str, dtype: str, seed: int, frameworks: Sequence[str]) -> tuple[Json, dict[str, Array]]:
    """Train one curve; returns fields of its record, and the deviations to be kept beside it.

    These are of the moved runs and of what was found, step by step.
    """
    experiment = replace(next(e for e in CURVES if e.name == name), dtype=dtype)
    started = time.perf_counter()
    trained = train_all(experiment, frameworks, seed=seed, moved=MOVED)
    needed: dict[str, list[float]] = {}
    kept: dict[str, Array] = {}
    for part in ("step_losses", "validation_losses"):
        reference, moved, found = series(trained, part)
        for implementation, losses in found.items():
            here = factors(reference, moved, losses, dtype)
            needed[implementation] = list(map(max, needed.get(implementation, here), here))
            kept[f"{part} {implementation}"] = losses - reference[: len(losses)]
        kept |= {f"{part} reference": reference, f"{part} moved": moved - reference}
    wide = envelope(*series(trained, "step_losses")[:2])
    record = {
        "seed": seed,
        "name": name,
        "dtype": dtype,
        "steps": len(wide),
        "compared": steps_before_chaos(np.array(trained.reference.step_losses), wide),
        "factors": needed,
        "seconds": time.perf_counter() - started,
    }
    return record, kept


def series(trained: Trainings, part: str) -> tuple[Array, Array, dict[str, Array]]:
    """The losses of the reference (steps,), of the moved runs (runs, steps), and of each implementation."""
    found = {name: np.array(getattr(history, part)) for name, history in trained.found.items()}
    return np.array(getattr(trained.reference, part)), np.array([getattr(m, part) for m in trained.moved]), found


def soak_seed(
    folder: str, machine: str, seed: int, frameworks: Sequence[str], networks: Sequence[Sequence[str]]
) -> None:
    """Train the curves of one seed with these names and dtypes, in the process of its machine.

    What this code has trained already is not repeated.
    """
    results = Results(folder)
    done = trained(results).ours
    beside = results.folder / "deviations"
    beside.mkdir(parents=True, exist_ok=True)
    for name, dtype in networks:
        key = name_of(machine, seed, name, dtype)
        if key not in done:
            record, kept = observe(name, dtype, seed, frameworks)
            np.savez_compressed(beside / key.replace("/", "_"), **kept)  # type: ignore[arg-type]  # of allow_pickle
            alarm = strayed(record) and _again(name, dtype, seed, frameworks)
            told = CurveSoakRecord(
                key=f"{key}/{origin()['code'][:8]}",  # what other code made of it stays beside that
                network=name,
                passed=not alarm,
                alarms=int(alarm),
                largest=needed(record, MOVED_RUNS) / FACTOR,
                machine=machine,
                origin=origin(),
                **record,
            )
            results.append(KIND, told.key, told)


def name_of(machine: str, seed: int, name: str, dtype: str) -> str:
    """The name of a curve: its machine, its seed, and its network with the dtype, whatever code trained it."""
    return f"{machine}/{seed}/{name}/{dtype}"


def name_in(record: Json) -> str:
    """The name of the curve that a record is of."""
    return name_of(*(record[part] for part in ("machine", "seed", "name", "dtype")))


def strayed(record: Json) -> bool:
    """Tells whether a curve leaves the allowance from its own seed."""
    return needed(record, MOVED_RUNS) > FACTOR


def needed(record: Json, moved: int) -> float:
    """The factor that a curve needs with `moved` moved runs: the largest of the implementations'."""
    found = [factors[moved - 1] for factors in record["factors"].values()]
    return max(map(number_of, found))


def _again(name: str, dtype: str, seed: int, frameworks: Sequence[str]) -> bool:
    """Tells whether the curve leaves the allowance from the further seeds too.

    Then `parity curves` would call it off.
    """
    experiment = replace(next(e for e in CURVES if e.name == name), dtype=dtype)
    others = (seed + FAR * number for number in range(1, SEEDS))
    return all(compare_curves(experiment, frameworks, seed=other).passed is False for other in others)


@functools.cache
def origin() -> dict[str, str]:
    """The digests of what a curve depends on: the code that trains it, the packages and the recipes.

    The code that judges it is not among them.
    """
    return code() | {"recipes": digest([Path(recipes.__file__)])}


def records(results: Results) -> list[Json]:
    """The curves that count, those that are kept among them: of this code, or of other code that trains alike.

    Curves of other packages say nothing about these.
    """
    return trained(results).counted()


def trained(results: Results) -> Soaked:
    """All curves that were trained with these packages, by whatever code; those that are kept among them."""
    here = origin()
    of_packages = {name: value for name, value in here.items() if name != "code"}
    found = [*kept(KIND), *results.read(KIND)]
    return Soaked(
        [record for record in found if of_packages.items() <= record["origin"].items()],
        own=lambda record: bool(record["origin"] == here),
        name=name_in,
        kind=lambda record: (record["name"], record["dtype"]),
        code=lambda record: record["origin"]["code"],
        found=lambda record: [record[name] for name in ("factors", "steps", "compared", "alarms")],
        weight=lambda record: 1,
        enough=REPLAYED,
    )


def curves(seed: int) -> Iterator[tuple[str, str]]:
    """Yields the name and dtype of every curve of a seed whose data are here."""
    for experiment in CURVES:
        if seed % SELDOM.get(experiment.name, 1):
            continue
        try:
            experiment.dataset  # noqa: B018
        except (ConnectionError, ImportError):
            continue
        yield from ((experiment.name, dtype) for dtype in DTYPES)


def soak(
    results: Results,
    frameworks: Sequence[str],
    count: int,
    first_seed: int,
    machines: Sequence[str] | None = None,
    progress: Progress = lambda done, total: None,
    workers: int = 1,
) -> list[str]:
    """Train at least `count` curves from `first_seed` on, each seed on the next of the machines.

    Curves that are there already are not repeated. `workers` processes run side by side. Returns sentences on what
    could not be run: the machines that cannot be emulated here, and what a process died of.
    """
    chosen = find(list(machines) if machines else None)
    able = [machine for machine in chosen if not machine.missing]
    done, work, total = set(map(name_in, records(results))), list[Work](), 0
    while total < count:
        machine, seed = able[len(work) % len(able)], first_seed + len(work)
        networks = list(curves(seed))
        total += len(networks)
        work.append((machine, seed, [one for one in networks if name_of(machine.name, seed, *one) not in done]))
    # Machines that nobody asked for by name are simply left out.
    return _unable(chosen if machines else []) + _performed(work, results, frameworks, progress, workers)


def replay(
    results: Results,
    frameworks: Sequence[str],
    progress: Progress = lambda done, total: None,
    workers: int = 1,
) -> list[str]:
    """Train a sample of the curves of other code again, each on its machine; returns the same sentences as `soak`."""
    wanted: dict[tuple[str, int], list[tuple[str, str]]] = {}
    for record in trained(results).to_replay(origin()["code"]):
        wanted.setdefault((record["machine"], record["seed"]), []).append((record["name"], record["dtype"]))
    machines = {name: find([name])[0] for name in dict.fromkeys(name for name, _ in wanted)}
    work = [(machines[name], seed, names) for (name, seed), names in wanted.items() if not machines[name].missing]
    return _unable(machines.values()) + _performed(work, results, frameworks, progress, workers)


def _unable(machines: Iterable[Machine]) -> list[str]:
    return [f"{m.name} cannot be emulated here: no {', '.join(sorted(m.missing))}" for m in machines if m.missing]


def _performed(
    work: Sequence[Work],
    results: Results,
    frameworks: Sequence[str],
    progress: Progress,
    workers: int,
) -> list[str]:
    """Perform the work in processes of its machines; returns a sentence for each that died."""
    work = [(machine, seed, networks) for machine, seed, networks in work if networks]
    done, total = 0, sum(len(names) for _, _, names in work)
    died: list[str] = []
    progress(done, total)
    with ThreadPoolExecutor(workers) as pool:
        pending = {
            pool.submit(_on, machine, results, seed, frameworks, networks): len(networks)
            for machine, seed, networks in work
        }
        for future in as_completed(pending):
            died += filter(None, [future.result()])
            done += pending[future]
            progress(done, total)
    return died


def _on(
    machine: Machine, results: Results, seed: int, frameworks: Sequence[str], networks: list[tuple[str, str]]
) -> str:
    """The sentence on what the process of one seed on one machine died of; empty where it did not die."""
    function = f"{__name__}:{soak_seed.__name__}"
    done = call_on(machine, function, str(results.folder), machine.name, seed, list(frameworks), networks)
    if done.returncode == 0:
        return ""
    return f"{machine.name}, seed {seed}: exit code {done.returncode}: {done.stderr.strip()[-500:]}"
