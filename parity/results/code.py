"""The origin of a run: the code and the packages of the process that performed it."""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from parity.results.packages import packages

ROOT = Path(__file__).parents[2]
# A pair, a framework or a dataset is found by its name, not by an import: all of them count.
WHOLE = ("numpynet", "parity.frameworks", "parity.mapping")
BEGINNINGS = ("parity.training.experiment", "parity.training.studies", "parity.study.runs", "parity.study.arms")


@functools.cache
def origin() -> dict[str, str]:
    """The SHA-256 (hex) of the code that a run depends on, and the packages with their lock; as this process began."""
    data = [path for path in (ROOT / "numpynet" / "data").rglob("*") if path.is_file()]
    return {"code": digest([*dependencies(), *data]), "packages": packages()}


@functools.cache
def whole() -> str:
    """The SHA-256 (hex) of all code of both packages as it is written, comments and all.

    To parse it, as `digest` does, takes as long as some commands do.
    """
    return _hashed(_modules().values(), _as_written)


@functools.cache
def judging(*by: str) -> str:
    """The SHA-256 (hex) of everything that draws an example and judges it by these rooms of parity."""
    return digest(_judging(by))


@functools.cache
def judging_as_written(*by: str) -> str:
    """The SHA-256 (hex) of the same as it is written, comments and all, which every Python agrees on.

    A Python of another minor version parses a file to another tree, of which `judging` is the digest.
    """
    return _hashed(_judging(by), _as_written)


def _judging(by: Iterable[str]) -> list[Path]:
    rooms = [ROOT / "numpynet", *(ROOT / "parity" / room for room in ("drawing", "mapping", "rounding", *by))]
    files = [path for room in rooms for path in room.rglob("*.py")]
    return [*files, *(ROOT / "parity" / name for name in ("case.py", "formats.py", "ladder/cases.py"))]


def digest(files: Iterable[Path], but: str = "") -> str:
    """The SHA-256 (hex) of these files.

    Of Python files what is computed counts: comments, docstrings and layout may change, and a module's constant called
    `but`.
    """

    def content_of(path: Path) -> bytes:
        return _computed(path.read_bytes(), but) if path.suffix == ".py" else path.read_bytes()

    return _hashed(files, content_of)


def _hashed(files: Iterable[Path], content_of: Callable[[Path], bytes]) -> str:
    """The SHA-256 (hex) of the names of these files, and of what `content_of` makes of each."""
    found = hashlib.sha256()
    for path in sorted(set(files)):
        content = content_of(path)
        name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
        found.update(f"{name} {len(content)} ".encode() + content)
    return found.hexdigest()


def _as_written(path: Path) -> bytes:
    return path.read_bytes().replace(b"\r\n", b"\n")


def _computed(source: bytes, but: str) -> bytes:
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if not (but and but in _assigned(node))]
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and ast.get_docstring(node, clean=False) is not None
        ):
            node.body = node.body[1:]
    return ast.dump(tree).encode()


def _assigned(node: ast.stmt) -> list[str]:
    """The names that a statement assigns to, with a type or without."""
    if isinstance(node, ast.AnnAssign):
        return [ast.unparse(node.target)]
    return [ast.unparse(target) for target in node.targets] if isinstance(node, ast.Assign) else []


def dependencies() -> list[Path]:
    """Every module that a run can reach by imports, those within functions and those by `Lazy` names included.

    What only looks at runs (the report, the catalogue, the defects) is not reached: editing it repeats nothing.
    """
    modules = _modules()
    found = reachable(name for name in modules if name.startswith(WHOLE) or name in BEGINNINGS)
    return [modules[name] for name in found]


def reachable(beginnings: Iterable[str], but: frozenset[str] = frozenset()) -> set[str]:
    """The modules of both packages that these can reach by imports, themselves included; not through those of `but`."""
    modules, found, waiting = _modules(), set[str](), list(beginnings)
    while waiting:
        name = waiting.pop()
        if name in modules and name not in found | but:
            found.add(name)
            waiting += _imported(ast.parse(modules[name].read_bytes()))
    return found


def _modules() -> dict[str, Path]:
    """The files of both packages by the names of their modules."""
    files = [path for package in ("numpynet", "parity") for path in (ROOT / package).rglob("*.py")]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in files}


def _imported(module: ast.Module) -> Iterator[str]:
    """Yields what might be a module's name: what is imported, what is imported from it, and every other string."""
    waiting: list[ast.AST] = [module]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif not (isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            waiting += ast.iter_child_nodes(node)
