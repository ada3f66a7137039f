"""The runs of a study, spread over processes: each is performed once, whatever dies in the meantime."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from parity.experiment import Experiment, run
from parity.results import THREAD_VARIABLES, Record
from parity.study.arms import Arm

T = TypeVar("T")
# what a run that crashed has none of
MEASURED = (
    "accuracy",
    "initial_loss",
    "final_loss",
    "initial_weights",
    "final_weights",
    "batch_order",
    "optimizer_steps",
    "correct",
    "seconds",
)


@dataclass(frozen=True, eq=False)
class Job:
    """One run, complete and picklable."""

    study: str
    experiment: Experiment
    arm: Arm
    implementation: str
    seed: int

    @property
    def key(self) -> str:
        return f"{self.study}/{self.arm.name}/{self.implementation}/{self.seed}"

    def record(self, **found: Any) -> Record:
        own = {"study": self.study, "experiment": self.experiment.name, "arm": self.arm.name}
        return {**dict.fromkeys(MEASURED), **found, **own, "implementation": self.implementation, "seed": self.seed}


def perform(job: Job) -> Record:
    """Train and score; whatever goes wrong becomes a record with the status "crashed"."""
    seed = job.arm.seed(job.implementation, job.seed)
    try:
        found = run(job.experiment, job.implementation, seed, make=job.arm.make).as_record()
    except Exception as error:
        return crashed(job, f"{type(error).__name__}: {error}")
    return job.record(**found)


def crashed(job: Job, message: str) -> Record:
    return job.record(status="crashed", message=message)


def performed(jobs: Sequence[Job], workers: int = 2, executor: Executor | None = None) -> Iterator[tuple[Job, Record]]:
    """Each job with its record, as they end.

    Runs on `executor`, or else on `workers` new processes of one thread each. Of the jobs that were under way when
    such a process died (no memory left, a crash in compiled code), each is tried again in a process of its own, and
    recorded as crashed where that dies too.
    """
    waiting = iter(jobs)
    if executor is not None:
        for job in (yield from _through(executor, waiting, len(jobs))):
            yield job, crashed(job, "its executor broke down")
        return
    while suspects := (yield from _in_processes(waiting, workers)):
        for job in suspects:
            if (yield from _in_processes(iter([job]), 1)):
                yield job, crashed(job, "its process died: no memory left, or a crash in compiled code")


class InProcess(Executor):
    """Performs each call at once, here."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


Unfinished = Generator[tuple[Job, Record], None, list[Job]]


def _in_processes(waiting: Iterator[Job], workers: int) -> Unfinished:
    # spawn: TensorFlow does not survive a fork
    context = multiprocessing.get_context("spawn")
    with _single_threaded(), ProcessPoolExecutor(workers, context, initializer=_die_with_parent) as pool:
        return (yield from _through(pool, waiting, workers))


def _through(pool: Executor, waiting: Iterator[Job], at_once: int) -> Unfinished:
    """Yields each job that ends; returns those that were under way when the pool broke."""
    under_way: dict[Job, Future[Record]] = {}
    try:
        while True:
            for job in islice(waiting, at_once - len(under_way)):
                under_way[job] = Future()  # under way even if the pool refuses it, being broken already
                under_way[job] = pool.submit(perform, job)
            if not under_way:
                return []
            ended = wait(under_way.values(), return_when=FIRST_COMPLETED).done
            for job in [job for job, future in under_way.items() if future in ended]:
                record = _record(job, under_way[job])
                del under_way[job]
                yield job, record
    except BrokenExecutor:
        return list(under_way)


def _record(job: Job, future: Future[Record]) -> Record:
    try:
        return future.result()
    except BrokenExecutor:
        raise
    except Exception as error:
        return crashed(job, f"{type(error).__name__}: {error}")


def _die_with_parent() -> None:
    """A worker whose parent is killed would wait for ever: it holds both ends of its own queue."""

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Processes started within use one thread each: results must not depend on how many work beside them."""
    counts = {name: "1" for name in THREAD_VARIABLES if name.endswith("_THREADS")}
    previous = {name: os.environ.get(name) for name in counts}
    os.environ.update(counts)
    try:
        yield
    finally:
        for name, value in previous.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
