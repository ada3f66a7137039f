"""What each family is known to refuse or accept where others do not, and the settings of it that make no sense.

A module of this package is a family. It has a table, KNOWN, and where settings are tried SETTINGS.
"""

from __future__ import annotations

from parity.catalogue.known import Known
from parity.catalogue.settings import Tries
from parity.discovery import families

KNOWN: list[Known] = [known for family in families(__name__) for known in family.KNOWN]
SETTINGS: dict[str, dict[str, Tries]] = {
    pair: by_wrong for family in families(__name__) for pair, by_wrong in getattr(family, "SETTINGS", {}).items()
}
