"""A copy of the checkout with a mutant in it, and the process that runs tests there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parity.mutants.modules import path
from parity.mutants.mutant import Mutant
from parity.results.code import ROOT

PARTS = ("numpynet", "parity", "tests", "examples", "README.md", "pyproject.toml")  # what the tests read
PATIENCE = 10  # on a busy machine a process has a tenth of a processor
FORKING = Path(__file__).with_name("forking.py")


@dataclass(frozen=True)
class Ran:
    """The outcome of running tests until one failed.

    by: the test that failed, or how the process ended; empty where all passed
    seconds: how long each test took that was run
    imported: the modules of other packages that they needed
    """

    by: str
    seconds: Mapping[str, float] = field(default_factory=dict)
    imported: Sequence[str] = ()


class Checkout:
    """A copy of `source` in a folder that does not exist, and a process that runs tests in it.

    imported: the modules of other packages that the process imports once for all
    """

    def __init__(self, folder: Path, source: Path = ROOT, imported: Sequence[str] = ()) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        for part in PARTS:
            if (source / part).is_dir():
                shutil.copytree(source / part, folder / part)
            else:
                shutil.copy2(source / part, folder / part)
        temporary = folder / "tmp"
        temporary.mkdir()
        env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        # The copy comes first, before the checkout that is installed.
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
        env["TMPDIR"] = str(temporary)
        self.process = subprocess.Popen(
            [sys.executable, str(FORKING), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=env,
        )
        self._ask({"import": list(imported)})

    def close(self) -> None:
        """End the process; the copy stays."""
        self.process.kill()
        self.process.communicate()

    def run(
        self,
        tests: Sequence[str],
        limit: int,
        seconds: Mapping[str, float] | None = None,
        bytecode: bool = False,
        patience: int = PATIENCE,
    ) -> Ran:
        """Run the tests of these files, quick ones first as far as `seconds` tells, until one fails.

        They are ended after `limit` seconds of computing, or `patience` times as many of the clock. Bytecode is written
        where it is asked for: not of a file that will be what it was.
        """
        asked = {"tests": list(tests), "seconds": dict(seconds or {}), "bytecode": bytecode}
        self._ask({**asked, "limit": limit, "waiting": patience * limit})
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process that runs tests in {self.folder} has died")
        found = json.loads(line)
        if "raised" in found:
            raise RuntimeError(found["raised"])
        if "late" in found:
            return Ran(f"more than {found['late']} s")
        if "signal" in found:
            return Ran(f"exit code {found['signal']}")
        by = "" if found["code"] == 0 else found["failed"] or f"pytest's exit code {found['code']}"
        return Ran(by, found["seconds"], found["imported"])

    @contextmanager
    def planted(self, mutant: Mutant) -> Iterator[None]:
        """A context in which the copy has the mutant."""
        original = path(mutant.module)
        place = self.folder / original.relative_to(ROOT)
        place.write_text(mutant.source(), "utf-8")
        os.utime(place, (0, 0))  # Python tells by its date that the bytecode beside it is of another text
        try:
            yield
        finally:
            shutil.copy2(original, place)

    def _ask(self, asked: Mapping[str, Any]) -> None:
        assert self.process.stdin is not None
        print(json.dumps(asked), file=self.process.stdin, flush=True)
