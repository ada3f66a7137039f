"""The machines that are emulated: for each, the environment variables that choose the kernels it would run.

The libraries choose their kernels by the processor they find; these variables make them choose as if they had found
another. What was compiled in cannot be chosen: TensorFlow's Eigen is built for AVX, so that a TensorFlow on a real
Nehalem would not start, and its Nehalem here differs in everything but that.

- OPENBLAS_CORETYPE: NumPy's matrix products. Wheels have no kernel of its own for Zen and run Haswell's.
- NPY_DISABLE_CPU_FEATURES: NumPy's elementwise loops. X86_V3 and X86_V4 are the groups of NumPy 2.4, the other names
  those of the releases before; each release ignores the names it does not know.
- ATEN_CPU_CAPABILITY: torch's elementwise loops and reductions.
- MKL_CBWR: torch's matrix products.
- ONEDNN_MAX_CPU_ISA: convolutions and products of torch and TensorFlow.
- TF_ENABLE_ONEDNN_OPTS: whether TensorFlow uses oneDNN at all, or Eigen.
- the numbers of threads: those of all libraries, since a sum is split among threads.
"""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
AVX512 = frozenset({"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"})
AVX2 = frozenset({"avx2", "fma"})
AVX = frozenset({"avx"})
SSE = frozenset({"sse4_1"})
WITHOUT_AVX512 = "X86_V4 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR"
WITHOUT_AVX2 = f"X86_V3 FMA3 AVX2 {WITHOUT_AVX512}"
WITHOUT_AVX = f"AVX F16C {WITHOUT_AVX2}"


@dataclass(frozen=True)
class Machine:
    """A machine to stand in for.

    name: what the command line calls it
    describes: what it is, in words
    switches: the environment variables that are its own; one that is not named is as the processor here has it
    needs: what this processor must be able to do, in the words of /proc/cpuinfo
    threads: the number of threads of every library
    """

    name: str
    describes: str
    switches: dict[str, str]
    needs: frozenset[str] = frozenset()
    threads: int = 1

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of every switch, the numbers of threads among them."""
        return self.switches | dict.fromkeys(THREADS, str(self.threads)) | {"TF_NUM_INTEROP_THREADS": "1"}

    @property
    def missing(self) -> frozenset[str]:
        """The flags that the machine needs and this processor lacks.

        Where there is no /proc/cpuinfo, a processor of another family than x86-64 lacks all of them.
        """
        found = _flags()
        if found is None:
            return frozenset() if platform.machine().lower() in ("x86_64", "amd64") else self.needs
        return self.needs - found


def _switches(blas: str, numpy: str, aten: str, mkl: str, onednn: str, tensorflow: int = 1) -> dict[str, str]:
    return {
        "OPENBLAS_CORETYPE": blas,
        "NPY_DISABLE_CPU_FEATURES": numpy,
        "ATEN_CPU_CAPABILITY": aten,
        "MKL_CBWR": mkl,
        "ONEDNN_MAX_CPU_ISA": onednn,
        "TF_ENABLE_ONEDNN_OPTS": str(tensorflow),
    }


NEHALEM = ("Nehalem", WITHOUT_AVX, "default", "SSE4_2", "SSE41")
SANDY_BRIDGE = ("Sandybridge", WITHOUT_AVX2, "default", "AVX", "AVX")
HASWELL = ("Haswell", WITHOUT_AVX512, "avx2", "AVX2", "AVX2")
# MKL takes an AMD processor for none that it knows, and a reproducible mode is what it runs on all alike.
ZEN = ("Zen", WITHOUT_AVX512, "avx2", "COMPATIBLE", "AVX2")
SKYLAKE_X = ("SkylakeX", "", "avx512", "AVX512", "AVX512_CORE")
ZEN_4 = ("SkylakeX", "", "avx512", "COMPATIBLE", "AVX512_CORE")

MACHINES = (
    Machine("here", "this processor as it is, on one thread", {}),
    Machine("here-2", "this processor as it is, on two threads", {}, threads=2),
    Machine(
        "oldest",
        "any x86-64 processor with SSE 4.1, nothing chosen for it, TensorFlow without oneDNN",
        _switches("Prescott", WITHOUT_AVX, "default", "COMPATIBLE", "SSE41", 0),
        SSE,
    ),
    Machine("nehalem", "Intel Nehalem (2008): SSE 4.2", _switches(*NEHALEM), SSE),
    Machine(
        "nehalem-eigen", "a virtual machine that hides AVX, TensorFlow without oneDNN", _switches(*NEHALEM, 0), SSE
    ),
    Machine("sandy-bridge", "Intel Sandy Bridge (2011): AVX", _switches(*SANDY_BRIDGE), AVX),
    Machine(
        "sandy-bridge-2-eigen",
        "Intel Sandy Bridge on two threads, TensorFlow without oneDNN",
        _switches(*SANDY_BRIDGE, 0),
        AVX,
        threads=2,
    ),
    Machine("haswell", "Intel Haswell (2013) to Coffee Lake: AVX2", _switches(*HASWELL), AVX2),
    Machine("haswell-2", "Intel Haswell on two threads", _switches(*HASWELL), AVX2, threads=2),
    Machine("haswell-eigen", "Intel Haswell, TensorFlow without oneDNN", _switches(*HASWELL, 0), AVX2),
    Machine("zen", "AMD Zen (2017) to Zen 3: AVX2", _switches(*ZEN), AVX2),
    Machine("zen-2-eigen", "AMD Zen on two threads, TensorFlow without oneDNN", _switches(*ZEN, 0), AVX2, threads=2),
    Machine("skylake-x", "Intel Skylake-X (2017) and later: AVX-512", _switches(*SKYLAKE_X), AVX512),
    Machine("skylake-x-2", "Intel Skylake-X on two threads", _switches(*SKYLAKE_X), AVX512, threads=2),
    Machine("skylake-x-eigen", "Intel Skylake-X, TensorFlow without oneDNN", _switches(*SKYLAKE_X, 0), AVX512),
    Machine("zen-4", "AMD Zen 4 (2022): AVX-512", _switches(*ZEN_4), AVX512),
)


def find(names: list[str] | None) -> list[Machine]:
    """The machines of these names, or all; raises LookupError for a name that none has."""
    known = {machine.name: machine for machine in MACHINES}
    for name in names or ():
        if name not in known:
            raise LookupError(f"no machine called {name!r}; there are: {', '.join(known)}")
    return [known[name] for name in names or known]


def _flags() -> frozenset[str] | None:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return None
    found = next((line.partition(":")[2] for line in lines if line.startswith("flags")), None)
    return None if found is None else frozenset(found.split())


def environment_of(machine: Machine) -> dict[str, str]:
    """The environment of a process on `machine`: this one's, without switches that are not the machine's own."""
    ours = {name: value for name, value in os.environ.items() if name not in _switches(*NEHALEM)}
    return ours | machine.environment | {"TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3")}
