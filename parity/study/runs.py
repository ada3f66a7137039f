"""The runs of a study, spread over processes: each is performed once, whatever dies in the meantime."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from parity.experiment import Experiment, run
from parity.results import THREAD_VARIABLES, Record
from parity.study.arms import Arm
from parity.study.origin import origin

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
        own: Record = {"study": self.study, "experiment": self.experiment.name, "arm": self.arm.name}
        own |= {"implementation": self.implementation, "seed": self.seed}
        return {**dict.fromkeys(MEASURED), **found, **own, **origin()}


def perform(job: Job) -> Record:
    """Train and score; whatever goes wrong becomes a record with the status "crashed"."""
    seed = job.arm.seed(job.implementation, job.seed)
    try:
        with _taking_turns:
            found = run(job.experiment, job.implementation, seed, make=job.arm.make).as_record()
    except (Exception, SystemExit) as error:
        return crashed(job, f"{type(error).__name__}: {error}")
    return job.record(**found)


# frameworks have settings that belong to the process, and a worker of a cluster may have several threads
_taking_turns = threading.Lock()


def crashed(job: Job, message: str) -> Record:
    return job.record(status="crashed", message=message)


def performed(jobs: Sequence[Job], workers: int = 2, executor: Executor | None = None) -> Iterator[tuple[Job, Record]]:
    """Each job with its record, as they end.

    Runs on `executor`, or else on `workers` new processes of one thread each. Jobs that are lost, because the process
    of one of them died (no memory left, a crash in compiled code), are tried once more, each alone; one that is lost
    again is recorded as crashed. Raises BrokenExecutor where `executor` itself breaks down.
    """
    waiting = iter(jobs)
    while True:
        ended = _in_processes(waiting, workers) if executor is None else _on(executor, waiting, len(jobs))
        lost = []
        for job, found in ended:
            if isinstance(found, Exception):
                lost.append(job)
            else:
                yield job, found
        if not lost:
            return
        for job in lost:
            yield job, _in_own_process(job) if executor is None else _alone_on(executor, job)


class InProcess(Executor):
    """Performs each call at once, here."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


Ended = Iterator[tuple[Job, Record | Exception]]  # an exception is the pool's: `perform` raises none


def _in_processes(waiting: Iterator[Job], workers: int) -> Ended:
    # spawn: TensorFlow does not survive a fork
    context = multiprocessing.get_context("spawn")
    with _single_threaded(), ProcessPoolExecutor(workers, context, initializer=_die_with_parent) as pool:
        yield from _through(pool, waiting, workers)


def _on(executor: Executor, waiting: Iterator[Job], at_once: int) -> Ended:
    for job, found in _through(executor, waiting, at_once):
        if isinstance(found, BrokenExecutor | CancelledError):  # nobody here cancels: a cluster that is lost does
            raise BrokenExecutor("the executor broke down") from found
        yield job, found


def _through(pool: Executor, waiting: Iterator[Job], at_once: int) -> Ended:
    """Jobs as they end; a pool that breaks is given no more."""
    under_way: dict[Future[Record], Job] = {}
    broken = False
    while True:
        for job in islice(waiting, 0 if broken else at_once - len(under_way)):
            under_way[_submitted(pool, job)] = job
        if not under_way:
            return
        ended = wait(under_way, return_when=FIRST_COMPLETED).done
        for future in [future for future in under_way if future in ended]:
            found = _result(future)
            broken |= isinstance(found, BrokenExecutor)
            yield under_way.pop(future), found


def _submitted(pool: Executor, job: Job) -> Future[Record]:
    try:
        return pool.submit(perform, job)
    except BrokenExecutor as error:
        refused: Future[Record] = Future()
        refused.set_exception(error)
        return refused


def _result(future: Future[Record]) -> Record | Exception:
    try:
        return future.result()
    except Exception as error:
        return error


def _alone_on(executor: Executor, job: Job) -> Record:
    [(_, found)] = _on(executor, iter([job]), 1)
    return crashed(job, f"{type(found).__name__}: {found}") if isinstance(found, Exception) else found


def _in_own_process(job: Job) -> Record:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_perform_for, args=(sender, job))
    try:
        with _single_threaded():
            process.start()
    except Exception as error:  # it cannot be pickled
        return crashed(job, f"{type(error).__name__}: {error}")
    sender.close()
    record: Record | None = None
    with receiver, suppress(EOFError, OSError):  # it died before, or while, it told
        record = receiver.recv()
    process.join()
    return record or crashed(job, f"its process died, and again alone: {_end(process.exitcode)}")


def _perform_for(sender: Connection[Record, Any], job: Job) -> None:
    _die_with_parent()
    sender.send(perform(job))


def _end(exit_code: int | None) -> str:
    """How a process ended, in words."""
    if exit_code is None or exit_code >= 0:
        return f"exit code {exit_code}"
    why = ", as a system does that has no memory left" * (exit_code == -9)
    return f"signal {-exit_code} ({signal.strsignal(-exit_code)}){why}"


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
