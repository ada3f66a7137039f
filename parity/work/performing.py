"""What is looked at item by item: planned first, performed by whatever runs calls, and recorded as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from parity.results.planning import planned
from parity.results.records import CRASHED, Json
from parity.results.store import Results
from parity.work.pool import Call, Crash

DIED = "its process died: "  # how the message of such a crash begins; any other is of what was raised

Records: TypeAlias = list[Json]
Progress = Callable[[int, int], object]
# Yields each call, as it ends, with what came of it: `Pool.run`, or what stands in for it.
Run = Callable[[Iterable[Call]], Iterator[tuple[Call, Any]]]


class Item(NamedTuple):
    """The record, or records, that a call will make: their kind and their key, as the plan lists them.

    `fields` says what they are about if the call crashes.
    """

    kind: str
    key: str
    fields: Json


@dataclass
class Done:
    """The records that a command made, by kind; those of what crashed are among them."""

    records: dict[str, Records] = field(default_factory=dict)

    def of(self, kind: str) -> Records:
        return self.records.get(kind, [])

    @property
    def crashes(self) -> list[tuple[str, Json]]:
        """The records of what crashed, each with its kind."""
        return [(kind, record) for kind, records in self.records.items() for record in records if crashed(record)]

    @property
    def exit_code(self) -> int:
        """The exit code: 1 if anything is off, 3 if nothing is but something crashed, else 0."""
        if any(off(record) for records in self.records.values() for record in records):
            return 1
        return 3 if self.crashes else 0


def crashed(record: Json) -> bool:
    return record.get("status") == CRASHED


def off(record: Json) -> bool:
    """Tells whether a record says that what was looked at is not as it should be."""
    return record.get("passed") is False


def perform(
    store: Results,
    run: Run,
    command: str,
    calls: Sequence[Call],
    progress: Progress = lambda done, total: None,
    tell: Callable[[Json], object] = lambda record: None,
    **content: Any,
) -> Done:
    """Have `run` perform `calls`, each about an `Item`, and record what comes of them; all are planned beforehand.

    A call that crashes has a record that says so. Each record is handed to `tell` when it is stored. `content` goes
    into the plan.
    """
    items: dict[str, list[str]] = {}
    for call in calls:
        items.setdefault(call.about.kind, []).append(call.about.key)
    done = Done()
    with planned(store, command, items, **content) as nothing:
        progress(0, len(calls))
        for number, (call, result) in enumerate(run(calls), 1):
            kind, key, fields = call.about
            if not result:  # nothing is tried on a container but what is tried on its layers
                nothing.append((kind, key))
            for record in [_crash(key, fields, result)] if isinstance(result, Crash) else result:
                store.append(kind, record["key"], record)
                done.records.setdefault(kind, []).append(record)
                tell(record)
            progress(number, len(calls))
    return done


def _crash(key: str, fields: Json, crash: Crash) -> Json:
    message = f"{DIED}{crash.message}" if crash.died else crash.message
    return {"key": key, **fields, "status": CRASHED, "message": message}
