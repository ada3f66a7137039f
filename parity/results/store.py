"""The results store: an append-only folder of records for each stack, which survives kills, full disks and company.

`results/<stack>/` holds `environment.json` and one JSON-lines file for each kind of record, as `parity.results.records`
has them. A record is one line, written whole under a lock and synced before `append` returns. A line torn by a kill is
skipped by readers; the next append starts on a fresh line.

A stack is everything that computes: its name says NumPy, the frameworks, Keras and Python, and its `lock` is the digest
of every package that is installed. Records of two locks are kept in two folders.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from parity.results.packages import lock, stack_name
from parity.results.records import SCHEMA, Json, Record, check, current

try:
    import fcntl
except ImportError:  # Windows: appends stay whole, but a torn line is not repaired in company
    fcntl = None  # type: ignore[assignment]

PLAIN = {str, int, bool, type(None)}  # JSON has every value of these types


class ResultsError(Exception):
    """Raised where a results folder cannot be read or written; the message says why and what to do."""


class Results:
    """The records in one folder.

    plan: key of the plan that records are now appended for, see `parity.results.planning`; each record names it

    Raises ResultsError when the folder was written with another version of the schema.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.plan = ""
        if (environment := self.environment()) is not None:
            _check_schema(environment, self.folder / "environment.json")

    def __repr__(self) -> str:
        return f"Results({str(self.folder)!r})"

    @property
    def stack(self) -> str:
        """The name of the framework versions, from environment.json or else the folder's name."""
        return str((self.environment() or {}).get("stack", self.folder.name))

    def environment(self) -> Json | None:
        """The contents of environment.json, None when there is none yet."""
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
        known = self.environment() or environment
        if known["stack"] != environment["stack"]:
            raise ResultsError(
                f"{self.folder} holds results of {known['stack']}, not of {environment['stack']}: choose another folder"
            )
        if known.get("lock", environment.get("lock")) != environment.get("lock"):
            raise ResultsError(
                f"{self.folder} holds results of other packages than those installed now: "
                f"{_changed(known, environment)}. Choose another folder"
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

    def append(self, kind: str, key: str, record: Record | Mapping[str, Any]) -> None:
        """Adds a record of this kind and key, in place of an earlier one; it is on disk when this returns.

        Arrays become lists, dataclasses objects; NaN and infinity become null. Raises ValueError, which names what is
        wrong, for an unknown kind, for another key, and for a record that is not one of its kind; ResultsError when it
        cannot be written (full disk): earlier records are intact then, and nothing of this one is left.
        """
        content: Json = {"schema": SCHEMA, "key": key} | plain(record) | ({"plan": self.plan} if self.plan else {})
        if content["key"] != key:
            raise ValueError(f"a record brings no key but {key!r}, not {content['key']!r}")
        text = json.dumps(content, allow_nan=False)
        check(kind, content, text)
        line = text.encode() + b"\n"
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

    def read(self, kind: str) -> list[Json]:
        """The last record of each key, in the order in which the keys first came, with all fields of its kind.

        Warns of torn lines, which it skips. Raises ResultsError for a record of another version of the
        schema, and for one that lacks what has no default.
        """
        path = self._path(kind)
        try:
            with _locked(path, os.O_RDONLY, exclusive=False) as descriptor, os.fdopen(os.dup(descriptor), "rb") as file:
                text = file.read()
        except FileNotFoundError:
            return []
        records: dict[str, Json] = {}
        for number, line in enumerate(text.split(b"\n"), start=1):
            if not line:
                continue
            try:
                record = json.loads(line)
            except ValueError:
                warnings.warn(f"{path}, line {number} is torn and was skipped", stacklevel=2)
                continue
            _check_schema(record, path)
            try:
                records[record["key"]] = current(kind, record)
            except ValueError as error:
                raise ResultsError(f"{path}, line {number}: {error}") from error
        return list(records.values())

    def done(self, kind: str) -> set[str]:
        """The keys that have a record of this kind, for resuming."""
        return {record["key"] for record in self.read(kind)}

    def kinds(self) -> list[str]:
        """The kinds of which there are records."""
        return sorted(path.stem for path in self.folder.glob("*.jsonl"))

    def _path(self, kind: str) -> Path:
        return self.folder / f"{kind}.jsonl"


class Located(NamedTuple):
    """A record with the stack that it belongs to."""

    stack: str
    record: Json


def read_all(folders: Iterable[str | os.PathLike[str]], kind: str) -> list[Located]:
    """The records of this kind in many folders, such as those of CI jobs; the last folder's of one stack and key."""
    merged: dict[tuple[str, str], Located] = {}
    for results, stack in stacks(folders):
        merged.update({(stack, record["key"]): Located(stack, record) for record in results.read(kind)})
    return list(merged.values())


def stacks(folders: Iterable[str | os.PathLike[str]]) -> list[tuple[Results, str]]:
    """Each folder with the name of its stack; stacks of one name are told apart by what differs between them."""
    found = [Results(folder) for folder in folders]
    environments = [results.environment() or {} for results in found]
    names = []
    for results, own in zip(found, environments, strict=True):
        namesakes = [other for each, other in zip(found, environments, strict=True) if each.stack == results.stack]
        names.append(results.stack + _told_apart(own, namesakes))
    return list(zip(found, names, strict=True))


def _told_apart(own: Json, namesakes: Iterable[Json]) -> str:
    """The names and versions that differ between these environments, in brackets.

    The lock is among them only where no package's version differs.
    """
    versions = [_computing(environment) for environment in namesakes]
    packages = dict.fromkeys(name for found in versions for name in found)
    differing = [name for name in packages if len({found.get(name) for found in versions}) > 1]
    if set(differing) - {"lock"}:
        differing.remove("lock") if "lock" in differing else None
    said = [f"{name} {_computing(own).get(name, 'none')[:12]}" for name in differing]
    return f" ({', '.join(said)})" if said else ""


def _computing(environment: Json) -> dict[str, str]:
    """The versions of what makes the stack, by name, its lock among them."""
    python = {"Python": environment["python"]} if "python" in environment else {}
    lock = {"lock": environment["lock"]} if environment.get("lock") else {}
    return {**python, **environment.get("packages", {}), **lock}


def _changed(known: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The first packages whose versions differ, in words."""
    before, after = known.get("installed", {}), now.get("installed", {})
    names = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    said = [f"{name} {before.get(name, 'missing')} then, {after.get(name, 'missing')} now" for name in names[:3]]
    return "; ".join(said) + f" and {len(names) - 3} more" * (len(names) > 3)


def plain(value: Any) -> Any:
    """The value in JSON's own types: arrays as lists, dataclasses as objects, NaN and infinity as None."""
    if type(value) in PLAIN or (type(value) is float and math.isfinite(value)):
        return value  # as nearly all are: to ask of each what else it might be takes longest
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, np.ndarray | np.generic):
        value = value.astype(np.float64).tolist() if value.dtype == np.longdouble else value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def number_of(stored: float | None) -> float:
    """The number that is stored, infinity where it is None: `plain` has nothing else for it."""
    return math.inf if stored is None else stored


def default_folder() -> Path:
    """The folder results/<stack>, followed by the lock where another environment of the same name was there first."""
    folder = Path("results") / stack_name()
    known = (Results(folder).environment() or {}).get("lock")
    return folder if known in (None, lock()) else folder.with_name(f"{folder.name}-{lock()[:8]}")


def _append_line(descriptor: int, line: bytes) -> None:
    """Write one line at the end of the locked file; what was written is taken back if it does not fit."""
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
