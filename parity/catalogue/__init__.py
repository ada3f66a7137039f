"""The catalogue of known differences: each real as the frameworks come, predicted, and gone with its mapping."""

from __future__ import annotations

import importlib

from parity.catalogue.difference import Claim, Demonstration, Difference, entered, measure

TOPICS = (
    "linear",
    "images",
    "activations",
    "gelu",
    "kinks",
    "normalization",
    "dropout",
    "losses",
    "classes",
    "optimizers",
    "adaptive",
    "clipping",
    "initializers",
    "numerics",
    "modes",
)

__all__ = ["TOPICS", "Claim", "Demonstration", "Difference", "catalogue", "measure"]


def catalogue() -> list[Difference]:
    """Every entry of the catalogue, ordered by topic."""
    for topic in TOPICS:
        importlib.import_module(f"parity.differences.{topic}")
    return entered()
