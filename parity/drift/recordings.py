"""The recordings of a maintainer's own models, and what is found out about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from numpynet import Array
from parity.comparison.recording import Header
from parity.drift.document import Change, CurveMove, Missing, Move


@dataclass(frozen=True)
class Recording:
    """A recording, and the file that it was read from."""

    file: Path
    header: Header
    arrays: dict[str, Array]


@dataclass
class Found:
    """What was found out about the models, model by model."""

    numbers: list[Move] = field(default_factory=list)
    behaviour: list[Change] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    moved: list[CurveMove] = field(default_factory=list)
    tensors: int = 0
    settings: int = 0
    curves: int = 0
