"""Processes that share the work of a command. One that dies costs the call that it was at, and nothing else.

Each worker is a process of its own behind a pipe, so that it is known which call it died of. It stays for the whole
command: a framework is imported once in each.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

from parity.results.packages import THREAD_VARIABLES
from parity.starting import lighten

Threads = dict[str, str | None]
DEPTH = 5  # frames of a traceback that are told: enough to get from a framework into our own code


class Call(NamedTuple):
    """The call `work(*arguments)`, all of which can be pickled.

    `about` stays here, and is handed back with what came of the call.
    """

    about: Any
    work: Callable[..., Any]
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Crash:
    """The stand-in for a result: the exception that was raised or, where the process `died`, how it ended."""

    message: str
    died: bool = False


class Pool:
    """A context with up to `workers` processes, each started when there is work for it, and all ended on leaving.

    Within `kept` those that are idle are left to the next pool.

    single_threaded: they use one thread each, because results must not depend on how many work side by side; otherwise
        they do so where there are several and the environment does not say
    calls: how many a process performs before another takes its place; None for any number. What a framework keeps of
        every model that it has built grows
    """

    def __init__(self, workers: int, single_threaded: bool = False, calls: int | None = None) -> None:
        self.workers, self.single_threaded, self.calls = workers, single_threaded, calls
        self._idle: list[_Worker] = []
        self._busy: dict[_Worker, Call] = {}

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._busy:
            worker.end()
        if _kept is None:
            _end(self._idle)
        else:
            _kept.extend(self._idle)
        self._idle, self._busy = [], {}

    def run(self, calls: Iterable[Call]) -> Iterator[tuple[Call, Any]]:
        """Yields each call with its result or its `Crash`, as they end."""
        waiting, refused = iter(calls), deque[tuple[Call, Crash]]()
        while True:
            while len(self._busy) < self.workers and (call := next(waiting, None)) is not None:
                worker = self._idle.pop() if self._idle else self._start()
                try:
                    worker.give(call)
                except Exception as error:  # it cannot be pickled, and nothing was sent
                    self._idle.append(worker)
                    refused.append((call, Crash(said(error))))
                else:
                    self._busy[worker] = call
            while refused:
                yield refused.popleft()
            if not self._busy:
                return
            for worker in _ready(self._busy):
                found, call = worker.take(), self._busy.pop(worker)
                died = isinstance(found, Crash) and found.died
                if died or (self.calls is not None and worker.given >= self.calls):
                    worker.end()
                else:
                    self._idle.append(worker)
                yield call, found

    def _start(self) -> _Worker:
        """A new process, or one that was kept and has the numbers of threads that a new one would have."""
        with _threads(self.single_threaded, self.workers) as threads:
            left = _kept or []
            for worker in left:
                if worker.threads == threads and worker.process.is_alive():
                    left.remove(worker)
                    return worker
            return _Worker(threads)


class _Worker:
    """One process and this side of its pipe.

    threads: what the variables of thread counts were when it was started, by their names
    """

    def __init__(self, threads: Threads) -> None:
        self.threads = threads
        context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
        self.pipe, other = context.Pipe()
        self.process: BaseProcess = context.Process(target=_serve, args=(other,))
        self.process.start()
        other.close()
        self.given = 0

    def give(self, call: Call) -> None:
        self.given += 1
        with suppress(BrokenPipeError, ConnectionResetError):  # it died idle: `take` says how
            self.pipe.send((call.work, call.arguments))

    def take(self) -> Any:
        """The result of the call that was given, or its `Crash`; waits for it."""
        try:
            return self.pipe.recv()
        except (EOFError, OSError):  # it died before, or while, it told
            self.process.join()
            return Crash(how_it_ended(self.process.exitcode), died=True)
        except Exception as error:  # it cannot be unpickled here
            return Crash(said(error))

    def end(self) -> None:
        self.pipe.close()
        self.process.kill()
        self.process.join()


_kept: list[_Worker] | None = None


@contextmanager
def kept() -> Iterator[None]:
    """A context in which the processes of one pool serve the next, so that a framework is imported once in each."""
    global _kept
    outer, _kept = _kept, []
    try:
        yield
    finally:
        _end(_kept)
        _kept = outer


def _end(workers: Iterable[_Worker]) -> None:
    for worker in workers:
        worker.end()


def _ready(workers: Iterable[_Worker]) -> list[_Worker]:
    """The workers that have something to tell, or died; waits until there is one."""
    by_pipe = {worker.pipe: worker for worker in workers}
    return [by_pipe[pipe] for pipe in wait(list(by_pipe))]  # type: ignore[index]


def _serve(pipe: Connection) -> None:
    """Perform the calls that come through the pipe, one after another, for as long as it is open."""
    _die_with_parent()
    lighten()
    with suppress(EOFError, KeyboardInterrupt, BrokenPipeError):
        while True:
            pipe.send(_performed(pipe))


def _performed(pipe: Connection) -> Any:
    """The result of the next call, or its `Crash`; a result that cannot be pickled is a crash, too."""
    try:
        work, arguments = pipe.recv()
        found = work(*arguments)
        multiprocessing.reduction.ForkingPickler.dumps(found)
    except EOFError:
        raise
    except (Exception, SystemExit) as error:
        return Crash(said(error))
    return found


def said(error: BaseException) -> str:
    """The error in one line, and below it where it came from, the innermost frame first."""
    frames = traceback.extract_tb(error.__traceback__)[: -DEPTH - 1 : -1]
    headline = f"{type(error).__name__}: {error}".removesuffix(": ")
    return "\n".join([headline, *(f"  {frame.filename}, line {frame.lineno}, in {frame.name}" for frame in frames)])


def how_it_ended(exit_code: int | None) -> str:
    """The words on how a process with this exit code ended."""
    if exit_code is None or exit_code >= 0:
        return f"exit code {exit_code}"
    why = ", as a system does that has no memory left" * (exit_code == -9)
    return f"signal {-exit_code} ({signal.strsignal(-exit_code)}){why}"


def _die_with_parent() -> None:
    """End this worker when its parent ends, since a worker whose parent is killed would go on with its call."""

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _threads(always_one: bool, workers: int) -> Iterator[Threads]:
    """A context with the environment variables of thread counts that a new process is to have; yields them."""
    counts = {name: "1" for name in THREAD_VARIABLES if always_one or (workers > 1 and name not in os.environ)}
    previous = {name: os.environ.get(name) for name in counts}
    os.environ.update(counts)
    try:
        yield {name: os.environ.get(name) for name in THREAD_VARIABLES}
    finally:
        for name, value in previous.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
