"""Sessions: `nox -l` lists them. Environments are made with pip and kept, one for each stack."""

from __future__ import annotations

import argparse
import os

import nox

nox.needs_version = ">=2024.10.9"
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


def install(session: nox.Session, stack: str, extra: str) -> None:
    """The stack and this project. PARITY_TORCH_INDEX names an index of CPU wheels for torch; unset, pip decides."""
    torch = [package for package in STACKS[stack] if package.startswith("torch")]
    if index := os.environ.get("PARITY_TORCH_INDEX"):
        session.install(*torch, "--index-url", index, silent=True)
    session.install(*STACKS[stack], "-e", f".[{extra}]", silent=True)


@nox.session(python=PYTHON, venv_location=".nox/current")
def tests(session: nox.Session) -> None:
    """The test suite, in under three minutes; arguments go to pytest."""
    install(session, "current", "test")
    session.run("pytest", "-n", "2", *(session.posargs or ["tests"]), env=SINGLE_THREADED)


@nox.session(python=PYTHON, venv_location=".nox/current")
def parity(session: nox.Session) -> None:
    """The whole ladder on a stack, the planted defects, the studies and the report.

    -- [--stack current|oldest] [--quick]
    """
    options = _options(session)
    if options.stack != "current":
        session.notify(f"parity_{options.stack}", session.posargs)
        return
    _climb(session, options)


@nox.session(python=PYTHON, venv_location=".nox/oldest", default=False)
def parity_oldest(session: nox.Session) -> None:
    """`nox -s parity -- --stack oldest` comes here, to an environment of its own."""
    _climb(session, _options(session, default="oldest"))


def _options(session: nox.Session, default: str = "current") -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s parity --")
    parser.add_argument("--stack", choices=STACKS, default=default)
    parser.add_argument("--quick", action="store_true", help="fewer examples, the short study")
    return parser.parse_args(session.posargs)


def _climb(session: nox.Session, options: argparse.Namespace) -> None:
    """Every step runs, whatever the ones before it said, the report last; then the session fails if one did."""
    install(session, options.stack, "test")
    studies = ["digits-quick"] if options.quick else ["digits", "fashion-mnist"]
    steps = [
        ["check", "--examples", "25" if options.quick else "200", "--workers", "2"],
        ["curves"],
        ["defects", "--workers", "2"],
        *(["study", study, "--optional"] for study in studies),
        ["report"],
    ]
    failed = [" ".join(step[:2]) for step in steps if not _succeeds(session, step)]
    if failed:
        session.error(f"not shown: {', '.join(failed)}; see results/report/report.html")


def _succeeds(session: nox.Session, step: list[str]) -> bool:
    try:
        session.run("parity", *step, env=SINGLE_THREADED)
    except nox.command.CommandFailed:
        return False
    return True


@nox.session(python=PYTHON, venv_location=".nox/current")
def experiments(session: nox.Session) -> None:
    """The source course's experiments, on all three implementations."""
    install(session, "current", "test")
    session.run("parity", "experiment", "all", *session.posargs, env=SINGLE_THREADED)


@nox.session(python=PYTHON, venv_location=".nox/current")
def bench(session: nox.Session) -> None:
    """Speed and memory, as ratios within one run."""
    install(session, "current", "test")
    session.run("python", "-m", "benchmarks", *session.posargs)


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
