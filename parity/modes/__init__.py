"""Modes, the ways of writing and running the same model: a framework's agree with each other, and with numpynet."""

from parity.modes.models import MODELS, Model
from parity.modes.table import FINDINGS, Row, asked, run_modes

__all__ = ["FINDINGS", "MODELS", "Model", "Row", "asked", "run_modes"]
