"""The catalogue of known differences: each real as the frameworks come, predicted, and gone with its mapping."""

from __future__ import annotations

from parity.catalogue.difference import Claim, Demonstration, Difference, measure
from parity.catalogue.differences import catalogue

__all__ = ["Claim", "Demonstration", "Difference", "catalogue", "measure"]
