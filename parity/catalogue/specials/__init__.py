"""Special values. A module of this package is a family.

EXAMPLES are the examples of its classes into which they are put; its table, KNOWN, says what a framework makes of one
otherwise than numpynet.
"""

from __future__ import annotations

from parity.catalogue.deviation import Deviation
from parity.catalogue.example import Example
from parity.discovery import families

_families = families(__name__)
KNOWN: list[Deviation] = [known for family in _families for known in family.KNOWN]
EXAMPLES: list[Example] = [example for family in _families for example in family.EXAMPLES]
