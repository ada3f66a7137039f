"""What every initializer draws from one seed, to the bit: a release that draws otherwise makes other first weights.

From a seed, the numbers are a default as any: they are recorded as one, in a signature of the initializer.
"""

from __future__ import annotations

import hashlib

import numpy as np

from parity.catalogue.promises.initializers import STARTS, Start
from parity.frameworks import NUMPYNET
from parity.results.records.fingerprints import SignatureRecord
from parity.results.store import plain
from parity.work.performing import Item, Records
from parity.work.pool import Call

KIND = SignatureRecord.KIND
DRAWN = "drawn from a seed"  # the parameter's name
SHAPE = (6, 4)  # of a weight
FIRST = 4  # of its numbers, which are told


def calls(frameworks: list[str]) -> list[Call]:
    """A call for each implementation that has initializers."""
    names = [name for name in (NUMPYNET, *frameworks) if _of(name)]
    return [Call(Item(KIND, f"{name}/initializers/*", {}), measure, (name,)) for name in names]


def measure(name: str) -> Records:
    """The records of every initializer of an implementation."""
    return [
        plain(
            SignatureRecord(
                key=f"{name}/initializers/{start.name}",
                framework=name,
                name=f"{name}, {start.name}",
                parameters={DRAWN: _drawn(name, start)},
            )
        )
        for start in _of(name)
    ]


def _of(name: str) -> list[Start]:
    return [start for start in STARTS if name == NUMPYNET or name in start.theirs]


def _drawn(name: str, start: Start) -> str:
    """The first few numbers, and a digest of all with their dtype and shape; or what was raised."""
    try:
        drawn = start.ours(SHAPE, np.random.default_rng(0)) if name == NUMPYNET else start.theirs[name](SHAPE)
    except Exception as error:  # whatever is raised, it is what the initializer does
        return f"{type(error).__name__}: {error}".partition("\n")[0]
    values = np.ascontiguousarray(drawn)
    bits = hashlib.sha256(f"{values.dtype.str}{values.shape}".encode() + values.tobytes()).hexdigest()
    return f"{', '.join(f'{value:.6g}' for value in values.ravel()[:FIRST])}, ... ({bits[:12]})"
