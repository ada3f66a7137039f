"""Defects planted on purpose: a green run proves something only where the suite can turn red."""

from parity.defects import families
from parity.defects.baseline import baseline
from parity.defects.defect import Defect, gallery
from parity.defects.run import run
from parity.defects.twins import run_twin

__all__ = ["Defect", "baseline", "families", "gallery", "run", "run_twin"]
