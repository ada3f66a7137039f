"""What holds for all tests."""

from __future__ import annotations

import gc
import itertools
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from parity.results import evidence
from parity.starting import left_alone, lighten

# The same examples every time: a test that is red today and green tomorrow shows nothing on either day.
settings.register_profile("parity", derandomize=True, database=None)
settings.load_profile("parity")

# A command of a test has little to do, and tests run side by side.
os.environ.setdefault("PARITY_WORKERS", "1")

COUNT = itertools.count()
COMMITTED = evidence.FOLDER


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Importing makes objects that stay, both frameworks among them: nothing is gained by looking through them."""
    lighten()
    with left_alone():
        return (yield)


@pytest.fixture(autouse=True)
def kept(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of kept evidence: an empty one, since a test that soaks must do so itself."""
    folder = tmp_path_factory.getbasetemp() / f"kept-{next(COUNT)}"  # made by who keeps something, which few tests do
    monkeypatch.setattr(evidence, "FOLDER", folder)
    evidence.stored.cache_clear()
    return folder


@pytest.fixture
def committed(kept: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the evidence that is kept with the code, for tests of what is in it."""
    monkeypatch.setattr(evidence, "FOLDER", COMMITTED)
    evidence.stored.cache_clear()
    return COMMITTED


@pytest.fixture(autouse=True, scope="session")
def without_waiting_for_the_disk() -> Iterator[None]:
    """Records are not synced in this process: nobody pulls the plug."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda descriptor: None)
        yield


@pytest.fixture(autouse=True, scope="module")
def settled() -> Iterator[None]:
    """What a module leaves is out of the garbage collector's sight.

    With both frameworks loaded a collection took half a second, and all of them two fifths of what the tests compute.
    """
    yield
    gc.collect()
    gc.freeze()
