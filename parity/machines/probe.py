"""Asks the libraries of a process what they compute with, to see whether the switches of a machine took."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info  # type: ignore[import-untyped]

from numpynet import Array
from parity.frameworks import available, framework
from parity.machines.machine import Machine
from parity.machines.process import call_on

# What the libraries answer to a switch, where it is another word than the switch's own.
ANSWERS = {
    ("ATEN_CPU_CAPABILITY", "default"): {"default", "no avx"},  # torch 2.2
    ("OPENBLAS_CORETYPE", "Zen"): {"zen", "haswell"},  # NumPy's wheels have no kernel of its own for Zen
    ("OPENBLAS_CORETYPE", "Prescott"): {"prescott", "katmai"},
    ("ONEDNN_MAX_CPU_ISA", "SSE41"): {"intel sse4.1"},
    ("ONEDNN_MAX_CPU_ISA", "AVX"): {"intel avx"},
    ("ONEDNN_MAX_CPU_ISA", "AVX2"): {"intel avx2"},
    ("ONEDNN_MAX_CPU_ISA", "AVX512_CORE"): {"intel avx-512 with avx512bw, avx512vl, and avx512dq extensions"},
}
SECONDS = 300  # that a probe may take: importing both frameworks on a busy machine takes up to one minute


@dataclass(frozen=True)
class Found:
    """The answers of a process's libraries to what they compute with, and a digest of some bits that each computed.

    Two machines with the same digest of a library's bits were one machine to it.
    """

    switches: dict[str, str]
    bits: dict[str, str]


def probe(machine: Machine) -> Found:
    """Ask in a process of `machine`.

    Raises RuntimeError with how the process died, such as of an instruction that is not there, or that it gave no
    answer.
    """
    verbose = {"ONEDNN_VERBOSE": "1", "DNNL_VERBOSE": "1", "MKL_VERBOSE": "1"}
    try:
        done = call_on(machine, f"{__name__}:{ask.__name__}", environment=verbose, timeout=SECONDS)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"the probe did not answer within {SECONDS} s") from error
    answer = re.search(r"^answer (.*)$", done.stdout, re.MULTILINE)
    if done.returncode or answer is None:
        raise RuntimeError(f"the probe ended with exit code {done.returncode}: {done.stderr.strip()[-300:]}")
    found = json.loads(answer[1])
    said = found["switches"]
    if isa := re.search(r"info,cpu,isa:(.*)", done.stdout):
        said["ONEDNN_MAX_CPU_ISA"] = isa[1].strip()
    if mode := re.search(r"MKL_VERBOSE \w+\(.*CNR:(\S+)", done.stdout):
        said["MKL_CBWR"] = mode[1]
    return Found(said, found["bits"])


def not_taken(machine: Machine, found: Found) -> list[str]:
    """Sentences on the switches that a library answers otherwise.

    Those that none answers, since it is not installed, are left out.
    """
    off = []
    for name, asked in machine.environment.items():
        answer = found.switches.get(name)
        if answer is not None and answer.lower() not in ANSWERS.get((name, asked), {asked.lower()}):
            off.append(f"{name}={asked} was asked for, {answer} is what the library says")
    return off


def ask() -> None:
    """Print the answers of this process as one line of JSON."""
    random = np.random.default_rng(0)
    matrix, filters = random.standard_normal((300, 300), np.float32), random.standard_normal((8, 1, 3, 3), np.float32)
    switches: dict[str, Any] = {}
    bits = {"numpy": _digest(matrix @ matrix, np.exp(matrix), matrix.sum(axis=0))}
    for pool in threadpool_info():
        if pool["user_api"] == "blas" and "architecture" in pool:
            switches |= {"OPENBLAS_CORETYPE": pool["architecture"], "OPENBLAS_NUM_THREADS": str(pool["num_threads"])}
    for name in available():
        bits[name] = _digest(*framework(name).sample(matrix, filters))
        switches |= framework(name).switches()
    print("\nanswer " + json.dumps({"switches": switches, "bits": bits}))


def _digest(*arrays: Array) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:12]
