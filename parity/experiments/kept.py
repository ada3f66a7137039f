"""The trainings that the results store keeps, so that a rerun goes on where the last one ended."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpynet.training import History
from parity.results import code
from parity.results.records.trainings import TrainingRecord
from parity.results.store import Results, plain
from parity.study.registration import description
from parity.training.experiment import Experiment, Run

KIND = TrainingRecord.KIND


@dataclass(frozen=True)
class Trained:
    """One training from one seed; see `parity.training.experiment.Run`. Its history has no step losses.

    observed: what its experiment's `observe` returned
    """

    seed: int
    status: str
    message: str
    accuracy: float | None
    seconds: float
    initial_weights: str
    batch_order: str
    history: History
    observed: dict[str, Any]


class Shelf:
    """The trainings in one results folder, as made by one version of the code."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self._records = {record["key"]: record for record in results.read(KIND)}

    def find(self, key: str, origin: str) -> Trained | None:
        """The training kept under `key`; None where there is none of this `origin`."""
        record = self._records.get(key)
        return _trained(record) if record and record["origin"] == origin else None

    def keep(self, key: str, origin: str, run: Run, observed: dict[str, Any]) -> Trained:
        """Store a training, which is on disk when this returns; returns what is kept of it."""
        history = {name: values for name, values in vars(run.history).items() if name != "step_losses"}
        record = plain(TrainingRecord(key=key, history=history, observed=observed, origin=origin, **run.as_fields()))
        self.results.append(KIND, key, record)
        return _trained(record)


def origin(experiment: Experiment, judge: Callable[..., Any]) -> str:
    """The SHA-256 (hex) of all that a training depends on: packages, code, what is trained, and `judge`'s module.

    The text of that module counts as it stands, comments and docstrings included.
    """
    parts = [code.origin(), description(experiment), code.digest([Path(inspect.getfile(judge))])]
    return hashlib.sha256(json.dumps(plain(parts)).encode()).hexdigest()


def _trained(record: dict[str, Any]) -> Trained:
    found = {name: record[name] for name in Trained.__dataclass_fields__}
    return Trained(**found | {"history": History(**record["history"])})
