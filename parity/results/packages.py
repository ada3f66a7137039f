"""What computes here: the packages that are installed, with their lock, and the machine."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_info  # type: ignore[import-untyped]

from parity.frameworks import framework, implementations

VENDORED = "_vendor"  # the folder of what a package brings for itself
TOOLS = ("hypothesis", "scipy", "statsmodels")  # packages of which the versions are told besides the frameworks'
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)
# which kernels libraries choose, whatever the processor is
SWITCHES = (
    "OPENBLAS_CORETYPE",
    "ATEN_CPU_CAPABILITY",
    "ONEDNN_MAX_CPU_ISA",
    "DNNL_MAX_CPU_ISA",
    "TF_ENABLE_ONEDNN_OPTS",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
    "NPY_DISABLE_CPU_FEATURES",
)


def versions() -> dict[str, str]:
    """The version of each installed package as it was published: without a build's local label (+cpu)."""
    asked: dict[str, tuple[str, ...]] = {tool: (tool,) for tool in TOOLS}
    for name in reversed(implementations()):
        asked = dict(framework(name).distributions) | asked
    found = {}
    for package, distributions in asked.items():
        here = [installed()[name] for name in distributions if name in installed()]
        if here:
            found[package] = here[0].split("+")[0]
    return found


def stack_name() -> str:
    """The stack's name, such as numpy2.4.6-torch2.13.0-tf2.21.0-keras3.15.1-py3.11; what is missing is left out."""
    found = versions() | {"python": ".".join(platform.python_version_tuple()[:2])}
    parts: dict[str, str] = {}
    for name in implementations():
        parts |= framework(name).short
    parts["py"] = "python"
    return "-".join(f"{short}{found[package]}" for short, package in parts.items() if package in found)


@functools.cache
def installed() -> dict[str, str]:
    """The version of every distribution that this process would import, by name.

    Left out are pip, which computes nothing and is renewed at will, this project, whose code has a digest, and what
    another package brings for itself: setuptools puts its own on Python's path when somebody imports it.
    """
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        if Path(str(distribution.locate_file(""))).name == VENDORED:
            continue
        name = (distribution.metadata["Name"] or "").lower().replace("_", "-").replace(".", "-")
        if name != "pip" and "numpynet" not in (distribution.read_text("top_level.txt") or "").split():
            found.setdefault(name, distribution.version)
    return dict(sorted(found.items()))


def lock() -> str:
    """The SHA-256 (hex) of the Python and of every package: it differs where two environments differ in any."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return hashlib.sha256(json.dumps([python, installed()]).encode()).hexdigest()


def packages() -> str:
    """A line that says everything that is installed: the stack's name and the lock."""
    return f"{stack_name()}, lock {lock()}"


def environment() -> dict[str, Any]:
    """Everything about this machine that a result may depend on, for `Results.write_environment`."""
    return {
        "stack": stack_name(),
        "python": platform.python_version(),
        "packages": versions(),
        "lock": lock(),
        "installed": installed(),
        **machine(),
    }


def machine() -> dict[str, Any]:
    """The parts that compute besides the packages: processor, kernels of the BLAS, switches and numbers of threads."""
    return {
        "blas": [
            {name: pool[name] for name in ("internal_api", "version", "architecture", "num_threads") if name in pool}
            for pool in threadpool_info()
            if pool["user_api"] == "blas"
        ],
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ},
        "switches": {name: os.environ[name] for name in SWITCHES if name in os.environ},
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
