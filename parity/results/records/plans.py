"""The record of a plan: what a command was about to do."""

from __future__ import annotations

from dataclasses import dataclass, field

from parity.results.records.record import Count, Json, Record


@dataclass(frozen=True, kw_only=True)
class PlanRecord(Record, kind="plans", untold=None):
    """The plan of a command, or of a job of several; see `parity.results.planning`.

    command: the command line; "job" for the plan of a job, whose `commands` are listed
    begun, ended: when; there is no end where it was killed, stopped, or still runs
    stopped: the exception that stopped it
    code, commit, lock, machine: of the process that made the plan
    items: the keys of the records that it would make, by kind
    nothing: those of the items, as kind and key, that turned out to have nothing to record
    frameworks, examples, seed, replications, quick: how much was to be done
    """

    command: str
    begun: str
    ended: str | None = None
    stopped: str = ""
    code: str = ""
    commit: str = ""
    lock: str = ""
    machine: Json = field(default_factory=dict)
    items: dict[str, list[str]] = field(default_factory=dict)
    nothing: list[tuple[str, str]] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    frameworks: list[str] | None = None
    examples: Count | None = None
    seed: int | None = None
    replications: Count | None = None
    quick: bool = False
