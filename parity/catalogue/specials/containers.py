"""Special values in what combines several inputs."""

from __future__ import annotations

from numpynet import Concatenate, Sum
from parity.catalogue.deviation import Deviation
from parity.catalogue.example import ROWS, layer

EXAMPLES = [layer(Sum(), (ROWS, -2 * ROWS)), layer(Concatenate(), (ROWS, -2 * ROWS))]

KNOWN: list[Deviation] = []
