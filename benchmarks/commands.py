"""What a command costs its user: seconds until it ends, and the most memory that it and its workers had.

python -m benchmarks.commands NAME
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from benchmarks.timing import KERNEL

EXAMPLES = Path(__file__).parents[1] / "examples"
PARITY = (sys.executable, "-m", "parity")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
EVERY = 0.05  # seconds between two looks at the memory

COMPARED = "compare two small models"
CODES = {COMPARED: 1}  # of commands that end with another exit code than 0: the port of the example is wrong
# As README and the main job have them; each in a folder of its own.
COMMANDS = {
    "--help": ("--help",),
    "check a layer of one's own": ("check", str(EXAMPLES / "swish.py")),
    COMPARED: ("compare", str(EXAMPLES / "port.py")),
    "check": ("check", "--workers", "2"),
    "defects": ("defects", "--workers", "2"),
    "twins": ("twins", "--workers", "2"),
    "curves": ("curves", "--workers", "2"),
    "modes": ("modes", "--workers", "2"),
    "fingerprint": ("fingerprint", "--workers", "2"),
    "study digits": ("study", "digits", "--optional"),
}
QUICK = ("--help", "check a layer of one's own", COMPARED)


def measure(name: str) -> dict[str, float]:
    """The seconds of a command from its start to its end, and the most megabytes of it and its children at once.

    Raises AssertionError where the command ends with another exit code than it must: what that costs is another thing.
    """
    environment = {each: value for each, value in os.environ.items() if each not in KERNEL}
    environment |= dict.fromkeys(THREADS, "1") | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        process = subprocess.Popen(
            [*PARITY, *COMMANDS[name]],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        peak = Peak(psutil.Process(process.pid))
        said, _ = process.communicate()
        seconds = time.perf_counter() - start
        peak.stop()
    if process.returncode != CODES.get(name, 0):
        raise AssertionError(f"parity {' '.join(COMMANDS[name])}: exit code {process.returncode}: {said[-2000:]}")
    return {"seconds": seconds, "megabytes": max(peak.megabytes, _of_children())}


def _of_children() -> float:
    """The most megabytes of a single child so far: what was too short for a look is in it."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


class Peak:
    """Looks again and again at the memory of a process and those below it; pages that they share count once each."""

    def __init__(self, process: psutil.Process) -> None:
        self.megabytes = 0.0
        self._process, self._ended = process, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(EVERY):
            # Between two looks of one look, processes end.
            with contextlib.suppress(psutil.Error):
                family = [self._process, *self._process.children(recursive=True)]
                self.megabytes = max(self.megabytes, sum(each.memory_info().rss for each in family) / 2**20)


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
