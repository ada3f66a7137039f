"""The ways of writing and running the same model: all modes of a framework agree with each other, and with numpynet."""

from parity.modes.models import MODELS, Model
from parity.modes.table import FINDINGS, Row, run_modes

__all__ = ["FINDINGS", "MODELS", "Model", "Row", "run_modes"]
