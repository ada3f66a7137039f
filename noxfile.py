"""The sessions, which `nox -l` lists. Environments are made of the locks in stacks/ and kept, one for each stack."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import nox

sys.path.insert(0, str(Path(__file__).parent))  # nox does not
import stacks

nox.options.sessions = ["lint", "typecheck", "tests"]

STACKS = ("current", "oldest", "newest")
# One process must not take the cores that another one counts on.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
# A file is one process's, so that what it computes once is; xdist would put those of many tests first, which are not
# the long ones, and end with a long one alone.
PYTEST = ("pytest", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
# Many processes import the same modules, which the first of them compiles for all.
SINGLE_THREADED = dict.fromkeys(THREADS, "1") | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONDONTWRITEBYTECODE": ""}


class Environment:
    """A stack and this project in .nox/<stack>-py3.XX, shared by all sessions: torch and TensorFlow are installed once.

    stack.json in it says which lock it was made of. It is written last, so that an environment without it is one whose
    installation was interrupted; that one, and one whose lock or pyproject.toml has changed since, is made anew.
    PARITY_TORCH_INDEX names an index of CPU wheels for torch; unset, pip decides.
    """

    def __init__(self, session: nox.Session, stack: str, python: str | None = None) -> None:
        self.session, self.stack = session, stack
        try:
            name = stacks.name(stack)
            self.python, interpreter = stacks.interpreter(stack, python)
        except stacks.StackError as error:
            session.error(str(error))
        self.folder = Path(".nox", f"{name}-py{self.python}").absolute()
        self.programs = self.folder / ("Scripts" if os.name == "nt" else "bin")
        stamp, made_of = self.folder / "stack.json", json.dumps(self._made_of(), indent=1) + "\n"
        runs = stacks.version(str(self.programs / "python")) == self.python  # the Python below it may have gone
        if not runs or not stamp.exists() or stamp.read_text() != made_of:
            session.log(f"making {self.folder.name}, which takes some minutes")
            stamp.unlink(missing_ok=True)
            session.run(interpreter, "-m", "venv", "--clear", str(self.folder), external=True)
            self._install()
            stamp.write_text(made_of)

    def run(self, program: str, *arguments: str, env: dict[str, str] | None = None) -> None:
        self.session.run(str(self.programs / program), *arguments, env=env, external=True)

    def succeeds(self, program: str, *arguments: str, env: dict[str, str] | None = None) -> bool:
        try:
            self.run(program, *arguments, env=env)
        except nox.command.CommandFailed:
            return False
        return True

    def _made_of(self) -> dict[str, str | None]:
        # What floats is made anew on another day.
        floats = datetime.date.today().isoformat() if stacks.floats(self.stack, self.python) else None
        project = nox.project.load_toml("pyproject.toml")["project"]
        return {
            "stack": self.stack,
            "lock": stacks.lock_digest(self.stack, self.python),
            "made of": stacks.digest(self.stack, self.python, [project, floats, str(self.folder)]),
        }

    @property
    def locked(self) -> bool:
        """Tells whether the stack has a lock; if not, it floats."""
        return stacks.lock(self.stack, self.python).exists()

    def _install(self) -> None:
        if not self.locked:
            self.pip("-r", str(stacks.source(self.stack)), "-e", ".[test]")
            return
        lock, cuda = stacks.lock(self.stack, self.python), stacks.cuda(self.stack, self.python)
        constraints = ("-c", str(cuda)) if cuda.exists() else ()
        torch = stacks.pins(lock).get("torch")
        if torch and (index := os.environ.get("PARITY_TORCH_INDEX")):
            # Nothing but torch itself: what it requires is in the lock, and may not be in that index.
            self.pip("--no-deps", f"torch=={torch}", "--index-url", index)
        self.pip("-r", str(lock), *constraints)
        if self.stack != "tools":  # which read the checkout
            self.pip("--no-deps", "--no-build-isolation", "-e", ".")  # by the lock's setuptools, not by today's
        if said := stacks.deviations(self.stack, self.python, stacks.installed(self.programs / "python")):
            message = f"{self.folder.name} is not what {lock.name} says: " + "; ".join(said)
            if sys.platform == "linux" and platform.machine() == "x86_64":
                self.session.error(message)
            self.session.warn(f"{message} (the locks are resolved for Linux on x86-64)")

    def beside(self, name: str, pin: str) -> Path:
        """The folder of a package that the environment must not hold, at this version; it is installed once."""
        folder = self.folder.with_name(f"{name}-{pin}-py{self.python}")
        if not folder.exists():
            part = folder.with_name(f"{folder.name}-part")
            shutil.rmtree(part, ignore_errors=True)
            self.pip("--no-deps", "--target", str(part), f"{name}=={pin}")
            part.rename(folder)
        return folder

    def in_front(self, pins: Mapping[str, str], *more: Path) -> dict[str, str]:
        """The variables of a process that imports these packages, which the environment must not hold, by itself."""
        folders = [*(self.beside(name, pin) for name, pin in pins.items()), *more]
        return SINGLE_THREADED | {"PYTHONPATH": os.pathsep.join(map(str, folders))}

    def pip(self, *arguments: str) -> None:
        """Installs, and shows what pip says where it fails: by --quiet it keeps back which versions conflict."""
        program = str(self.programs / "python")
        install = ("-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off")
        self.session.run(program, *install, *arguments, silent=True, external=True)


def asked(session: nox.Session, *flags: str) -> tuple[argparse.Namespace, list[str]]:
    """The values of the options that sessions share and of `flags`, and the arguments that are left for the program."""
    parser = argparse.ArgumentParser(prog=f"nox -s {session.name} --", add_help=False)
    parser.add_argument("--stack", type=_stack, default="current", metavar="{current,oldest,newest,FILE.txt}")
    parser.add_argument("--python", metavar="3.XX")
    for flag in flags:
        parser.add_argument(flag, action="store_true")
    return parser.parse_known_args(session.posargs)


def _stack(text: str) -> str:
    if text in STACKS or stacks.own(text):
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is no stack: {', '.join(STACKS)}, or a file of requirements (.txt)")


def command(session: nox.Session, *arguments: str, env: dict[str, str] | None = SINGLE_THREADED) -> None:
    """Runs one of parity's commands in the stack's environment.

    Arguments of the session that are none of its options go to the command.
    """
    options, rest = asked(session)
    Environment(session, options.stack, options.python).run("parity", *arguments, *rest, env=env)


@nox.session(python=False)
def tests(session: nox.Session) -> None:
    """Runs the test suite; arguments go to pytest. -- [--stack STACK] [--python 3.XX]"""
    options, rest = asked(session)
    environment = Environment(session, options.stack, options.python)
    env = SINGLE_THREADED | triton(environment)
    # A warning is an error on the stack that is worked with; older and newer releases warn of what is not ours to mend.
    lenient = () if options.stack == "current" else ("-W", "default")
    environment.run(*PYTEST, *lenient, *(rest or ["tests"]), env=env)


def triton(environment: Environment) -> dict[str, str]:
    """The environment variable that names the folder of triton for the tests; empty where triton has no wheels.

    Torch's ordinary wheel brings triton, which crashes when loaded after TensorFlow. It has a folder of its own, since
    the environment need not have it.
    """
    pin = stacks.pins(stacks.cuda(environment.stack, environment.python)).get("triton")
    if pin is None or sys.platform != "linux" or platform.machine() != "x86_64":
        return {}
    return {"PARITY_TRITON": str(environment.beside("triton", pin))}


# Each process that the tests start counts its lines too, but one that may not write. A pool kills its workers: here it
# asks them to end, since who is killed writes nothing down.
COUNTING = """
import resource
from multiprocessing.process import BaseProcess

import coverage

BaseProcess.kill = BaseProcess.terminate
if resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY:
    coverage.process_startup()
"""


@nox.session(python=False, default=False)
def coverage(session: nox.Session) -> None:
    """Runs the test suite, and shows the lines of both packages that no test reaches. -- [--python 3.XX]"""
    options, rest = asked(session)
    environment = Environment(session, options.stack, options.python)
    pin = stacks.pins(stacks.lock("tools", environment.python))["coverage"]
    folder, found = environment.beside("coverage", pin), Path("build", "coverage").absolute()
    shutil.rmtree(found, ignore_errors=True)
    found.mkdir(parents=True)
    (found / "sitecustomize.py").write_text(COUNTING)  # which Python imports when it starts
    env = {
        "PYTHONPATH": os.pathsep.join(map(str, (found, folder, Path.cwd()))),
        "COVERAGE_FILE": str(found / "data"),
        "COVERAGE_PROCESS_START": str(Path("pyproject.toml").absolute()),
    }
    counted = SINGLE_THREADED | triton(environment) | env
    passed = environment.succeeds(*PYTEST, *(rest or ["tests"]), env=counted)
    report = {name: value for name, value in env.items() if name != "COVERAGE_PROCESS_START"}
    environment.run("python", "-m", "coverage", "combine", "--quiet", env=report)
    environment.run("python", "-m", "coverage", "html", "--quiet", "--directory", str(found / "html"), env=report)
    environment.run("python", "-m", "coverage", "report", env=report)
    session.log(f"line by line: {(found / 'html' / 'index.html').relative_to(Path.cwd())}")
    if not passed:
        session.error("a test failed, so that lines may be missing")


@nox.session(python=False)
def parity(session: nox.Session) -> None:
    """Runs the ladder, defects, studies and report. -- [--stack STACK] [--python 3.XX] [--quick] [--install-only]"""
    options, rest = asked(session, "--quick", "--install-only")
    if rest:
        session.error(f"{rest[0]!r} is no option of this session: `nox -l` shows those that are")
    environment = Environment(session, options.stack, options.python)
    if options.install_only:
        return
    if options.quick:
        session.log("QUICK: 40 of the 60 examples, no modes, the short study; the main job is `nox -s parity`")
    studies = ["digits-quick"] if options.quick else ["digits", "digits-convolutional", "fashion-mnist"]
    # What is wrong on purpose comes last: no process that has computed it computes evidence.
    steps = [
        f"check --examples {40 if options.quick else 60}",
        "fingerprint",
        *([] if options.quick else ["modes"]),
        "curves",
        *(f"study {study} --optional" for study in studies),
        "defects",
        "twins",
        "report",
    ]
    environment.run("parity", "run", *(["--quick"] if options.quick else []), *steps, env=SINGLE_THREADED)


@nox.session(python=False, default=False)
def experiments(session: nox.Session) -> None:
    """Runs the source notebooks' experiments on all three implementations: hours; resumes. -- --quick takes minutes."""
    command(session, "experiment", "all")


@nox.session(python=False, default=False)
def calibrate(session: nox.Session) -> None:
    """Simulates the error rates of rung 5's procedures; the report shows them."""
    command(session, "calibrate")


@nox.session(python=False, default=False)
def machines(session: nox.Session) -> None:
    """Runs the ladder on one machine that stands for many: other processors' instructions, kernels and threads."""
    command(session, "machines", env=None)  # threads and instructions are what it varies


# What a stack is compared by: the commands, with their options, in the order in which they are run.
EVIDENCE = {
    "fingerprint": [],
    "check": ["--examples", "10"],
    "modes": [],
    "curves": [],
    "study digits-quick": ["--optional"],
}


@nox.session(python=False, default=False)
def drift(session: nox.Session) -> None:
    """Says what changed between stacks. -- FOLDER FOLDER [--floor FOLDER], or --from torch==2.9.1 ... [--to current]"""
    options, rest = asked(session)
    parser = argparse.ArgumentParser(prog="nox -s drift --", add_help=False)
    parser.add_argument("--from", dest="before", nargs="+", type=_stack_or_version, metavar="STACK")
    parser.add_argument("--to", dest="after", nargs="+", type=_stack_or_version, metavar="STACK", default=["current"])
    named, rest = parser.parse_known_args(rest)
    if named.before:
        environment, before = evidence(session, named.before, options.python)
        _, after = evidence(session, named.after, options.python)
        rest = [str(folder) for folder in (before, *between(session, environment, before, after), after)] + rest
    Environment(session, options.stack, options.python).run("parity", "drift", *rest, env=SINGLE_THREADED)


def _stack_or_version(text: str) -> str:
    return text if "==" in text else _stack(text)


def evidence(session: nox.Session, named: list[str], python: str | None) -> tuple[Environment, Path]:
    """A stack and its results folder with all that it is compared by; what is missing, or of another commit, is made.

    The stack is one of ours, a file, or the current one with other versions of one or more packages.
    """
    stack, *more = named
    if more or "==" in stack:
        try:
            pinned = stacks.interpreter("current", python)[0]
            text = stacks.replaced(named, "current", pinned)
        except stacks.StackError as error:
            session.error(str(error))
        name = "-".join(["current", *(pin.replace("==", "-") for pin in sorted(named))])
        file = Path(".nox", "stacks", f"{name}.txt")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        stack = str(file)
    environment = Environment(session, stack, python)
    folder = Path("results", "drift", environment.folder.name)
    for words in missing(folder):
        # Whatever it says: drift tells what changed, and what is missing.
        environment.succeeds("parity", *words, env=SINGLE_THREADED)
    return environment, folder


def between(session: nox.Session, environment: Environment, before: Path, after: Path) -> list[Path]:
    """The results folders of the stacks between two, made where they are missing: each changes one package more.

    They are made of the older environment, with the other releases in front of it.
    """
    folders = []
    for pins in stacks.one_at_a_time(before, after):
        folder = before.with_name("-".join([before.name, *(pin.replace("==", "") for pin in pins)]))
        if commands := [word for words in missing(folder) for word in ("--", *words)]:
            session.log(f"measuring {before.name} with {', '.join(pins)}, so that a change names its package")
            environment.succeeds("parity", "release", *pins, *commands, env=SINGLE_THREADED)
        if (folder / "environment.json").exists():
            folders.append(folder)
        else:
            session.warn(f"{', '.join(pins)} does not work beside the rest: the step over it changes several packages")
    return folders


def missing(folder: Path) -> list[list[str]]:
    """The commands, with their options, that make what a stack is compared by, and have not ended at this commit."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return [
        [*command.split(), *arguments, "--results", str(folder)]
        for command, arguments in EVIDENCE.items()
        if not stacks.ended(folder, command, done.stdout.strip())
    ]


@nox.session(python=False, default=False)
def soak(session: nox.Session) -> None:
    """Counts how often a right implementation is called wrong, on fresh examples. -- --examples N --seed S; resumes."""
    command(session, "soak")


# cosmic-ray and what its operators import. Its reports require yattag, which has no wheel, so that no lock can hold it.
MUTATION = {"cosmic-ray": "8.7.0", "parso": "0.8.7", "stevedore": "5.10.0", "attrs": "26.1.0"}


@nox.session(python=False, default=False)
def mutants(session: nox.Session) -> None:
    """Changes numpynet (or --of judgement) in small ways, which the ladder (tests) must see. -- --sample N; resumes."""
    options, rest = asked(session)
    environment = Environment(session, options.stack, options.python)
    environment.run("parity", "mutants", *rest, env=environment.in_front(MUTATION))


@nox.session(python=False, default=False)
def thresholds(session: nox.Session) -> None:
    """Finds how small an error of torch is seen, class by class. -- [--pair NAME] [--keep]; resumes."""
    command(session, "thresholds")


@nox.session(python=False, default=False)
def boundaries(session: nox.Session) -> None:
    """Finds, by installing releases, between which two each version condition of the catalogue changes."""
    command(session, "boundaries")


@nox.session(python=False, default=False)
def examples(session: nox.Session) -> None:
    """Prints digests of what is drawn for each pair, dtype and seed: equal ones mean the same examples."""
    command(session, "examples")


@nox.session(python=False, default=False)
def bench(session: nox.Session) -> None:
    """Measures speed and memory, as ratios within one run."""
    options, rest = asked(session)
    Environment(session, options.stack, options.python).run("python", "-m", "benchmarks", *rest)


@nox.session(python=False, default=False)
def mistakes(session: nox.Session) -> None:
    """Plants a gallery of porting mistakes, which `parity compare` must tell as their page says, and no right port."""
    options, rest = asked(session)
    environment = Environment(session, options.stack, options.python)
    environment.run("python", "-m", "benchmarks.mistakes", "--check", *rest, env=SINGLE_THREADED)


# What the page of architectures was made with. They require torch, whose version the stack has.
ARCHITECTURES = {"torchvision": "0.28.0", "timm": "1.0.31", "huggingface_hub": "2.4.0"}


@nox.session(python=False, default=False)
def architectures(session: nox.Session) -> None:
    """Compares architectures of torchvision, timm and keras.applications: an hour. -- [NAME ...] [--keep]"""
    options, rest = asked(session)
    environment = Environment(session, options.stack, options.python)
    env = environment.in_front(ARCHITECTURES, Path.cwd())
    environment.run("python", "-m", "benchmarks.architectures", *(rest or ["--check"]), env=env)


@nox.session(python=False, default=False)
def docs(session: nox.Session) -> None:
    """The documentation, in docs/_build: its tutorial and examples are run, its links followed; warnings are errors."""
    environment = Environment(session, "docs", asked(session)[0].python)
    for builder in ("html", "doctest"):
        environment.run(
            *("sphinx-build", "--builder", builder, "--fail-on-warning", "--keep-going", "--quiet"),
            *("docs", f"docs/_build/{builder}"),
            env=SINGLE_THREADED,
        )
    session.log("docs/_build/html/index.html")


@nox.session(python=False)
def lint(session: nox.Session) -> None:
    """Checks formatting and spelling, lints, and checks which package may import which, as pyproject.toml says."""
    environment = Environment(session, "tools", asked(session)[0].python)
    environment.run("ruff", "format", "--check", ".")
    environment.run("ruff", "check", ".")
    environment.run("codespell")
    environment.run("lint-imports", "--no-cache")


@nox.session(python=False)
def typecheck(session: nox.Session) -> None:
    """Runs mypy --strict on everything that is Python; the frameworks are not needed."""
    Environment(session, "tools", asked(session)[0].python).run("mypy")


@nox.session(default=False)
def lock(session: nox.Session) -> None:
    """Resolves stacks/*.in to locks for each Python; what is locked stays. -- --upgrade renews all."""
    session.install("uv==0.13.9", silent=True)
    for stack in stacks.LOCKED:
        for python in stacks.pythons(stack):
            files = stacks.lock(stack, python), stacks.cuda(stack, python)
            # What these take beside it is what current has, where both have it.
            constraints = [
                path
                for path in (stacks.lock("current", python), stacks.cuda("current", python))
                if stack in ("docs", "tools") and path.exists()
            ]
            with tempfile.TemporaryDirectory() as folder:
                resolved = Path(folder, "resolved.txt")
                resolved.write_text("".join(path.read_text() for path in files if path.exists()))
                session.run(
                    *("uv", "pip", "compile", str(stacks.source(stack).relative_to(Path.cwd()))),
                    *([str(stacks.source("current").relative_to(Path.cwd()))] if stack == "docs" else []),
                    *(("pyproject.toml", "--extra", "test") if stack != "tools" else ()),
                    *("--python-version", python, "--python-platform", "x86_64-manylinux_2_28"),
                    # Wheels of releases alone: what has to be compiled differs from machine to machine.
                    *("--only-binary", ":all:", "--prerelease", "disallow"),
                    *("--no-config", "--no-header", "--no-emit-index-url", "--no-emit-find-links"),
                    *("--annotation-style", "line", "--quiet", "--output-file", str(resolved)),
                    *(argument for path in constraints for argument in ("--constraints", str(path))),
                    *session.posargs,
                    silent=True,
                )
                parts = stacks.split(resolved.read_text(), f"# Python {python}: made by `nox -s lock`, not by hand.")
            for path, text in zip(files, parts, strict=True):
                if text.count("\n") > 1:  # the tools have no torch
                    path.write_text(text)
