"""Special values in linear layers."""

from __future__ import annotations

from numpynet import Linear
from parity.catalogue.deviation import Deviation
from parity.catalogue.example import layer

EXAMPLES = [layer(Linear(33, 2))]

KNOWN: list[Deviation] = []
