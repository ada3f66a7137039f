"""Runs tests in a tree again and again, each time in a child that is forked from this process.

It has imported what the tests need of other packages, which takes seconds, and nothing of the tree, which a child
imports as it is then. So it is started by its path, with the tree as its argument, and may not import parity. It reads
what it is asked and writes what it found, each a line of JSON:

import: the modules to be imported before any child is forked
tests: the files of tests to be run until one fails, and `seconds`, how long each test takes as far as is known
limit: the seconds of computing after which a run is ended, and `waiting`, those of the clock
bytecode: whether a child may write some; not where a file is changed that will be what it was
"""

from __future__ import annotations

import gc
import importlib
import json
import math
import os
import resource
import select
import signal
import sys
import traceback
from contextlib import suppress
from typing import Any

import pytest


class Watch:
    """A plugin of pytest that runs quick tests first, and writes down how long each took and which one failed."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self.expected = seconds
        self.seconds: dict[str, float] = {}
        self.failed = ""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        # By powers of two alone: what a file computes once is computed again when its tests are far apart.
        items.sort(key=lambda item: math.frexp(self.expected.get(item.nodeid, 0.0))[1])

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failed = self.failed or report.nodeid

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration
        if report.failed:
            self.failed = self.failed or report.nodeid


def main() -> None:
    tree = sys.path[0] = sys.argv[1]  # in place of this file's own folder
    os.chdir(tree)
    answers = os.fdopen(os.dup(1), "w")
    _silence(1)
    for line in sys.stdin:
        asked = json.loads(line)
        for name in asked.get("import", ()):
            with suppress(Exception):  # some are made by others, or were a test's own
                importlib.import_module(name)
        gc.collect()
        gc.freeze()  # no child need look through all that again
        if "tests" in asked:
            print(json.dumps(_forked(asked, tree)), file=answers, flush=True)


def _silence(*streams: int) -> None:
    """Connect these file descriptors with nothing."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in streams:
        os.dup2(nothing, stream)


def _forked(asked: dict[str, Any], tree: str) -> dict[str, Any]:
    """Returns what a child found; `late` where it was ended, after how many seconds, `signal` where it died."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with os.fdopen(writing, "w") as told:
            try:
                found = _run(asked, tree)
            except BaseException:  # of this file's making: a mutant's errors are pytest's to tell
                found = {"raised": traceback.format_exc()}
            print(json.dumps(found), file=told, flush=True)
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        try:
            ready, _, _ = select.select([told], [], [], asked["waiting"])
            line = told.readline() if ready else ""
        finally:  # and whatever it has started
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
    if line:
        return dict(json.loads(line))
    if not ready:
        return {"late": asked["waiting"]}
    code = os.waitstatus_to_exitcode(status)
    return {"late": asked["limit"]} if code == -signal.SIGXCPU else {"signal": code}


def _run(asked: dict[str, Any], tree: str) -> dict[str, Any]:
    """Run the tests in this process, a child; returns what came of it."""
    os.setsid()  # whatever a test starts is of this group, and ends with it
    _silence(0, 1, 2)
    resource.setrlimit(resource.RLIMIT_CPU, (asked["limit"], resource.RLIM_INFINITY))
    if not asked["bytecode"]:
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    watch = Watch(asked["seconds"])
    options = ["-x", "-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of plugins
    code = pytest.main([*options, *asked["tests"]], plugins=[watch])
    elsewhere = [
        name
        for name, module in sys.modules.items()
        if not str(getattr(module, "__file__", None) or tree).startswith(tree)
    ]
    return {"code": int(code), "failed": watch.failed, "seconds": watch.seconds, "imported": elsewhere}


if __name__ == "__main__":
    main()
