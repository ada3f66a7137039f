"""Stacks: the exact versions that a verdict is about, and the environments made of them.

`<stack>.in` names the few packages that make the stack and the Pythons that have wheels of all of them. `nox -s lock`
resolves it, with this project's own dependencies, to `<stack>-py3.XX.txt`: every package of the environment, pinned,
test tools too. What torch's ordinary wheel brings for graphics cards (several GB) stands beside it in
`<stack>-py3.XX-cuda.txt`: pinned as well, but installed only where torch's wheel asks for it, so that a build of
torch for the CPU needs none of it.

A stack of one's own is a file of requirements, whose path stands for its name. The locks are resolved for Linux on
x86-64, where CI runs; another platform gets the same versions where they exist, and is told what else it installed. A
stack without locks floats. noxfile.py makes the environments; this module needs nothing but Python.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).parent
LOCKED = ("current", "oldest", "docs", "tools")  # docs is current, with what builds the documentation beside it
# What torch's wheels for CUDA require and its wheels for the CPU do not.
CUDA = re.compile(r"(nvidia|cuda)-.*|triton")
# The packages that compute, in the order in which one after another can be a newer one.
UPWARDS = ("torch", "tensorflow", "keras", "numpy")
# The project itself, which is installed from the checkout.
OURS = "numpynet-parity"


class StackError(Exception):
    """Raised where no environment can be made; the message says why and what to do."""


def own(stack: str) -> bool:
    """Tells whether a stack is somebody's own: the path of a file of requirements instead of a name."""
    return stack.endswith((".txt", ".in"))


def name(stack: str) -> str:
    """The stack's name; a file's is that of the file. Raises StackError for a file that is called as one of ours."""
    if not own(stack):
        return stack
    found = Path(stack).stem
    if not Path(stack).is_file():
        raise StackError(f"there is no file {stack}")
    if (FOLDER / f"{found}.in").exists():
        raise StackError(f"{stack} is called as the stack {found} is: give the file another name")
    return found


def pythons(stack: str) -> list[str]:
    """The Pythons that the stack's packages support, such as ["3.11", "3.12"], oldest first.

    Those of the tools where a file of somebody's own has no line "# pythons: 3.XX ...".
    """
    found = re.search(r"^# pythons: (.+)$", source(stack).read_text(), re.MULTILINE)
    assert found is not None or own(stack), f"{source(stack)} has a line '# pythons: 3.XX ...'"
    return found[1].split() if found else pythons("tools")


def source(stack: str) -> Path:
    """The file that names the packages which make the stack."""
    return Path(stack) if own(stack) else FOLDER / f"{stack}.in"


def floats(stack: str, python: str) -> bool:
    """Tells whether the stack may be another one tomorrow: it has no lock, and names a package without its version."""
    if lock(stack, python).exists():
        return False
    try:
        return not pins(source(stack))
    except ValueError:
        return True


def lock(stack: str, python: str) -> Path:
    """The file that pins every package of the environment; a stack that floats has none."""
    return FOLDER / f"{name(stack)}-py{python}.txt"


def cuda(stack: str, python: str) -> Path:
    """The file that pins what only torch's wheels for CUDA require; a stack without torch has none."""
    return FOLDER / f"{name(stack)}-py{python}-cuda.txt"


def pins(path: Path) -> dict[str, str]:
    """The version of each package of a lock; there is none if there is no such file.

    Raises ValueError for a line that pins nothing.
    """
    found: dict[str, str] = {}
    if not path.exists():
        return found
    for line in path.read_text().splitlines():
        requirement = line.split("#")[0].strip()
        if not requirement:
            continue
        pin = re.fullmatch(r"([\w.-]+)==([\w.!+]+)", requirement)
        if pin is None:
            raise ValueError(f"{path.name} pins nothing in the line {line!r}")
        found[normalized(pin[1])] = pin[2]
    return found


def replaced(requirements: Iterable[str], stack: str, python: str) -> str:
    """A stack of one's own, as the text of its file: a stack's lock with some of its packages in other versions.

    Raises StackError where a requirement is not PACKAGE==VERSION, of a package that the lock names.
    """
    pinned = pins(lock(stack, python))
    changed = dict(pinned)
    for requirement in requirements:
        found = re.fullmatch(r"([\w.-]+)==([\w.]+)", requirement)
        if found is None or normalized(found[1]) not in pinned:
            raise StackError(
                f"{requirement!r} is no stack, and not PACKAGE==VERSION of a package of {stack}, such as torch==2.9.1 "
                "or tensorflow-cpu==2.20.0"
            )
        changed[normalized(found[1])] = found[2]
    lines = [f"# pythons: {python}", *(f"{name}=={version}" for name, version in changed.items())]
    return "\n".join(lines) + "\n"


def ended(folder: Path, command: str, commit: str) -> bool:
    """Tells whether the last run of this command of parity, in a results folder, came to its end at this commit."""
    plans = folder / "plans.jsonl"
    if not (commit and plans.exists()):
        return False
    last: dict[str, object] = {}
    for line in plans.read_text(encoding="utf-8").splitlines():
        try:
            plan = json.loads(line)
        except ValueError:  # torn by a kill
            continue
        if plan["command"].replace(":", " ") == command:
            last = plan
    return bool(last.get("ended")) and last.get("commit") == commit


def one_at_a_time(before: Path, after: Path) -> list[list[str]]:
    """The stacks between two, whose results folders these are, such as [["torch==2.13.0"], ["torch==2.13.0", ...]].

    Each has one package more in the version of `after`, beside all others as `before` has them; the last one that is
    left is that of `after` itself, unless Python is another one, too. Frameworks come before NumPy where that goes up,
    since the newer ones work with older ones of NumPy, and after it where it goes down.
    """
    environments = [json.loads((folder / "environment.json").read_text(encoding="utf-8")) for folder in (before, after)]
    old, new = (environment["packages"] for environment in environments)
    order = [name for name in UPWARDS if name in old and name in new and old[name] != new[name]]
    if order and _numbers(new[order[-1]]) < _numbers(old[order[-1]]):
        order.reverse()
    pins = [f"{name}=={new[name]}" for name in order]
    minor = [environment["python"].rpartition(".")[0] for environment in environments]
    return [pins[:count] for count in range(1, len(pins) + (minor[0] != minor[1]))]


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def normalized(name: str) -> str:
    """A distribution's name as indexes compare it: Jinja2 is jinja2, ml_dtypes is ml-dtypes."""
    return re.sub(r"[-_.]+", "-", name).lower()


def split(resolved: str, header: str) -> tuple[str, str]:
    """The texts of a resolved stack's lock, and of what only torch's wheels for CUDA require, each below `header`."""
    parts: tuple[list[str], list[str]] = ([header], [header])
    for line in resolved.splitlines():
        parts[CUDA.fullmatch(line.split("==")[0]) is not None].append(line)
    lock, cuda = ("\n".join(lines) + "\n" for lines in parts)
    return lock, cuda


def digest(stack: str, python: str, project: object) -> str:
    """The SHA-256 (hex) of what an environment is made of: the stack's files and `project`, in JSON's types."""
    files = [path for path in (source(stack), lock(stack, python), cuda(stack, python)) if path.exists()]
    text = json.dumps([[path.read_text() for path in files], project], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def lock_digest(stack: str, python: str) -> str | None:
    """The SHA-256 (hex) of what the lock pins, whatever its comments say; None for a stack that floats."""
    if not lock(stack, python).exists():
        return None
    both = {**pins(lock(stack, python)), **pins(cuda(stack, python))}
    return hashlib.sha256(json.dumps(both, sort_keys=True).encode()).hexdigest()


def deviations(stack: str, python: str, installed: dict[str, str]) -> list[str]:
    """Sentences on the installed packages that are not what the lock says, one each.

    A local label is no deviation: 2.13.0+cpu is a build of 2.13.0.
    """
    required = pins(lock(stack, python))
    allowed = required | pins(cuda(stack, python))
    found = {normalized(name): version for name, version in installed.items()}
    found.pop(OURS, None)
    said = []
    for name, version in sorted(found.items()):
        if name not in allowed:
            said.append(f"{name} {version} is installed, and the lock does not name it")
        elif version.split("+")[0] != allowed[name].split("+")[0]:
            said.append(f"{name} {version} is installed, and the lock says {allowed[name]}")
    said += [f"{name} {version} is missing" for name, version in sorted(required.items()) if name not in found]
    return said


def installed(program: str | Path) -> dict[str, str]:
    """The version of each distribution that is installed for an interpreter."""
    code = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    # -I: a PYTHONPATH of the caller's is no part of the environment.
    done = subprocess.run([str(program), "-I", "-c", code], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def interpreter(stack: str, wanted: str | None = None, running: str = sys.executable) -> tuple[str, str]:
    """The Python that the stack's environment is made with, as (version such as "3.12", program).

    It is `wanted`, or else the one that is running, or else, where the stack does not support that one, the newest
    supported one on the PATH. Raises StackError, which says what would do, where there is none.
    """
    supported = pythons(stack)
    here = version(running)
    if wanted is None and here in supported:
        return here, running
    if wanted is not None and wanted not in supported:
        raise StackError(f"Python {wanted} was asked for; {_supported(stack)}")
    for candidate in [wanted] if wanted else reversed(supported):
        program = running if candidate == here else shutil.which(f"python{candidate}")
        # A program of that name may be there and not run: pyenv's stands for versions that are not switched on.
        if program and version(program) == candidate:
            return candidate, program
    if wanted:
        raise StackError(f"Python {wanted} was asked for, and no python{wanted} on the PATH runs; {_supported(stack)}")
    raise StackError(
        f"nox runs on Python {here}; {_supported(stack)}. Install one of them, so that its "
        f"python3.XX is on the PATH, or run nox with it"
    )


def version(program: str) -> str | None:
    """The version of an interpreter, such as "3.12", or None where it does not run."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([program, "-I", "-c", code], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _supported(stack: str) -> str:
    others = [
        f"{other} runs on {', '.join(pythons(other))}"
        for other in ("current", "oldest")
        if other != stack and stack in ("current", "oldest", "newest")
    ]
    return f"the stack {stack} runs on Python {', '.join(pythons(stack))}" + "".join(f" ({text})" for text in others)
