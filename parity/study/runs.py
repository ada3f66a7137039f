"""Performs the runs of a study, spread over processes: each once, whatever dies in the meantime."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from dataclasses import asdict, dataclass
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

from parity.results.code import origin
from parity.results.records import CRASHED, Json
from parity.results.records.trainings import RunRecord
from parity.study.arms import Arm
from parity.training.experiment import Experiment, run
from parity.work.pool import Call, Crash, Pool

T = TypeVar("T")
AT_ONCE = 10_000  # runs that a cluster is given at a time: enough for any number of workers, and for one's memory


@dataclass(frozen=True, eq=False)
class Job:
    """One run to be performed, complete and picklable."""

    study: str
    experiment: Experiment
    arm: Arm
    implementation: str
    seed: int

    @property
    def key(self) -> str:
        return f"{self.study}/{self.arm.name}/{self.implementation}/{self.seed}"

    def record(self, **found: Any) -> Json:
        own: Json = {"key": self.key, "study": self.study, "experiment": self.experiment.name, "arm": self.arm.name}
        own |= {"implementation": self.implementation, "seed": self.seed}
        return asdict(RunRecord(**found | own | origin()))


def perform(job: Job) -> Json:
    """Train and score; returns the record of the run. Whatever goes wrong becomes one with the status "crashed"."""
    seed = job.arm.seed(job.implementation, job.seed)
    try:
        with _taking_turns:
            found = run(job.experiment, job.implementation, seed, make=job.arm.make).as_fields()
    except (Exception, SystemExit) as error:
        return crashed(job, f"{type(error).__name__}: {error}")
    return job.record(**found)


# frameworks have settings that belong to the process, and a worker of a cluster may have several threads
_taking_turns = threading.Lock()


def crashed(job: Job, message: str) -> Json:
    return job.record(status=CRASHED, message=message)


def performed(jobs: Sequence[Job], workers: int = 2, executor: Executor | None = None) -> Iterator[tuple[Job, Json]]:
    """Yields each job with its record, as they end.

    The jobs run on `executor`, or else on `workers` new processes of one thread each. Jobs that are lost, because the
    process of one of them died (no memory left, a crash in compiled code), are tried once more, each alone; one that is
    lost again is recorded as crashed. Raises BrokenExecutor where `executor` itself breaks down.
    """
    if executor is None:
        yield from _in_processes(jobs, workers)
        return
    waiting = iter(jobs)
    while True:
        lost = []
        for job, found in _on(executor, waiting):
            if isinstance(found, Exception):
                lost.append(job)
            else:
                yield job, found
        if not lost:
            return
        for job in lost:
            yield job, _alone_on(executor, job)


def _in_processes(jobs: Sequence[Job], workers: int) -> Iterator[tuple[Job, Json]]:
    lost = []
    with Pool(workers, single_threaded=True) as pool:
        for call, found in pool.run(Call(job, perform, (job,)) for job in jobs):
            if isinstance(found, Crash) and found.died:
                lost.append(call.about)
            else:
                yield call.about, crashed(call.about, found.message) if isinstance(found, Crash) else found
    for job in lost:
        with Pool(1, single_threaded=True) as pool:
            [(_, found)] = pool.run([Call(job, perform, (job,))])
        if isinstance(found, Crash):
            found = crashed(job, f"its process died, and again alone: {found.message}")
        yield job, found


class InProcess(Executor):
    """An executor that performs each call at once, in this process."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


Ended = Iterator[tuple[Job, Json | Exception]]  # an exception is the pool's: `perform` raises none


def _on(executor: Executor, waiting: Iterator[Job]) -> Ended:
    for job, found in _through(executor, waiting):
        if isinstance(found, BrokenExecutor | CancelledError):  # nobody here cancels: a cluster that is lost does
            raise BrokenExecutor("the executor broke down") from found
        yield job, found


def _through(executor: Executor, waiting: Iterator[Job]) -> Ended:
    """Yields the jobs with what they returned or raised, as they end; no more than AT_ONCE are under way.

    Each says itself that it has ended: to ask all that are under way takes longer than a short run.
    """
    ended = SimpleQueue[tuple[Job, Future[Json]]]()
    under_way = 0
    for job in waiting:
        _submitted(executor, job).add_done_callback(partial(_told, ended, job))
        under_way += 1
        while under_way == AT_ONCE or not ended.empty():
            yield _next(ended)
            under_way -= 1
    for _ in range(under_way):
        yield _next(ended)


def _told(ended: SimpleQueue[tuple[Job, Future[Json]]], job: Job, future: Future[Json]) -> None:
    ended.put((job, future))


def _next(ended: SimpleQueue[tuple[Job, Future[Json]]]) -> tuple[Job, Json | Exception]:
    job, future = ended.get()
    return job, _result(future)


def _submitted(pool: Executor, job: Job) -> Future[Json]:
    try:
        return pool.submit(perform, job)
    except BrokenExecutor as error:
        refused: Future[Json] = Future()
        refused.set_exception(error)
        return refused


def _result(future: Future[Json]) -> Json | Exception:
    try:
        return future.result()
    except Exception as error:
        return error


def _alone_on(executor: Executor, job: Job) -> Json:
    [(_, found)] = _on(executor, iter([job]))
    return crashed(job, f"{type(found).__name__}: {found}") if isinstance(found, Exception) else found
