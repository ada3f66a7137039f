"""Records of what one stack computes and takes, which `parity drift` compares with those of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from parity.results.records.record import Count, Json, Measured, Part, Record, Share


@dataclass(frozen=True, kw_only=True)
class ExampleTensorPart(Part):
    """One tensor of one example, whoever computes it.

    unit: the unit in the last place of the reference's largest value; None where that is no larger than its allowance,
        so that the tensor is nothing but rounding
    """

    example: Count
    name: str
    shape: list[int]
    unit: Measured = None


@dataclass(frozen=True, kw_only=True)
class TracePart(Part):
    """All tensors of one implementation.

    bits: those of the tensors, see `parity.drift.packing`
    without: the places of the tensors that it has not
    used: of each tensor that it has, the largest share of the allowance
    errors: of each tensor that it has, the largest distance from the reference, in the tensor's units
    odd: by the number of an example, what it raised there, or returned in another shape or dtype
    warnings: those of what is deprecated, each once
    """

    bits: str = ""
    without: list[Count] = field(default_factory=list)
    used: Sequence[Share] = field(default_factory=list)
    errors: Sequence[Measured] = field(default_factory=list)
    odd: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class TensorsRecord(Record, kind="tensors", planned=True, untold=None):
    """Every tensor of the first examples of one pair in one dtype, to the bit.

    frameworks: those that were asked
    seed, digest: which examples they are
    code: the digest of all that draws and judges such examples
    machine: of the process that measured: processor, kernels of the BLAS, threads and switches
    found: by implementation, what it computed
    """

    pair: str
    dtype: str
    frameworks: list[str]
    examples: Count
    seed: int
    digest: str
    code: str
    machine: Json = field(default_factory=dict)
    tensors: list[ExampleTensorPart] = field(default_factory=list)
    found: dict[str, TracePart] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SignatureRecord(Record, kind="signatures", planned=True, untold=None):
    """The signature of one class or function of a framework that parity names.

    name: its dotted name
    there: whether the release has it
    parameters: by name, the default as Python writes it, empty where it has to be given; None where it cannot be read
    """

    framework: str
    name: str
    there: bool = True
    parameters: dict[str, str] | None = None
