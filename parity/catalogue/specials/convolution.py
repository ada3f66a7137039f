"""Special values in convolutions."""

from __future__ import annotations

from numpynet import Conv2d
from parity.catalogue.deviation import Deviation
from parity.catalogue.example import IMAGES, layer

EXAMPLES = [layer(Conv2d(3, 2, 3, padding=1), IMAGES)]

KNOWN: list[Deviation] = []
