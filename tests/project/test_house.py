"""Rules of the house that import-linter, which `nox -s lint` runs, has no contract for."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "numpynet").rglob("*.py"))
DOWNLOADS = {"numpynet/datasets/files.py": {"pooch"}}  # imported when a file is to be fetched


def imported(file: str) -> set[str]:
    """The packages that a file imports, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / file).read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("." * node.level + (node.module or ""))
    return {name.split(".")[0] for name in found}


@pytest.mark.parametrize("file", FILES)
def test_numpynet_imports_nothing_but_numpy(file: str) -> None:
    allowed = {"numpy", "numpynet"} | DOWNLOADS.get(file, set())
    assert imported(file) - sys.stdlib_module_names <= allowed


def test_no_two_files_of_tests_have_one_name() -> None:
    """They are imported by their names, whatever the folder."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py")]
    assert len(names) == len(set(names))
