"""Special values in what changes the shape alone."""

from __future__ import annotations

from numpynet import Flatten
from parity.catalogue.deviation import Deviation
from parity.catalogue.example import IMAGES, layer

EXAMPLES = [layer(Flatten(), IMAGES)]

KNOWN: list[Deviation] = []
