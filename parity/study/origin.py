"""Where a run comes from: the code and the packages of the process that performed it."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import numpynet
from parity.results import stack_name


@functools.cache
def origin() -> dict[str, str]:
    """The SHA-256 (hex) of the code that a run depends on, and the packages; as this process began."""
    package, parity = Path(numpynet.__file__).parent, Path(__file__).parents[1]
    files = [*package.rglob("*.py"), *(parity / "frameworks").rglob("*.py"), *(parity / "pairs").rglob("*.py")]
    files += [parity / "experiment.py", parity / "study" / "arms.py", parity / "study" / "tasks.py"]
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.name.encode() + path.read_bytes().replace(b"\r\n", b"\n"))
    return {"code": digest.hexdigest(), "packages": stack_name()}
