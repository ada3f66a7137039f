"""The modules that have mutants: those of numpynet that compute, and those of parity that judge; and their tests."""

from __future__ import annotations

import ast
import functools
from enum import Enum
from pathlib import Path

from parity.results.code import ROOT, reachable


class Of(str, Enum):
    """The code that is changed: numpynet, which the ladder must see, or parity's judgement, which tests must."""

    NUMPYNET = "numpynet"
    JUDGEMENT = "judgement"


# What reads files and draws nothing that the ladder compares, and what only trains: rung 4 and studies look at it.
APART = ("numpynet.datasets", "numpynet.training")
ROOMS = ("parity.ladder", "parity.rounding", "parity.statistics", "parity.study")
# What of the rooms judges nothing: it imports, puts a verdict into words, hands runs to processes, or reads and writes
# files.
NO_JUDGE = (
    "parity.statistics.lazy",
    "parity.statistics.wording",
    "parity.study.dask",
    "parity.study.own",
    "parity.study.registering",
    "parity.study.runs",
)


def modules(of: Of = Of.NUMPYNET) -> list[str]:
    """The modules of numpynet that compute what rungs 1 to 3 compare, or those of parity that judge."""
    roots = ("numpynet",) if of is Of.NUMPYNET else ROOMS
    files = [file for root in roots for file in ROOT.joinpath(*root.split(".")).rglob("*.py")]
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in files]
    # A package's own module hands on names alone, but for some of numpynet's.
    apart = (*APART, *NO_JUDGE)
    return sorted(name for name in names if name not in ("numpynet", *ROOMS) and not name.startswith(apart))


def kind(module: str) -> Of:
    """Returns what a module is part of."""
    return Of.NUMPYNET if module.split(".")[0] == "numpynet" else Of.JUDGEMENT


def path(module: str) -> Path:
    """The file of a module."""
    file = ROOT.joinpath(*module.split("."))
    return file.with_suffix(".py") if file.with_suffix(".py").is_file() else file / "__init__.py"


def files_of_tests(module: str) -> list[str]:
    """The files of tests that judge a module of parity: all of its room, and those of tests/meta that import it.

    However indirectly: but not through parity itself, which names everything.
    """
    room, meta = ROOT / "tests" / "parity" / module.split(".")[1], ROOT / "tests" / "meta"
    found = sorted(room.glob("test_*.py"))
    found += [file for file in sorted(meta.glob("test_*.py")) if module in _reached(file)]
    return [file.relative_to(ROOT).as_posix() for file in found]


@functools.cache
def _reached(file: Path) -> set[str]:
    nodes = [node for node in ast.walk(ast.parse(file.read_bytes())) if isinstance(node, ast.ImportFrom)]
    named = [f"{node.module}.{each.name}" for node in nodes for each in node.names]
    return reachable([*named, *(node.module or "" for node in nodes)], but=frozenset({"parity"}))
