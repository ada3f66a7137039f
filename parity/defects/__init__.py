"""Defects planted on purpose: a green run proves something only where the suite can turn red."""

from parity.defects.defect import Defect, gallery
from parity.defects.run import run
from parity.defects.twins import run_twin
from parity.defects.usual import usual_way

__all__ = ["Defect", "gallery", "run", "run_twin", "usual_way"]
