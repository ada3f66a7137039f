"""Ratios that survive a busy machine: contenders take turns in one process, and are compared round by round."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Spread = dict[str, float]
KERNEL = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # what makes OpenBLAS take another processor's


def spread(values: Sequence[float]) -> Spread:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def interleaved(contenders: Mapping[str, Callable[[], object]], rounds: int, calls: int = 10) -> dict[str, list[float]]:
    """The seconds a call of each contender, in every round: A B C, then B C A, then C A B, ...

    Two calls before the clock starts bring a contender's data back into the cache that the one before it used.
    """
    names, seconds = list(contenders), {name: [0.0] * rounds for name in contenders}
    for index in range(rounds):
        for name in names[index % len(names) :] + names[: index % len(names)]:
            call = contenders[name]
            call(), call()
            start = time.perf_counter()
            for _ in range(calls):
                call()
            seconds[name][index] = (time.perf_counter() - start) / calls
    return seconds


def microseconds(seconds: Mapping[str, Sequence[float]]) -> dict[str, Spread]:
    """The spread of every contender's microseconds a call."""
    return {name: spread([1e6 * value for value in values]) for name, values in seconds.items()}


def ratios(seconds: Mapping[str, Sequence[float]], name: str, peer: str) -> Spread:
    """The spread of the ratios of one contender's time to its peer's in the same round."""
    return spread([own / other for own, other in zip(seconds[name], seconds[peer], strict=True)])


def in_own_process(module: str, *arguments: object, threads: int = 1) -> Any:
    """The last line that `python -m module arguments` prints, read as JSON; its thread pools are pinned.

    Thread counts and peak memory belong to a process: both need one of their own. OpenBLAS chooses its kernels itself.
    """
    pinned = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    environment = {name: value for name, value in os.environ.items() if name not in KERNEL}
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        env={**environment, **pinned, "TF_CPP_MIN_LOG_LEVEL": "2"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])
