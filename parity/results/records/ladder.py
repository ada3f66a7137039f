"""Records of the ladder: of rungs 1 to 3, of the reference's derivatives, of ways of writing a model, of curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from parity.results.records.record import Count, Judged, Measured, Part, Rung, Series, Share, Shares


@dataclass(frozen=True, kw_only=True)
class UsePart(Part):
    """The largest share of the allowance that one quantity of one implementation used, and the module where it was."""

    implementation: str
    quantity: str
    used: Share
    module: str


@dataclass(frozen=True, kw_only=True)
class CheckRecord(Judged, kind="checks", case=True):
    """One pair in one dtype on rungs 1 to 3.

    frameworks: those that numpynet was compared with
    examples: how many were judged
    beyond: how many were drawn besides, whose numbers leave the format's range at once: nothing of them is judged
    seconds, seconds_inside: the time that it took, and that within the implementations' own calls
    uses: the largest share of the allowance by implementation and quantity
    failure: the message on the example that failed; None where every one passed
    failed_rung, failed_quantity: where it failed; the quantity is "refusal" where one refused what others accept
    failed_after: the number of examples drawn until the first that failed
    shrunk: the module of the smallest example that fails, as its constructor's call
    seed: the seed that names the examples
    guided: whether many of them are variations of those that used the largest shares
    digest: the digest of the examples; equal ones rest on the same examples
    """

    pair: str
    dtype: str
    frameworks: list[str]
    examples: Count = 0
    beyond: Count = 0
    seconds: float = 0.0
    seconds_inside: float = 0.0
    uses: list[UsePart] = field(default_factory=list)
    failure: str | None = None
    failed_rung: Rung | None = None
    failed_quantity: str | None = None
    failed_after: Count | None = None
    shrunk: str | None = None
    seed: int | None = None
    guided: bool = False
    digest: str = ""

    @staticmethod
    def outcome(stored: Mapping[str, Any]) -> bool | None:
        return not stored.get("failure")


@dataclass(frozen=True, kw_only=True)
class DerivativeRecord(Judged, kind="derivatives", case=True, untold=("derivatives", "measured"), former=("holds",)):
    """The reference's gradients of one pair, compared with exact derivatives.

    examples, derivatives: how many were judged
    kinks: the directions left out for want of a derivative
    used: the largest share of the allowance
    resolution: the median relative error that would have been noticed
    message: on the one that failed, or why nothing could be compared
    measured: whether the module could be differentiated; one that could not has not passed
    """

    pair: str
    examples: Count = 0
    derivatives: Count = 0
    kinks: Count = 0
    used: Share = None
    resolution: Measured = None
    message: str = ""
    measured: bool = True

    @staticmethod
    def outcome(stored: Mapping[str, Any]) -> bool | None:
        return stored.get("holds")


@dataclass(frozen=True, kw_only=True)
class ModeRecord(Judged, kind="modes", case=True):
    """One way of writing and running a model in one framework.

    mode: how the model is written: raw, subclass, sequential, functional, fit, module, ...
    execution: how it is run: eager, graph, xla, compile, ...
    used: by quantity, the largest share of the allowance that its distance from numpynet took
    apart: the same for its distance from the framework's other modes
    status: "finding" where it parts as the catalogue of known differences says, which passes
    note: why it is off or was not run, or the finding
    """

    model: str
    dtype: str
    framework: str
    mode: str
    execution: str
    used: Shares = field(default_factory=dict)
    apart: Shares = field(default_factory=dict)
    status: Literal["agrees", "finding", "off", "not run"] = "not run"
    note: str = ""

    @staticmethod
    def outcome(stored: Mapping[str, Any]) -> bool | None:
        return passes(str(stored.get("status", "not run")))


def passes(status: str) -> bool | None:
    """Tells whether a mode of this status is as it should be; None where it was not run."""
    return {"agrees": True, "finding": True, "off": False}.get(status)


@dataclass(frozen=True, kw_only=True)
class SeriesPart(Part):
    """Loss curves of all implementations, judged against the reference's; see `parity.training.curves.Series`."""

    losses: Mapping[str, Series]
    envelope: Series
    allowed: Series
    used: Shares
    worst: dict[str, int]
    compared: Count


@dataclass(frozen=True, kw_only=True)
class CurveRecord(Judged, kind="curves", case=True, untold=("name", "not_compared"), former=("worst",)):
    """One experiment in one dtype, trained on every implementation (rung 4); the series is that of training.

    not_compared: the frameworks that took no part
    steps: their number; the report lists them
    compared: the steps before the envelope grows too wide to tell anything
    losses: by implementation, one a step
    envelope: what rounding does to each loss of the reference
    allowed: how far a loss may be from the reference's, step by step
    used: by implementation, the largest share of the allowance, in this series and the validation's
    worst_step: the step where that is in this one
    validation: the series of the validation's losses, one an epoch
    message: why nothing was compared, or not every step
    """

    title: str
    name: str = ""
    dtype: str = ""
    steps: Count = 0
    compared: Count | None = None
    losses: Mapping[str, Series] = field(default_factory=dict)
    envelope: Series = field(default_factory=list)
    allowed: Series = field(default_factory=list)
    used: Shares = field(default_factory=dict)
    worst_step: dict[str, int] = field(default_factory=dict)
    validation: SeriesPart | None = None
    not_compared: list[str] = field(default_factory=list)
    message: str = ""
