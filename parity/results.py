"""What runs leave behind: an append-only folder for each stack that survives kills, full disks and company.

`results/<stack>/` holds `environment.json` and one JSON-lines file for each kind of record (checks, runs,
curves, ...). A record is one line, written whole under a lock and synced before `append` returns. A line
torn by a kill is skipped by readers; the next append starts on a fresh line.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import platform
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

try:
    import fcntl
except ImportError:  # Windows: appends stay whole, but a torn line is not repaired in company
    fcntl = None  # type: ignore[assignment]

SCHEMA = 1
# distributions that provide each package, in the order they are looked for
DISTRIBUTIONS = {
    "numpy": ("numpy",),
    "torch": ("torch",),
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow-intel", "tensorflow-macos"),
    "keras": ("keras",),
    "hypothesis": ("hypothesis",),
    "scipy": ("scipy",),
    "statsmodels": ("statsmodels",),
}
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "TF_ENABLE_ONEDNN_OPTS",
)
Record = dict[str, Any]


class ResultsError(Exception):
    """A results folder that cannot be read or written; the message says why and what to do."""


class Results:
    """The records in one folder.

    Raises ResultsError when the folder was written with another version of the schema.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        if (environment := self.environment()) is not None:
            _check_schema(environment, self.folder / "environment.json")

    def __repr__(self) -> str:
        return f"Results({str(self.folder)!r})"

    @property
    def stack(self) -> str:
        """Name of the framework versions, from environment.json or else the folder's name."""
        return str((self.environment() or {}).get("stack", self.folder.name))

    def environment(self) -> Record | None:
        """Contents of environment.json, None when there is none yet."""
        path = self.folder / "environment.json"
        try:
            return dict(json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise ResultsError(f"{path} is not JSON ({error}): delete it and run again") from error

    def write_environment(self, environment: Mapping[str, Any]) -> None:
        """Writes environment.json, whole or not at all.

        Raises ResultsError when it cannot be written, or when the folder belongs to another stack.
        """
        known = self.environment()
        if known is not None and known["stack"] != environment["stack"]:
            raise ResultsError(
                f"{self.folder} holds results of {known['stack']}, not of {environment['stack']}: choose another folder"
            )
        path = self.folder / "environment.json"
        text = json.dumps({"schema": SCHEMA, **plain(environment)}, indent=1, allow_nan=False)
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with open(temporary, "w", encoding="utf-8") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise _unwritable(path, error) from error

    def append(self, kind: str, key: str, record: Mapping[str, Any]) -> None:
        """Adds a record; when it returns, the record is on disk. A later record of the same key replaces it.
        The record may carry its key itself, but no other.

        Arrays become lists, dataclasses objects; NaN and infinity become null. Raises ResultsError when it
        cannot be written (full disk): earlier records are intact then, and nothing of this one is left.
        """
        if "schema" in record or record.get("key", key) != key:
            raise ValueError(f"a record brings no schema of its own and no key but {key!r}")
        line = json.dumps({"schema": SCHEMA, **plain(record), "key": key}, allow_nan=False).encode() + b"\n"
        path = self._path(kind)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            new = not path.exists()
            with _locked(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, exclusive=True) as descriptor:
                _append_line(descriptor, line)
            if new:
                _sync_folder(self.folder)
        except OSError as error:
            raise _unwritable(path, error) from error

    def read(self, kind: str) -> list[Record]:
        """The last record of each key, in the order in which the keys first came.

        Warns of torn lines, which it skips. Raises ResultsError for a record of another version of the
        schema.
        """
        path = self._path(kind)
        try:
            with _locked(path, os.O_RDONLY, exclusive=False) as descriptor, os.fdopen(os.dup(descriptor), "rb") as file:
                text = file.read()
        except FileNotFoundError:
            return []
        records: dict[str, Record] = {}
        for number, line in enumerate(text.split(b"\n"), start=1):
            if not line:
                continue
            try:
                record = json.loads(line)
            except ValueError:
                warnings.warn(f"{path}, line {number} is torn and was skipped", stacklevel=2)
                continue
            _check_schema(record, path)
            records[record["key"]] = record
        return list(records.values())

    def done(self, kind: str) -> set[str]:
        """Keys that have a record, for resuming."""
        return {record["key"] for record in self.read(kind)}

    def kinds(self) -> list[str]:
        """Kinds of which there are records."""
        return sorted(path.stem for path in self.folder.glob("*.jsonl"))

    def _path(self, kind: str) -> Path:
        return self.folder / f"{kind}.jsonl"


class Located(NamedTuple):
    """A record with the stack that it belongs to."""

    stack: str
    record: Record


def read_all(folders: Iterable[str | os.PathLike[str]], kind: str) -> list[Located]:
    """Records of many folders, such as those of CI jobs; of one stack and key the last folder's counts."""
    merged: dict[tuple[str, str], Located] = {}
    for results in map(Results, folders):
        stack = results.stack
        merged.update({(stack, record["key"]): Located(stack, record) for record in results.read(kind)})
    return list(merged.values())


def plain(value: Any) -> Any:
    """The value in JSON's own types: arrays as lists, dataclasses as objects, NaN and infinity as None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    if isinstance(value, np.ndarray | np.generic):
        value = value.astype(np.float64).tolist() if value.dtype == np.longdouble else value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def versions() -> dict[str, str]:
    """Version of each installed package, as published: without a build's local label (+cpu)."""
    found = {}
    for package, distributions in DISTRIBUTIONS.items():
        for distribution in distributions:
            try:
                found[package] = metadata.version(distribution).split("+")[0]
                break
            except metadata.PackageNotFoundError:
                continue
    return found


def stack_name() -> str:
    """The stack's name, such as numpy2.4.6-torch2.13.0-tf2.21.0; a framework that is missing is left out."""
    found = versions()
    parts = {"numpy": "numpy", "torch": "torch", "tf": "tensorflow"}
    return "-".join(f"{short}{found[package]}" for short, package in parts.items() if package in found)


def environment() -> dict[str, Any]:
    """Everything about this machine that a result may depend on, for `Results.write_environment`."""
    from threadpoolctl import threadpool_info  # type: ignore[import-untyped]

    return {
        "stack": stack_name(),
        "python": platform.python_version(),
        "packages": versions(),
        "blas": [
            {name: pool[name] for name in ("internal_api", "version", "architecture", "num_threads") if name in pool}
            for pool in threadpool_info()
            if pool["user_api"] == "blas"
        ],
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ},
    }


def _append_line(descriptor: int, line: bytes) -> None:
    """One write at the end of the locked file, taken back if it did not fit."""
    size = os.fstat(descriptor).st_size
    if size:
        os.lseek(descriptor, size - 1, os.SEEK_SET)
        if os.read(descriptor, 1) != b"\n":
            line = b"\n" + line
    try:
        written = os.write(descriptor, line)
        while written < len(line):  # the file system took a part only: the rest says why
            written += os.write(descriptor, line[written:])
        os.fsync(descriptor)
    except OSError:
        with suppress(OSError):  # what stays is a torn line, which readers skip
            os.ftruncate(descriptor, size)
        raise


@contextmanager
def _locked(path: Path, flags: int, *, exclusive: bool) -> Iterator[int]:
    descriptor = os.open(path, flags, 0o666)
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        yield descriptor
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_schema(record: Mapping[str, Any], path: Path) -> None:
    if (found := record.get("schema")) != SCHEMA:
        raise ResultsError(
            f"{path} has schema version {found}, this version of parity reads and writes {SCHEMA}: "
            "use another results folder, or the version of parity that wrote it"
        )


def _unwritable(path: Path, error: OSError) -> ResultsError:
    return ResultsError(
        f"cannot write to {path}: {error.strerror}. Earlier records are intact; make room or choose another "
        "folder and run again: finished runs are not repeated"
    )


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
