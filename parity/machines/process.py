"""A process on an emulated machine. It does not outlive the one that waits for it: what that would begin anew when it
is asked again, an orphan would go on writing beside it."""

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


def call_on(
    machine: Machine,
    function: str,
    *arguments: Any,
    environment: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """`function`, as "module:name", called with the arguments in a process of `machine`; what it printed and returned.

    `environment` is set besides the machine's. Raises subprocess.TimeoutExpired after `timeout` seconds.
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
    module, _, name = sys.argv[1].partition(":")
    getattr(importlib.import_module(module), name)(*json.loads(sys.argv[2]))
