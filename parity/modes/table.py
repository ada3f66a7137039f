"""Judges every mode of every framework: against each other first, then against numpynet in a wider format."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Any

import numpy as np

from parity.formats import DTYPES
from parity.ladder.judge import share_used
from parity.ladder.trace import Trace
from parity.modes.models import ANY_DTYPE, MODELS, Model
from parity.modes.record import NotHere, reference, trained
from parity.results.records.ladder import ModeRecord, passes

# Rows that are known to part, and the entry of the catalogue that measures why.
FINDINGS = {
    "probabilities/*/tensorflow/raw/eager": "probabilities-eager-graph",
    "million/*/tensorflow/*/xla": "compiled-sums",
    "million/*/torch/*/compile": "compiled-sums",
    "*/float64/tensorflow/fit at floatx float32/*": "fit-in-floatx",
}


@dataclass
class Row:
    """One mode of one framework on one model.

    used: by quantity, the largest share of the allowance that its distance from the reference took
    apart: the same for its distance from the middle of the framework's modes, those that are findings left out
    status: "agrees", "off", "not run", or "finding" where it is off as the catalogue says
    note: why it is off or was not run, or the finding
    """

    model: str
    dtype: str
    framework: str
    mode: str
    execution: str
    used: dict[str, float] = field(default_factory=dict)
    apart: dict[str, float] = field(default_factory=dict)
    status: str = "agrees"
    note: str = ""
    record: Trace | None = None

    @property
    def key(self) -> str:
        return "/".join((self.model, self.dtype, self.framework, self.mode, self.execution))

    @property
    def finding(self) -> str | None:
        """The entry of the catalogue that says why this row parts; None where it should agree."""
        return next((entry for pattern, entry in FINDINGS.items() if fnmatch(self.key, pattern)), None)

    def as_record(self) -> ModeRecord:
        """The row as a record of the results store."""
        found = {name: value for name, value in vars(self).items() if name != "record"}
        return ModeRecord(key=self.key, passed=passes(self.status), **found)


def asked() -> list[tuple[str, str]]:
    """The models, by name, each with the dtypes that it is run in."""
    return [(name, dtype) for name in MODELS for dtype in DTYPES if dtype == "float32" or name not in ANY_DTYPE]


def run_modes(name: str, dtype: str, framework: str) -> list[Row]:
    """Every row of the framework on the model of that name, judged."""
    model = MODELS[name](np.dtype(dtype))
    found = run(model, framework)
    judge(found, *reference(model, framework))
    return found


def run(model: Model, framework: str) -> list[Row]:
    """Train the model in every mode of the framework; what a mode raises is its verdict."""
    home, found = importlib.import_module(f"parity.modes.{framework}"), []
    for mode, execution in home.modes(model):
        row = Row(model.name, model.dtype.name, framework, mode, execution)
        try:
            row.record = trained(model, home.make(mode, execution, model))
        except NotHere as obstacle:
            row.status, row.note = "not run", str(obstacle)
        except Exception as crash:
            row.status, row.note = "off", f"{type(crash).__name__}: {crash}"
        found.append(row)
    return found


def judge(found: list[Row], expected: Trace, allowed: Trace) -> None:
    """Fill in what each row used, and its status.

    A row that parts from the other modes is off for that reason, whatever its distance from the reference.
    """
    ran = [row for row in found if row.record is not None]
    middle = _middle([row.record for row in ran if not row.finding] or [row.record for row in ran], expected)
    for row in ran:
        row.apart, from_others = _shares(row, middle, allowed)
        row.used, from_reference = _shares(row, expected, allowed)
        if not max(row.apart.values()) <= 1:
            row.status, row.note = "off", f"parts from the other modes: {from_others}"
        elif not max(row.used.values()) <= 1:
            row.status, row.note = "off", f"parts from numpynet: {from_reference}"
        if row.finding:
            differs = row.status == "off"
            row.status = "finding" if differs else "agrees"
            row.note = f"{row.finding}: {from_reference if differs else 'not seen here'}"
    for row in ran:
        row.record = None  # the arrays have served


def _middle(records: Iterable[Any], expected: Trace) -> Trace:
    """The median of what the modes computed, element by element."""
    fitting = {
        key: [record[key] for record in records if key in record and record[key].shape == values.shape]
        for key, values in expected.items()
    }
    return {key: np.median(values, axis=0) for key, values in fitting.items() if values}


def _shares(row: Row, expected: Trace, allowed: Trace) -> tuple[dict[str, float], str]:
    """The largest share of the allowance used, by quantity that the mode shows, and the largest of all in words."""
    record: Any = row.record
    shown = {key.quantity for key in record}
    shares = {
        key: share_used(record.get(key), values, allowed[key], np.dtype(row.dtype))
        for key, values in expected.items()
        if key.quantity in shown
    }
    worst = max(shares, key=lambda key: shares[key])
    by_quantity: dict[str, float] = {}
    for key, share in shares.items():
        by_quantity[key.quantity] = max(share, by_quantity.get(key.quantity, 0.0))
    return by_quantity, f"{worst} by {shares[worst]:.3g} of the allowance"
