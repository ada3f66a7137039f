"""The known refusals. A module of this package is a family.

Its table, KNOWN, says what one implementation refuses and another accepts, and why; SETTINGS, where it has them, are
the settings that make no sense and are tried on it.
"""

from __future__ import annotations

from parity.catalogue.known import Known
from parity.catalogue.settings import Settings
from parity.discovery import families

_families = families(__name__)
KNOWN: list[Known] = [known for family in _families for known in family.KNOWN]
SETTINGS: Settings = {
    pair: by_wrong for family in _families for pair, by_wrong in getattr(family, "SETTINGS", {}).items()
}
