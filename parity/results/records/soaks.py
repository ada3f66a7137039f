"""Records of the soaks, which count false alarms, and of emulated machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from parity.results.records.record import Count, Judged, Measured, Probability, Series, Share, Shares


@dataclass(frozen=True, kw_only=True)
class Strayed(Judged):
    """How far right implementations stray. It has passed where none was called wrong.

    alarms: how many were
    largest: the largest share of the allowance
    quantiles: of the shares, by name
    tail, tail_interval: the probability of a share above 1, estimated from the `exceedances` above the `threshold`
    message: those of the alarms
    """

    dtype: str
    alarms: Count
    largest: Share = None
    implementation: str = ""
    quantity: str = ""
    quantiles: Shares = field(default_factory=dict)
    tail: Probability = None
    tail_interval: tuple[float, float] | None = None
    threshold: Measured = None
    exceedances: Count = 0
    seeds: list[int] = field(default_factory=list)
    message: str = ""

    @staticmethod
    def outcome(stored: Mapping[str, Any]) -> bool | None:
        return not stored.get("alarms", 0)


@dataclass(frozen=True, kw_only=True)
class SoakRecord(Strayed, kind="soak"):
    """The soak of rungs 1 to 3, or of derivatives, summarised by pair, dtype, implementation and quantity."""

    pair: str
    examples: Count


@dataclass(frozen=True, kw_only=True)
class CurveSoakRecord(
    Strayed,
    kind="soak-curves",
    untold=("name", "seed", "machine", "steps", "compared", "factors", "seconds", "origin", "packages", "processor"),
    former=("alarm",),
):
    """One curve of the soak of rung 4.

    network, name: of the experiment, both; `curves` is 1
    machine: the emulated machine that it was trained on
    steps, compared: their number, and those before the envelope grows too wide
    factors: by implementation, the least factor that the curve needs, for every number of moved runs from 1
    origin: digests of the code that trained it, of the packages and of the recipes
    packages, processor: those of a record that is kept with the code, see `parity.results.evidence`
    """

    network: str
    curves: Count = 1
    name: str = ""
    seed: int | None = None
    machine: str = ""
    steps: Count = 0
    compared: Count | None = None
    factors: Mapping[str, Series] = field(default_factory=dict)
    seconds: float | None = None
    origin: dict[str, str] = field(default_factory=dict)
    packages: str = ""
    processor: str = ""


@dataclass(frozen=True, kw_only=True)
class ChunkRecord(
    Judged,
    kind="soak-chunks",
    untold=("number", "shares", "kinks", "seconds", "code", "digest", "frameworks", "packages", "processor"),
):
    """Some examples of the soak, of one pair and dtype and of a seed of their own. It has passed without an alarm.

    seed, number: those of the soak, and the chunk's among its chunks
    shares: by implementation and quantity, the share of the allowance that each example used
    kinks: the directions that were left out, of derivatives
    alarm: the message of the alarm that ended it; None where there was none
    code: the digest of all that draws and judges such examples
    digest: of the examples
    packages, processor: those of a record that is kept with the code, see `parity.results.evidence`
    """

    pair: str
    dtype: str
    seed: int
    number: Count
    examples: Count
    shares: Mapping[str, Sequence[Share]] = field(default_factory=dict)
    kinks: Count = 0
    alarm: str | None = None
    seconds: float | None = None
    code: str = ""
    digest: str = ""
    frameworks: list[str] = field(default_factory=list)
    packages: str = ""
    processor: str = ""

    @staticmethod
    def outcome(stored: Mapping[str, Any]) -> bool | None:
        return not stored.get("alarm")


@dataclass(frozen=True, kw_only=True)
class MachineRecord(Judged, kind="machines", untold=("found", "bits", "alarms", "off", "origin")):
    """One job on one emulated machine; see `parity.machines.run.Outcome`."""

    machine: str
    describes: str
    job: str
    status: str
    asked: dict[str, str] = field(default_factory=dict)
    found: dict[str, str] = field(default_factory=dict)
    bits: dict[str, str] = field(default_factory=dict)
    counts: dict[str, list[Count]] = field(default_factory=dict)
    alarms: Count = 0
    off: list[str] = field(default_factory=list)
    message: str = ""
    seconds: float | None = None
    origin: str = ""

    @staticmethod
    def outcome(stored: Mapping[str, Any]) -> bool | None:
        return {"green": True, "red": False}.get(str(stored.get("status")))
