"""One stack as drift reads it: its records, the packages and the machine that they were made by, and what it lacks."""

from __future__ import annotations

import functools
import textwrap
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from parity.drift.document import Missing
from parity.drift.machine import in_parts
from parity.frameworks import framework, implementations
from parity.results.planning import KIND as PLANS
from parity.results.planning import Plans
from parity.results.records import Json, is_crash
from parity.results.store import Results, ResultsError, stacks
from parity.work.performing import DIED

TENSORS, SIGNATURES = "tensors", "signatures"
CHECKS, CURVES = "checks", "curves"
FACTS = ("refusals", "specials", "defaults", "differences", "modes")
# What has to be there for anything to be called safe, with the command that makes it.
NEEDED = {
    TENSORS: "parity fingerprint",
    SIGNATURES: "parity fingerprint",
    "refusals": "parity check",
    "specials": "parity check",
    "defaults": "parity check",
    "differences": "parity check",
    "modes": "parity modes",
    CURVES: "parity curves",
    "runs": "parity study",
}
READ = (*NEEDED, CHECKS, "studies")
SAID = 160  # letters of a message that is another program's, and names a proxy or a host at its end


class Stack:
    """The records in one results folder that answer its plans.

    missing: what was planned there and is not there, or cannot be read
    raised: the records of curves that raised an exception, by key: an answer too, where another stack trains them
    """

    def __init__(self, results: Results, name: str) -> None:
        self.name, self.folder = name, results.folder
        self.environment: Json = results.environment() or {}
        self.missing: list[Missing] = []
        self.raised: dict[str, Json] = {}
        if not self.environment:
            self._lacks("the versions", f"there is no environment.json in {results.folder.name}")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self.plans = Plans(results.read(PLANS))
            found = {kind: results.read(kind) for kind in READ}
        for each in caught:
            self._lacks("records", str(each.message).replace(str(results.folder), results.folder.name))
        self._records: dict[str, dict[str, Json]] = {}
        for kind, records in found.items():
            answering = [record for record in records if self.plans.answers(kind, record)]
            crashed = {record["key"]: record for record in answering if is_crash(kind, record)}
            if kind == CURVES:
                self.raised = {key: each for key, each in crashed.items() if not each["message"].startswith(DIED)}
                crashed = {key: each for key, each in crashed.items() if key not in self.raised}
            if crashed:
                self._lacks(kind, "they crashed", list(crashed))
            self._records[kind] = {r["key"]: r for r in answering if not is_crash(kind, r)}
        self._untrained()
        if len({tuple(in_parts(each).items()) for each in self._machines}) > 1:
            self._lacks(TENSORS, "they were measured on several machines, or on several numbers of threads")
        for place, items in self.plans.unanswered(found).items():
            plan, lost = self.plans.records[place], {kind: items[kind] for kind in READ if items.get(kind)}
            if lost:
                ended = "ended without them" if plan["ended"] else "was stopped, was killed, or still runs"
                self._lacks(
                    ", ".join(lost), f"{plan['command']} {ended}", [key for keys in lost.values() for key in keys]
                )

    def _untrained(self) -> None:
        """Take out the records of curves without a loss, which say why, such as that there is no data, as missing."""
        without = [record for record in self._records[CURVES].values() if not record["losses"]]
        for why in dict.fromkeys(record["message"] for record in without):
            keys = [record["key"] for record in without if record["message"] == why]
            self._lacks(CURVES, textwrap.shorten(why, SAID, placeholder=" ..."), keys)
            for key in keys:
                del self._records[CURVES][key]

    def _lacks(self, what: str, why: str, keys: Sequence[str] = ()) -> None:
        self.missing.append(Missing(what=what, why=f"{self.name}: {why}", keys=list(keys)))

    def of(self, kind: str) -> dict[str, Json]:
        """The records of this kind by key, without those of what crashed."""
        return self._records[kind]

    def answers(self, kind: str) -> dict[str, Json]:
        """The records of this kind by key, with those of what was raised in training."""
        return self.of(kind) | (self.raised if kind == CURVES else {})

    @property
    def lock(self) -> str:
        return str(self.environment.get("lock", ""))

    @property
    def machine(self) -> Mapping[str, Any]:
        """The machine that the tensors were measured on; where there are none, the one last seen there."""
        return self.environment | (self._machines[-1] if self._machines else {})

    @functools.cached_property
    def _machines(self) -> list[Json]:
        """The machine of each record of tensors."""
        return [record["machine"] for record in self.of(TENSORS).values()]

    def codes(self, by: str = "code") -> set[str]:
        """The digests of parity's code that its records were planned by; or, by "commit", the commits."""
        return {plan[by] for plan in self.plans.records if plan[by]}

    @property
    def computing(self) -> dict[str, str]:
        """The versions of the packages that compute, with the labels of their builds, and of Python."""
        installed, versions = self.environment.get("installed", {}), self.environment.get("packages", {})
        of = {name: each for own in implementations() for name, each in framework(own).distributions.items()}
        python = {"Python": self.environment["python"]} if "python" in self.environment else {}
        return {
            package: next((installed[each] for each in distributions if each in installed), versions[package])
            for package, distributions in of.items()
            if package in versions
        } | python

    @property
    def others(self) -> dict[str, str]:
        """The versions of the other packages that are installed."""
        computing = {each for name in implementations() for of in framework(name).distributions.values() for each in of}
        return {name: at for name, at in self.environment.get("installed", {}).items() if name not in computing}

    @property
    def measured(self) -> list[str]:
        """The implementations of which it has tensors."""
        found = {name for record in self.of(TENSORS).values() for name in record["found"]}
        return [name for name in implementations() if name in found]


def both(before: Stack, after: Stack, kind: str) -> Iterator[tuple[str, Json, Json]]:
    """Yields the records that both have of a kind, each with its key."""
    others = after.of(kind)
    for key, record in before.of(kind).items():
        if key in others:
            yield key, record, others[key]


def read(folders: Sequence[Path]) -> list[Stack]:
    """The stacks in these folders, in this order.

    Raises ResultsError for a folder that does not exist, or whose records are of another version of the schema.
    """
    for folder in folders:
        if not folder.is_dir():
            raise ResultsError(f"{folder} is no folder: name a results/<stack> folder that a run has written")
    return [Stack(results, name) for results, name in stacks(folders)]
