"""Undamaged twins of the defects: the ladder must not catch them; how often the baseline does is counted.

The baseline compares with tolerances that were chosen by hand, so that it may call a right implementation wrong, on one
processor and not on another. Its false alarms are a figure, as its misses are. The ladder's would be a failure.
"""

from __future__ import annotations

from numpynet.training import Trainer
from parity.defects.defect import Defect, gallery
from parity.defects.run import run
from parity.results.records.facts import TwinRecord

EXAMPLES = 20  # enough to go through the harness of the defect; `parity check` looks at the same classes at length


def targets() -> dict[str, Defect]:
    """One defect for each class that defects are planted in; for the trainer two, one in it and one in its batches."""
    found: dict[str, Defect] = {}
    for defect in gallery():
        name = defect.target.__name__
        if defect.target is Trainer and not isinstance(defect.broken, type):
            name = "batch_order"
        found.setdefault(name, defect)
    return found


def run_twin(name: str, frameworks: list[str] | None = None, examples: int = EXAMPLES) -> TwinRecord:
    """The record of the undamaged twin of the defect `name` in `targets`."""
    caught = run(targets()[name].twin, examples=examples, frameworks=frameworks, shrink=False)
    return TwinRecord(key=name, passed=not caught.passed, message=caught.message, baseline=caught.baseline)
