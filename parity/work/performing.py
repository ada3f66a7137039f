"""What is looked at item by item: planned first, performed by whatever runs calls, and recorded as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from parity.results.planning import CRASHED, planned
from parity.results.store import Record, Results
from parity.work.pool import Call, Crash

Records: TypeAlias = list[Record]
Progress = Callable[[int, int], object]
# Yields each call, as it ends, with what came of it: `Pool.run`, or what stands in for it.
Run = Callable[[Iterable[Call]], Iterator[tuple[Call, Any]]]


@dataclass(frozen=True)
class Kind:
    """A kind of records.

    name: what the store and the plans call it
    holds: tells of a record whether what was looked at is as it should be; None where nothing was
    """

    name: str
    holds: Callable[[Record], bool | None]

    def off(self, record: Record) -> bool:
        """Tells whether something was looked at and is not as it should be."""
        return not crashed(record) and self.holds(record) is False


class Item(NamedTuple):
    """The record, or records, that a call will make: their kind and their key, as the plan lists them.

    `fields` says what they are about if the call crashes.
    """

    kind: Kind
    key: str
    fields: Record


@dataclass
class Done:
    """The records that a command made, by kind; those of what crashed are among them."""

    records: dict[Kind, Records] = field(default_factory=dict)

    def of(self, kind: Kind) -> Records:
        return self.records.get(kind, [])

    @property
    def crashes(self) -> list[tuple[Kind, Record]]:
        """The records of what crashed, each with its kind."""
        return [(kind, record) for kind, records in self.records.items() for record in records if crashed(record)]

    @property
    def exit_code(self) -> int:
        """The exit code: 1 if anything is off, 3 if nothing is but something crashed, else 0."""
        if any(kind.off(record) for kind, records in self.records.items() for record in records):
            return 1
        return 3 if self.crashes else 0


def crashed(record: Record) -> bool:
    return record.get("status") == CRASHED


def perform(
    store: Results,
    run: Run,
    command: str,
    calls: Sequence[Call],
    progress: Progress = lambda done, total: None,
    tell: Callable[[Record], object] = lambda record: None,
    **content: Any,
) -> Done:
    """Have `run` perform `calls`, each about an `Item`, and record what comes of them; all are planned beforehand.

    A call that crashes has a record that says so. Each record is handed to `tell` when it is stored. `content` goes
    into the plan.
    """
    items: dict[str, list[str]] = {}
    for call in calls:
        items.setdefault(call.about.kind.name, []).append(call.about.key)
    done = Done()
    with planned(store, command, items, **content) as nothing:
        progress(0, len(calls))
        for number, (call, result) in enumerate(run(calls), 1):
            kind, key, fields = call.about
            if not result:  # nothing is tried on a container but what is tried on its layers
                nothing.append((kind.name, key))
            for record in [_crash(key, fields, result)] if isinstance(result, Crash) else result:
                store.append(kind.name, record["key"], record)
                done.records.setdefault(kind, []).append(record)
                tell(record)
            progress(number, len(calls))
    return done


def _crash(key: str, fields: Record, crash: Crash) -> Record:
    message = f"its process died: {crash.message}" if crash.died else crash.message
    return {"key": key, **fields, "status": CRASHED, "message": message}
