"""Sessions: `nox -l` lists them. Environments are made with pip and kept, one for each stack."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import nox

nox.options.sessions = ["lint", "typecheck", "tests"]
nox.options.reuse_venv = "yes"

PYTHON = "3.11"
# A stack is what a verdict is about: exact versions of everything that computes.
STACKS = {
    "current": ["numpy==2.4.6", "torch==2.13.0", "tensorflow-cpu==2.21.0", "keras==3.15.1"],
    "oldest": ["numpy==1.26.4", "torch==2.2.2", "tensorflow-cpu==2.16.2", "keras==3.3.3"],
}
# One process must not take the cores that another one counts on.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
SINGLE_THREADED = dict.fromkeys(THREADS, "1") | {"TF_CPP_MIN_LOG_LEVEL": "3"}


class Environment:
    """The stack and this project in .nox/<stack>, shared by all sessions: torch and TensorFlow are installed once.

    PARITY_TORCH_INDEX names an index of CPU wheels for torch; unset, pip decides.
    """

    def __init__(self, session: nox.Session, stack: str) -> None:
        self.session = session
        folder = Path(".nox") / stack
        self.programs = folder / ("Scripts" if os.name == "nt" else "bin")
        if not folder.exists():
            session.run(f"python{PYTHON}", "-m", "venv", str(folder), external=True)
        self.run("python", "-m", "pip", "install", "--quiet", "--upgrade", "pip")
        if index := os.environ.get("PARITY_TORCH_INDEX"):
            torch = [package for package in STACKS[stack] if package.startswith("torch")]
            self.run("pip", "install", "--quiet", *torch, "--index-url", index)
        self.run("pip", "install", "--quiet", *STACKS[stack], "-e", ".[test]")

    def run(self, program: str, *arguments: str, env: dict[str, str] | None = None) -> None:
        self.session.run(str((self.programs / program).absolute()), *arguments, env=env, external=True)

    def succeeds(self, program: str, *arguments: str) -> bool:
        try:
            self.run(program, *arguments, env=SINGLE_THREADED)
        except nox.command.CommandFailed:
            return False
        return True


@nox.session(python=False)
def tests(session: nox.Session) -> None:
    """The test suite, in under three minutes; arguments go to pytest."""
    Environment(session, "current").run("pytest", "-n", "2", *(session.posargs or ["tests"]), env=SINGLE_THREADED)


@nox.session(python=False)
def parity(session: nox.Session) -> None:
    """The whole ladder on a stack, the planted defects, the studies and the report.

    -- [--stack current|oldest] [--quick]
    """
    parser = argparse.ArgumentParser(prog="nox -s parity --")
    parser.add_argument("--stack", choices=STACKS, default="current", help="the versions to judge")
    parser.add_argument("--quick", action="store_true", help="fewer examples, the short study")
    options = parser.parse_args(session.posargs)
    studies = ["digits-quick"] if options.quick else ["digits", "digits-convolutional", "fashion-mnist"]
    steps = [
        ["check", "--examples", "10" if options.quick else "60", "--workers", "2"],
        *([] if options.quick else [["modes"]]),
        ["curves"],
        ["defects", "--workers", "2"],
        *(["study", study, "--optional"] for study in studies),
        ["report"],
    ]
    environment = Environment(session, options.stack)
    # Every step runs, whatever the ones before it said.
    failed = [" ".join(step[:2]) for step in steps if not environment.succeeds("parity", *step)]
    if failed:
        session.error(f"not shown: {', '.join(failed)}; see results/report/report.html")


@nox.session(python=False, default=False)
def experiments(session: nox.Session) -> None:
    """The source notebooks' experiments, on all three implementations: hours; resumes. -- --quick takes minutes."""
    Environment(session, "current").run("parity", "experiment", "all", *session.posargs, env=SINGLE_THREADED)


@nox.session(python=False, default=False)
def calibrate(session: nox.Session) -> None:
    """The error rates of rung 5's procedures, by simulation; the report shows them."""
    Environment(session, "current").run("parity", "calibrate", *session.posargs, env=SINGLE_THREADED)


@nox.session(python=False, default=False)
def bench(session: nox.Session) -> None:
    """Speed and memory, as ratios within one run."""
    Environment(session, "current").run("python", "-m", "benchmarks", *session.posargs)


@nox.session(python=PYTHON)
def lint(session: nox.Session) -> None:
    """Formatting and lints."""
    session.install("ruff==0.17.6", silent=True)
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")


@nox.session(python=PYTHON)
def typecheck(session: nox.Session) -> None:
    """mypy --strict on both packages; the frameworks are not needed."""
    session.install("mypy==2.4.1", "-e", ".[test]", silent=True)
    session.run("mypy")
