"""Mistakes that people made when they ported a network, each with its source, planted in small twins."""

from __future__ import annotations

from parity.comparison.gallery import convolutional, decoder, mlp, mobile, recurrent, residual, transformer
from parity.comparison.gallery.mistake import Mistake, Twin

FAMILIES = (mlp, convolutional, residual, mobile, transformer, recurrent, decoder)
MISTAKES: list[Mistake] = [mistake for family in FAMILIES for mistake in family.MISTAKES]
TWINS: list[Twin] = list(dict.fromkeys(mistake.twin for mistake in MISTAKES))

__all__ = ["MISTAKES", "TWINS", "Mistake", "Twin"]
