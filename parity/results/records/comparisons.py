"""Records of comparisons: any two models, what they compute, and whose fault it is where it is not the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from parity.results.records.record import Count, Judged, Part, Rung, Series, Share, Shares


@dataclass(frozen=True, kw_only=True)
class TensorPart(Part):
    """One tensor of the other model.

    mode: evaluation or training, or as-it-came: evaluation with the weights that the other model came with
    layer: the reference's layer or call that it belongs to; "" is the whole model
    tensor: its role in the layer, or its place among several
    digits: the decimal digits in which it agrees with the reference
    passed: null where what can be judged of it is within, but not all can
    beyond: how many of its elements cannot be judged, as the range of the format may be why they are off
    known: the entry of the catalogue that says why it differs in a right port; "" where nothing does
    """

    mode: str
    rung: Rung
    layer: str
    quantity: str
    tensor: str
    name: str
    share: Share
    digits: float
    passed: bool | None
    known: str = ""
    beyond: Count = 0


@dataclass(frozen=True, kw_only=True)
class LayerPart(Part):
    """A call of a layer in the reference, and the one in the other model that computes the same.

    called: the reference's calls, which are two where the other model's layer applies an activation
    site: the last of them, whose output is compared
    title, title_there: the classes of the layers
    layer: the name that the reference's parameters go by
    error: whose error it is where a tensor of it is outside: "own" where it is, given the same input; "" where none is
    """

    called: str
    site: str
    title: str
    there: str
    title_there: str
    layer: str
    error: Literal["", "own", "inherited"] = ""


@dataclass(frozen=True, kw_only=True)
class FaultPart(Part):
    """A layer whose own error is outside what rounding allows.

    share: of the allowance, given the reference's input; None where it is infinite, or `proven` in other layers
    told, mend: what it probably is, and what mends it; "" where nothing that is known removes the error
    """

    layer: str
    title: str
    beside: str
    share: Share
    proven: bool
    told: str = ""
    mend: str = ""


@dataclass(frozen=True, kw_only=True)
class UpdatesPart(Part):
    """The findings on two optimizers.

    shares: of what is allowed, by tensor
    itself: the largest that the reference's optimizer uses
    told, mends: what is probably the cause, and what mends it
    known: the entries of the catalogue that say what differs in a right port
    settings: what the two rules differ in, where that does not explain it
    beyond: by tensor that has such, how many elements the range of the format keeps from being judged
    """

    first: str
    second: str
    passed: bool
    shares: Shares
    itself: Share
    told: list[str] = field(default_factory=list)
    mends: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    settings: list[str] = field(default_factory=list)
    beyond: Mapping[str, Count] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LossesPart(Part):
    """The losses of the two models, trained on the same batches.

    shares: of what rounding allows, of the steps that tell anything
    parted: the first step that is outside, counted from 0
    told, mend: what it probably is, and what mends it; "" where that is not known
    """

    passed: bool
    reference: Series
    other: Series
    shares: list[Share]
    parted: Count | None
    told: str = ""
    mend: str = ""


@dataclass(frozen=True, kw_only=True)
class ComparisonRecord(Judged, kind="comparisons", case=True):
    """Two models, compared by `parity compare`. It has passed where they compute the same.

    first, second: the frameworks that they are written in
    reference: that of the model that the other is judged by
    headline, told: what came out, in one sentence and in all
    itself: the largest share of its allowance that the reference model uses
    layers: the calls that could be compared, in the other model's order
    weights: the names of the first's arrays, and of the second's that hold the same
    aligned, calls: how many of the other model's calls of layers could be compared, of how many
    alone: the reference's calls of layers that have no counterpart
    unmodelled: operations that nothing is known of the rounding of
    notes: what was assumed, and what was not looked at
    form: the number format that was judged
    seconds: wall time
    """

    first: str
    second: str
    reference: str
    headline: str
    told: list[str]
    tensors: list[TensorPart]
    itself: Share = None
    layers: list[LayerPart] = field(default_factory=list)
    faults: list[FaultPart] = field(default_factory=list)
    weights: Mapping[str, str] = field(default_factory=dict)
    aligned: Count = 0
    calls: Count = 0
    alone: list[str] = field(default_factory=list)
    unmodelled: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    updates: UpdatesPart | None = None
    losses: LossesPart | None = None
    form: str = "float32"
    seconds: float | None = None
