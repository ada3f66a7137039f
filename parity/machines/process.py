"""A process on an emulated machine, which does not outlive the one that waits for it.

Otherwise an orphan would go on writing beside a process that begins the same work anew.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any

from parity.machines.machine import Machine, environment_of
from parity.starting import lighten


def call_on(
    machine: Machine,
    function: str,
    *arguments: Any,
    environment: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Call `function`, given as "module:name", in a process of `machine`; returns the ended process with its output.

    The arguments are handed over as JSON. `environment` is set besides the machine's. Raises subprocess.TimeoutExpired
    after `timeout` seconds.
    """
    alive, held = os.pipe()  # as long as this process lives, nothing comes out of it, and it does not end
    try:
        return subprocess.run(
            [sys.executable, "-m", __name__, function, json.dumps(arguments)],
            env=environment_of(machine) | dict(environment or {}),
            stdin=alive,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
    finally:
        os.close(alive)
        os.close(held)


def _watch() -> None:
    os.read(sys.stdin.fileno(), 1)  # not by sys.stdin, whose lock a thread that waits would keep to the end
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_watch, daemon=True).start()
    lighten()
    module, _, name = sys.argv[1].partition(":")
    getattr(importlib.import_module(module), name)(*json.loads(sys.argv[2]))
