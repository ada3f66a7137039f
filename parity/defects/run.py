"""Climbs the ladder with a defect planted, until it is caught."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any
from unittest import mock

from numpynet.training import History, fit
from parity.defects.baseline import baseline
from parity.defects.defect import Defect
from parity.frameworks import available
from parity.ladder.proving import prove
from parity.ladder.trace import CURVE, RUNGS, STEP
from parity.results.records.facts import DefectRecord
from parity.training.curves import Curve, Series, compare_curves
from parity.training.recipes import PLANTED

EXAMPLES = 1000  # ten times what a pair is usually given: a defect caught later than that is worth knowing of


def run(
    defect: Defect, *, examples: int = EXAMPLES, frameworks: list[str] | None = None, shrink: bool = True
) -> DefectRecord:
    """Climb the ladder with the defect planted; the record says who caught it, after how many examples, and how."""
    frameworks = available() if frameworks is None else frameworks
    climb = _train if defect.rung == CURVE else functools.partial(_prove, examples=examples, shrink=shrink)
    return DefectRecord(
        key=defect.name,
        title=defect.title,
        target=defect.target.__name__,
        source=defect.family,
        baseline=baseline(defect),
        **climb(defect, frameworks),
    )


def _prove(defect: Defect, frameworks: list[str], examples: int, shrink: bool) -> dict[str, Any]:
    # First on the rung that it belongs to, so that which rung catches it is no matter of which example comes first.
    for rung in (defect.rung, STEP):
        report = prove(
            defect.target,
            defect.dtype,
            examples=examples,
            frameworks=frameworks,
            alter=defect.plant,
            shrink=shrink,
            up_to_rung=rung,
        )
        if not report.passed:
            break
    return {
        "passed": not report.passed,
        "rung": report.failed_rung,
        "quantity": report.failed_quantity,
        "examples": report.failed_after or report.examples,
        "shrunk": report.shrunk if shrink else None,
        "message": report.failure or "",
    }


def _train(defect: Defect, frameworks: list[str]) -> dict[str, Any]:
    right = _right(tuple(frameworks))
    curve = compare_curves(PLANTED, alter=defect.plant_in_trainer, loop=_loop(defect))
    quantity, message = None, ""
    for part in ("validation", "training"):
        planted, others = getattr(curve, part), getattr(right, part)
        if planted.used["numpynet"] > 1:
            quantity, message = f"{part} loss", _message(part, planted, others)
    return {
        "passed": quantity is not None,
        "rung": CURVE if quantity else None,
        "quantity": quantity,
        "examples": 1,
        "shrunk": None,
        "message": message,
    }


@functools.cache
def _right(frameworks: tuple[str, ...]) -> Curve:
    """The curve of the experiment with nothing planted.

    The frameworks never see a defect: they are trained once.
    """
    return compare_curves(PLANTED, frameworks)


def _loop(defect: Defect) -> Callable[..., History]:
    """The loop that drives the trainer: `fit`, with the batches of the defect if those are what is wrong."""

    def fit_with_its_batches(*args: Any, **kwargs: Any) -> History:
        with mock.patch("numpynet.training.loop.batch_order", defect.broken):
            return fit(*args, **kwargs)

    return fit if isinstance(defect.broken, type) else fit_with_its_batches


def _message(part: str, planted: Series, right: Series) -> str:
    used = right.used | planted.used
    worst = planted.worst["numpynet"]
    lines = [
        f"rung {CURVE} ({RUNGS[CURVE]}): {part} loss of {PLANTED.title}",
        f"odd one out: {', '.join(name for name, share in used.items() if share > 1)}",
        f"worst {'step' if part == 'training' else 'epoch'}: {worst + 1} of {len(planted.envelope)}",
    ]
    for name, losses in (right.losses | planted.losses).items():
        loss = f"{losses[worst]:.9g}" if worst < len(losses) else "missing"
        lines.append(f"  {name:<10} {loss}  {used[name]:.3g} of what is allowed")
    return "\n".join(lines)
