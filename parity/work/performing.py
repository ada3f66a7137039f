"""Work that is planned first, shared by workers and recorded as it comes, and the steps of `parity check`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from parity.results.planning import planned
from parity.results.records import CRASHED, Json
from parity.results.store import Results, ResultsError
from parity.work.jobs import Records, derive_one, experiment_on_all, measure_one, prove_one, refuse_one
from parity.work.pool import Call, Crash, Pool, said

DERIVATIVES = 50  # examples for a pair at most: each gives a derivative for the input and for every parameter
Progress = Callable[[int, int], object]


class Item(NamedTuple):
    """The record, or records, that a call will make: their kind and their key, as the plan lists them.

    `fields` says what they are about if the call crashes.
    """

    kind: str
    key: str
    fields: Json


@dataclass
class Checked:
    """The records of a command by kind, those of crashes among them."""

    records: dict[str, Records] = field(default_factory=dict)

    def of(self, kind: str) -> Records:
        return self.records.get(kind, [])

    @property
    def crashes(self) -> list[tuple[str, Json]]:
        """The records of what crashed, each with its kind."""
        return [(kind, record) for kind, records in self.records.items() for record in records if crashed(record)]

    @property
    def failed(self) -> bool:
        """Tells whether any record says that what was measured is off."""
        return any(off(record) for records in self.records.values() for record in records)


def crashed(record: Json) -> bool:
    return record.get("status") == CRASHED


def off(record: Json) -> bool:
    """Tells whether a record says that what was looked at is not as it should be."""
    return record.get("passed") is False


def run_check(
    store: Results,
    pool: Pool,
    command: str,
    classes: Sequence[tuple[str | None, str]],
    *,
    examples: int,
    dtypes: Iterable[str],
    frameworks: list[str],
    seed: int | None = None,
    everything: bool = False,
    progress: Progress = lambda done, total: None,
) -> Checked:
    """Check the classes, given as (file or None, name), and record each result as it comes.

    Rungs 1 to 3 come first, the longest first, so that no worker is left with a long one at the end; then the
    derivatives of the reference. With `everything`, what each class refuses and the catalogue of known differences
    follow.
    """
    calls = [
        Call(
            Item("checks", f"{name}/{dtype}", {"pair": name, "dtype": dtype, "frameworks": frameworks}),
            prove_one,
            (file, name, dtype, examples, frameworks, seed),
        )
        for file, name in sorted(classes, key=lambda each: each[1] not in ("Graph", "Sequential"))
        for dtype in dtypes
    ]
    calls += [
        Call(Item("derivatives", name, {"pair": name}), derive_one, (file, name, min(examples, DERIVATIVES)))
        for file, name in classes
    ]
    if everything:
        calls += _facts([name for _, name in classes], frameworks)
    return perform(store, pool, command, calls, progress, frameworks=frameworks, examples=examples, seed=seed)


def perform(
    store: Results,
    pool: Pool,
    command: str,
    calls: Sequence[Call],
    progress: Progress = lambda done, total: None,
    **content: Any,
) -> Checked:
    """Have the pool perform `calls`, each about an `Item`, and record what comes of them; all are planned beforehand.

    `content` goes into the plan. A call that crashes has a record that says so.
    """
    items: dict[str, list[str]] = {}
    for call in calls:
        items.setdefault(call.about.kind, []).append(call.about.key)
    found = Checked()
    with planned(store, command, items, **content) as nothing:
        progress(0, len(calls))
        for done, (call, result) in enumerate(pool.run(calls), 1):
            if not result:  # nothing is tried on a container but what is tried on its layers
                nothing.append((call.about.kind, call.about.key))
            for record in record_all(store, call.about, result):
                found.records.setdefault(call.about.kind, []).append(record)
            progress(done, len(calls))
    return found


def _facts(names: Iterable[str], frameworks: list[str]) -> list[Call]:
    from parity.catalogue import catalogue

    refusals = [Call(Item("refusals", f"{name}/*", {"pair": name}), refuse_one, (name, frameworks)) for name in names]
    differences = [
        Call(Item("differences", entry.id, {"topic": entry.topic, "title": entry.title}), measure_one, (entry.id,))
        for entry in catalogue()
    ]
    return refusals + differences


def run_experiments(
    names: Iterable[str], store: Results, frameworks: list[str], seeds: int | None, quick: bool, workers: int
) -> Iterator[tuple[Item, Any]]:
    """Yields each experiment's item with its records, or with its `Crash`.

    A single worker is this process, which shows the epochs.
    """
    calls = [
        Call(
            Item("experiments", f"{name}/*", {"experiment": name}),
            experiment_on_all,
            (name, frameworks, str(store.folder), store.plan, seeds, quick),
        )
        for name in names
    ]
    if workers > 1:
        with Pool(workers) as pool:
            yield from ((call.about, found) for call, found in pool.run(calls))
        return
    for call in calls:
        try:
            found = call.work(*call.arguments, shown=True)
        except (ResultsError, OSError):  # the disk's, not the experiment's
            raise
        except (Exception, SystemExit) as error:
            found = Crash(said(error))
        yield call.about, found


def record_all(store: Results, item: Item, result: Any) -> Records:
    """Store the records that a call returned, or one that says how it crashed; returns them."""
    records: Records = [crash_record(item, result)] if isinstance(result, Crash) else result
    for record in records:
        store.append(item.kind, record["key"], record)
    return records


def crash_record(item: Item, crash: Crash) -> Json:
    message = f"its process died: {crash.message}" if crash.died else crash.message
    return {"key": item.key, **item.fields, "status": CRASHED, "message": message}
