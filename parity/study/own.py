"""Experiments of one's own, named by file and variable, such as `training.py:WIDE`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from parity.results.code import digest
from parity.training.experiment import Experiment
from parity.training.studies import STUDIES


def find(place: str, folder: Path) -> Experiment:
    """The experiment at `place`: one of parity's by its name, or "FILE.py:VARIABLE", the file relative to `folder`.

    The file's folder is put on the path, so that processes that perform runs find it too. Raises LookupError where
    there is no such experiment, and ValueError for a file that is called as another module is.
    """
    if ":" not in place:
        if place not in STUDIES:
            raise LookupError(f"no experiment is called {place!r}: {', '.join(STUDIES)}, or FILE.py:VARIABLE")
        return STUDIES[place]
    path, variable = _file(place, folder), place.rpartition(":")[2]
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    module = importlib.import_module(path.stem)
    if Path(module.__file__ or "").resolve() != path:
        raise ValueError(f"{path} is called as the module {module.__file__}: give the file another name")
    found = getattr(module, variable, None)
    if not isinstance(found, Experiment):
        raise LookupError(f"{path} has no parity.training.experiment.Experiment called {variable}")
    return found


def code(place: str, folder: Path) -> str:
    """The SHA-256 (hex) of what the file at `place` computes; empty for an experiment of parity's own."""
    return digest([_file(place, folder)]) if ":" in place else ""


def _file(place: str, folder: Path) -> Path:
    path = (folder / place.rpartition(":")[0]).resolve()
    if path.suffix != ".py" or not path.is_file():
        raise LookupError(f"{path} is no Python file that has an experiment")
    return path
