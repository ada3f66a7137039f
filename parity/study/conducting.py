"""Conducts a study from its registration to its verdict: what is still to be run, what was run, and what that shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpynet
from parity.frameworks import FRAMEWORKS, available
from parity.results.code import origin
from parity.results.planning import planned as plan_of
from parity.results.records import CRASHED, Json
from parity.results.records.trainings import StudyRecord
from parity.results.store import Results, ResultsError
from parity.statistics import Provenance, Verdict, decide, provenance_problems, trend_problems
from parity.study.arms import ARMS, COUPLED, Arm
from parity.study.own import find
from parity.study.registration import Registration, description, load
from parity.study.runs import Job, performed
from parity.training.experiment import Experiment

try:
    import fcntl
except ImportError:  # Windows: nothing keeps a second process from performing the same runs
    fcntl = None  # type: ignore[assignment]

Progress = Callable[[int, int], object]


class NoData(LookupError):
    """Raised where the data of a study can neither be found nor downloaded."""


def study(
    name: str,
    results: Results,
    *,
    frameworks: Sequence[str] | None = None,
    workers: int = 2,
    executor: Executor | None = None,
    progress: Progress = lambda done, total: None,
) -> Verdict:
    """Conduct the study that is registered as `name`, or in the file of that path, as `conduct` does.

    Raises LookupError where there is none, or no such experiment.
    """
    registration = load(name)
    experiment = find(registration.experiment, Path(name).resolve().parent)
    return conduct(
        registration,
        experiment,
        results,
        frameworks=frameworks,
        workers=workers,
        executor=executor,
        progress=progress,
    )


def conduct(
    registration: Registration,
    experiment: Experiment,
    results: Results,
    *,
    frameworks: Sequence[str] | None = None,
    arms: Mapping[str, Arm] = ARMS,
    coupled: Arm = COUPLED,
    workers: int = 2,
    executor: Executor | None = None,
    progress: Progress = lambda done, total: None,
) -> Verdict:
    """Perform the runs that `results` does not hold yet, decide, record and return the verdict.

    A run that crashed is tried again; its seed fixes what it would have shown, so that nothing is selected. A run by
    other code or other packages is repeated. `progress` is told the numbers of runs (done, planned).

    Data that refuse to be split make the study invalid. Raises ResultsError where `results` holds runs of this study
    under another registration, another process is conducting it there, or a run was performed by other code; ValueError
    where `experiment` is not the one registered; NoData where its data cannot be had; BrokenExecutor where `executor`
    breaks down.
    """
    implementations = ["numpynet", *(available() if frameworks is None else frameworks)]
    chosen = [arms[name] for name in registration.arms]
    items = {"studies": [registration.name]}
    plan = partial(plan_of, results, f"study:{registration.name}", items, frameworks=implementations[1:])
    try:
        dataset = experiment.dataset
    except ValueError as error:
        verdict = decide({}, n_test=1, margin=1, alpha=registration.alpha, problems=[f"the data are unfit: {error}"])
        with plan():
            return _conclude(results, registration, implementations, verdict, {})
    except (ConnectionError, ImportError) as error:
        lacking = StudyRecord(key=registration.name, preregistration=_public(registration), message=f"not run: {error}")
        with plan():
            results.append("studies", registration.name, lacking)
        raise NoData(f"the study {registration.name} was not run: {error}") from error
    _same_training(registration, experiment)
    planned = _jobs(registration, experiment, implementations, [coupled, *chosen])
    with _alone(results, registration.name):
        finished = {record["key"] for record in _finished(results, registration) if record["status"] != CRASHED}
        waiting = [job for job in planned if job.key not in finished]
        with plan():
            progress(len(planned) - len(waiting), len(planned))
            ended = performed(waiting, workers, executor)
            for done, (job, record) in enumerate(ended, len(planned) - len(waiting) + 1):
                _from_here(record)
                results.append("runs", job.key, record | {"registration": registration.hash})
                progress(done, len(planned))
            records = {record["key"]: record for record in _finished(results, registration)}
            found = Found(registration, dataset, implementations, [records[job.key] for job in planned])
            verdicts = {arm.name: found.verdict_of(arm) for arm in chosen}
            return _conclude(results, registration, implementations, found.verdict(chosen, verdicts), verdicts)


class Found:
    """The runs of a study that are there, and what they show."""

    def __init__(
        self,
        registration: Registration,
        dataset: numpynet.datasets.Dataset,
        implementations: Sequence[str],
        records: Sequence[Json],
    ) -> None:
        self.registration, self.dataset, self.implementations = registration, dataset, implementations
        self._records = {(record["arm"], record["implementation"], record["seed"]): record for record in records}

    def runs(self, arm: str, implementation: str) -> list[Json]:
        """The runs of `arm` on `implementation`, ordered by seed."""
        return [self._records[arm, implementation, seed] for seed in range(self.registration.seeds)]

    def verdict(self, arms: Sequence[Arm], verdicts: Mapping[str, Verdict]) -> Verdict:
        """The verdict on the coupled runs, with everything that speaks against them."""
        columns = {name: self.runs("coupled", name) for name in self.implementations}
        problems = _unfinished(chain.from_iterable(columns.values())) + self._provenance(columns, coupled=True)
        for name, runs in columns.items():
            problems += [f"{name}: {problem}" for problem in trend_problems(_accuracies(runs))]
        for arm in arms:
            if not arm.own_seeds:
                objection = arm.objection(verdicts[arm.name], columns["numpynet"], self.runs(arm.name, "numpynet"))
                problems += [objection] if objection else []
        return self._decide(columns, problems, coupled=True)

    def verdict_of(self, arm: Arm) -> Verdict:
        """The verdict on an arm, with numpynet's coupled runs to compare it with."""
        columns = {"numpynet": self.runs("coupled", "numpynet")}
        if arm.own_seeds:
            columns |= {name: self.runs(arm.name, name) for name in self.implementations[1:]}
            return self._decide(columns, self._provenance(columns, coupled=False), coupled=False)
        return self._decide(columns | {arm.name: self.runs(arm.name, "numpynet")}, [], coupled=True)

    def _decide(self, columns: Mapping[str, list[Json]], problems: list[str], coupled: bool) -> Verdict:
        n_test = len(self.dataset.test)
        return decide(
            {name: _accuracies(runs) for name, runs in columns.items()},
            n_test=n_test,
            margin=self.registration.margin_for(n_test, coupled),
            coupled=coupled,
            alpha=self.registration.alpha,
            problems=problems,
        )

    def _provenance(self, columns: Mapping[str, list[Json]], coupled: bool) -> list[str]:
        runs = [
            Provenance(
                implementation=name,
                seed=run["seed"],
                initial_weights=run["initial_weights"],
                batch_order=run["batch_order"],
                optimizer_steps=run["optimizer_steps"],
                initial_loss=run["initial_loss"],
            )
            for name, own in columns.items()
            for run in own
            if run["status"] == "ok"
        ]
        return provenance_problems(runs, classes=self.dataset.num_classes, coupled=coupled)


def _unfinished(runs: Iterable[Json]) -> list[str]:
    """Sentences on what kept runs from their end, each with the seeds that it kept."""
    seeds: dict[str, list[int]] = {}
    for run in runs:
        if run["status"] != "ok":
            seeds.setdefault(f"{run['implementation']} {run['status']}: {run['message']}", []).append(run["seed"])
    return [f"{what} (seeds {whose})" for what, whose in seeds.items()]


def _accuracies(runs: Sequence[Json]) -> list[float]:
    return [float("nan") if run["accuracy"] is None else run["accuracy"] for run in runs]


def _jobs(
    registration: Registration, experiment: Experiment, implementations: Sequence[str], arms: Sequence[Arm]
) -> list[Job]:
    """The runs of the study, seed by seed, so that what is there after an interruption is balanced."""

    def columns(arm: Arm) -> Sequence[str]:
        if arm.name == "coupled":
            return implementations
        return implementations[1:] if arm.own_seeds else ["numpynet"]

    return [
        Job(registration.name, experiment, arm, implementation, seed)
        for seed in range(registration.seeds)
        for arm in arms
        for implementation in columns(arm)
    ]


def _finished(results: Results, registration: Registration) -> list[Json]:
    """The runs of this study by this code and these packages; ResultsError where some are of another registration."""
    runs = [record for record in results.read("runs") if record["study"] == registration.name]
    if any(record["registration"] != registration.hash for record in runs):
        raise ResultsError(
            f"{results.folder} holds runs of {registration.name} under another registration than the present one: "
            "a study that has begun is not changed. Choose another folder"
        )
    return [record for record in runs if all(record[name] == own for name, own in origin().items())]


def _from_here(record: Json) -> None:
    if off := [f"{name} {record[name]}" for name, own in origin().items() if record[name] != own]:
        raise ResultsError(
            f"the run {record['arm']}/{record['implementation']}/{record['seed']} was performed with {', '.join(off)}, "
            f"not with {', '.join(origin().values())}: the code changed meanwhile, or a worker has another. "
            "That run is not kept, earlier ones are; run again with the same everywhere"
        )


def _same_training(registration: Registration, experiment: Experiment) -> None:
    found = description(experiment)
    for term, registered in registration.training.items():
        if found[term] != registered:
            raise ValueError(
                f"{registration.name} registers the {term} {registered!r}, the experiment has {found[term]!r}: "
                "another training is another study"
            )


@contextmanager
def _alone(results: Results, name: str) -> Iterator[None]:
    """A context that keeps a second process from performing the same runs; there it raises ResultsError."""
    if fcntl is None:
        yield
        return
    results.folder.mkdir(parents=True, exist_ok=True)
    with open(results.folder / f"{name}.lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ResultsError(
                f"the study {name} is being conducted in {results.folder} by another process: wait for it, "
                "or choose another folder"
            ) from error
        yield


def _conclude(
    results: Results,
    registration: Registration,
    implementations: Sequence[str],
    verdict: Verdict,
    arms: Mapping[str, Verdict],
) -> Verdict:
    record = StudyRecord(
        key=registration.name,
        preregistration=_public(registration),
        verdict=asdict(verdict),
        arms={name: asdict(arm) | {"about": ARMS[name].about if name in ARMS else ""} for name, arm in arms.items()},
        not_compared=[name for name in FRAMEWORKS if name not in implementations],
    )
    results.append("studies", registration.name, record)
    return verdict


def _public(registration: Registration) -> dict[str, Any]:
    return asdict(registration) | {"hash": registration.hash, "sigma_lower": registration.sigma_lower}
