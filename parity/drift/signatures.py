"""The signatures of every class and function of a framework that parity names, as the installed release has them.

Which these are is read from parity's own source: whatever the frameworks' folders, the pairs and the catalogue reach by
a dotted name that begins with one of a framework's packages.
"""

from __future__ import annotations

import ast
import enum
import functools
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from parity.frameworks import framework
from parity.results.code import ROOT
from parity.results.records.fingerprints import SignatureRecord
from parity.results.store import plain
from parity.work.performing import Item, Records
from parity.work.pool import Call

KIND = SignatureRecord.KIND
ROOMS = ("frameworks", "mapping", "catalogue")
LAZY = "parity.frameworks.lazy"


def calls(frameworks: list[str]) -> list[Call]:
    """A call for each framework of which parity names anything."""
    return [Call(Item(KIND, f"{name}/*", {}), read, (name,)) for name in frameworks if named(name)]


def read(name: str) -> Records:
    """The records of everything callable that parity names in the framework called `name`."""
    found = {each: _reached(each) for each in named(name)}
    return [
        plain(
            SignatureRecord(
                key=f"{name}/{each}",
                framework=name,
                name=each,
                there=what is not None,
                parameters=None if what is None else parameters(what),
            )
        )
        for each, what in found.items()
        if what is None or callable(what)
    ]


def named(name: str) -> list[str]:
    """The dotted names, in parity's source, of what is in a package of the framework called `name`."""
    packages = framework(name).distributions
    return sorted(each for each in _named() if each.partition(".")[0] in packages)


def parameters(what: Any) -> dict[str, str] | None:
    """The parameters of a class or function, by name, and their defaults; None where it does not tell them.

    What stands behind a star can be given by its name alone, as Python writes it. An enumeration has those that Python
    gives it, which say nothing of the framework.
    """
    if isinstance(what, enum.EnumMeta):
        return None
    try:
        signature = inspect.signature(what)
    except (TypeError, ValueError):  # of what is compiled
        return None
    found: dict[str, str] = {}
    for each in signature.parameters.values():
        if each.kind is each.KEYWORD_ONLY and not any(name.startswith("*") for name in found):
            found["*"] = ""
        star = "*" * ((each.kind is each.VAR_POSITIONAL) + 2 * (each.kind is each.VAR_KEYWORD))
        found[star + each.name] = _written(each.default)
    return found


def _written(default: Any) -> str:
    return "" if default is inspect.Parameter.empty else re.sub(r" at 0x[0-9a-f]+", "", repr(default))


def _reached(name: str) -> Any:
    """Returns what has this dotted name in the installed release; None where nothing has."""
    package, *attributes = name.split(".")
    found: Any = importlib.import_module(package)
    for attribute in attributes:
        found = getattr(found, attribute, None)
    return found


@functools.cache
def _named() -> frozenset[str]:
    files = [path for room in ROOMS for path in (ROOT / "parity" / room).rglob("*.py")]
    return frozenset(name for path in files for name in _names_in(path))


def _names_in(path: Path) -> Iterator[str]:
    """Yields the dotted names in a file that begin with a module that it imports."""
    tree = ast.parse(path.read_bytes())
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {each.asname or each.name: each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == LAZY:
            modules |= {each.asname or each.name: _lazy()[each.name] for each in node.names}
    for node in ast.walk(tree):
        attributes: list[str] = []
        while isinstance(node, ast.Attribute):
            attributes.insert(0, node.attr)
            node = node.value
        if attributes and isinstance(node, ast.Name) and node.id in modules:
            yield ".".join([modules[node.id], *attributes])


@functools.cache
def _lazy() -> dict[str, str]:
    """The names under which modules are imported when they are first used, with those of the modules."""
    tree = ast.parse((ROOT / "parity" / "frameworks" / "lazy.py").read_bytes())
    made = [node for node in tree.body if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Call)]
    return {
        ast.unparse(node.target): ast.literal_eval(node.value.args[0])
        for node in made
        if isinstance(node.value, ast.Call)
    }
