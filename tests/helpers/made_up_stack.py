"""Made-up stacks for the tests of drift: a record or two of each kind that has to be there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from made_up_records import add

from numpynet import Array
from parity.drift.packing import packed
from parity.drift.stack import NEEDED
from parity.results.records import Record
from parity.results.records.facts import DefaultRecord, DifferenceRecord, RefusalRecord, SpecialRecord
from parity.results.records.fingerprints import ExampleTensorPart, SignatureRecord, TensorsRecord, TracePart
from parity.results.records.ladder import CurveRecord, ModeRecord
from parity.results.records.plans import PlanRecord
from parity.results.records.trainings import RunRecord, StudyRecord
from parity.results.store import Results

PACKAGES = {"numpy": "2.4.6", "torch": "2.9.1", "tensorflow": "2.21.0", "keras": "3.15.1"}
VALUES: Array = np.array([0.5, -0.75, 0.0, 1.0], np.float32)
UNIT = 2.0**-23  # in the last place of 1
SEEDS, N_TEST, MARGIN = 8, 1000, 0.005
Change = Callable[[Any], Record]


def moved(ulps: int) -> Array:
    """The values with the largest one, 1, moved by so many units in the last place."""
    return VALUES + np.array([0, 0, 0, ulps * UNIT], np.float32)


def tensors(values: Array = VALUES, used: float | None = 0.25, error: float = 0.5, **changed: Any) -> TensorsRecord:
    """The tensors of LayerNormalization in torch and numpynet; torch's output is `values`."""
    part = ExampleTensorPart(example=0, name="output, step 1", shape=list(VALUES.shape), unit=UNIT)
    torch = TracePart(bits=packed([values]), used=[used], errors=[error])
    record = TensorsRecord(
        key="LayerNormalization/float32",
        pair="LayerNormalization",
        dtype="float32",
        frameworks=["torch"],
        examples=1,
        seed=0,
        digest="0123456789abcdef",
        code="c0de",
        tensors=[part],
        found={"numpynet": TracePart(bits=packed([VALUES]), used=[0.25], errors=[0.5]), "torch": torch},
    )
    return replace(record, **changed)


def traced(**changed: Any) -> TensorsRecord:
    """The same with something else said of torch."""
    record = tensors()
    return replace(record, found=record.found | {"torch": replace(record.found["torch"], **changed)})


def signature(**parameters: str) -> SignatureRecord:
    name = "torch.nn.LayerNorm"
    known = {"normalized_shape": "", "eps": "1e-05"} | parameters
    return SignatureRecord(key=f"torch/{name}", framework="torch", name=name, there=True, parameters=known)


def refusal(torch: str = "refuses") -> RefusalRecord:
    statuses = {"numpynet": "refuses", "torch": torch}
    return RefusalRecord(key="Linear/1-D input", passed=True, pair="Linear", wrong="1-D input", statuses=statuses)


def special(**does: str) -> SpecialRecord:
    return SpecialRecord(key="MaxPool2d/NaN", passed=True, pair="MaxPool2d", value="NaN", policy="NaN", does=does)


def default(slope: str = "0.3") -> DefaultRecord:
    return DefaultRecord(
        key="LeakyReLU.slope", passed=True, ours="0.01", theirs={"keras.layers.LeakyReLU(negative_slope)": slope}
    )


def difference(
    size: float = 0.0173, predicted: float | None = None, passed: bool | None = True, **changed: Any
) -> DifferenceRecord:
    record = DifferenceRecord(
        key="running-variance",
        passed=passed,
        topic="normalization",
        title="running variance",
        mapping="n/(n-1)",
        predicted=size if predicted is None else predicted,
        naive=size,
        mapped=0.0,
    )
    return replace(record, **changed)


def mode(status: Any = "agrees", note: str = "") -> ModeRecord:
    return ModeRecord(
        key="tiny/float32/torch/module/compile",
        passed=status != "off",
        model="tiny",
        dtype="float32",
        framework="torch",
        mode="module",
        execution="compile",
        status=status,
        note=note,
    )


def curve(torch: Sequence[float] = (2.0, 1.0, 0.5), used: float | None = 0.25) -> CurveRecord:
    losses = {"numpynet": [2.0, 1.0, 0.5], "torch": list(torch)}
    return CurveRecord(
        key="digits/float32", passed=True, title="Digits", steps=3, losses=losses, used={"numpynet": 0.1, "torch": used}
    )


def study(**changed: Any) -> StudyRecord:
    verdict = {"n_test": N_TEST, "margin": MARGIN, "alpha": 0.05}
    return replace(StudyRecord(key="digits", preregistration={"hash": "a"}, verdict=verdict), **changed)


def run(seed: int, right: int, weights: str) -> RunRecord:
    """One run of torch, with so many right answers."""
    return RunRecord(
        key=f"digits/coupled/torch/{seed}",
        study="digits",
        arm="coupled",
        implementation="torch",
        seed=seed,
        status="ok",
        accuracy=right / N_TEST,
        final_weights=weights,
    )


def runs(shift: Sequence[int] = (0,) * SEEDS, weights: str = "same") -> list[Record]:
    """The runs of all seeds, with `shift` more right answers."""
    return [run(seed, 900 + 3 * seed + more, weights) for seed, more in enumerate(shift)]


def records() -> list[Record]:
    """One of each kind that has to be there for anything to be safe."""
    return [
        *(tensors(), signature(), refusal(), special(), default(), difference(), mode(), curve(), study()),
        *runs(),
    ]


def stack(
    folder: Path,
    *changed: Record,
    without: Sequence[str] = (),
    packages: Mapping[str, str] = PACKAGES,
    torch: str = "2.9.1",
    **machine: Any,
) -> Path:
    """A results folder that lacks nothing, with these records in place of those of their key; returns the folder.

    `machine` is what the machine has otherwise.
    """
    found = {(record.KIND, record.key): record for record in (*records(), *changed) if record.KIND not in without}
    results, versions = Results(folder), {**packages, "torch": torch}
    machine = {"processor": "made up", "threads": {"OMP_NUM_THREADS": "1"}, **machine}
    known = {"stack": f"torch{torch}", "python": "3.11.9", "packages": versions, "lock": f"lock of torch {torch}"}
    results.write_environment(known | machine)
    found = {place: _on(machine, record) for place, record in found.items()}
    items = {kind: ["*"] for kind in NEEDED if kind not in without}
    add(results, PlanRecord(key="plan", command="everything", begun="then", ended="now", items=items))
    results.plan = "plan"
    for record in found.values():
        add(results, record)
    return folder


def _on(machine: Mapping[str, Any], record: Record) -> Record:
    return replace(record, machine=dict(machine)) if isinstance(record, TensorsRecord) else record
