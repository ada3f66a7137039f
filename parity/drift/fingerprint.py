"""What one stack computes: every tensor of the first examples of a pair, to the bit, with its error and its share.

The examples are those that `parity check` draws first, the same on every machine and stack.
"""

from __future__ import annotations

import itertools
import math
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numpynet import Array
from parity.case import Case
from parity.drawing.examples import Digest
from parity.drift.machine import MATTERS
from parity.drift.packing import packed, unit_in_the_last_place
from parity.frameworks import NUMPYNET
from parity.items.classes import ClassName
from parity.ladder.cases import for_all
from parity.ladder.judge import Judgement, errors, judge
from parity.ladder.proving import mapped
from parity.ladder.trace import Key, run
from parity.mapping.convert import subject
from parity.results.code import judging_as_written
from parity.results.packages import machine
from parity.results.records import CRASHED, Json
from parity.results.records.fingerprints import ExampleTensorPart, TensorsRecord, TracePart
from parity.results.store import plain
from parity.work.memory import forgetting
from parity.work.performing import Item, Records
from parity.work.pool import Call

KIND = TensorsRecord.KIND
EXAMPLES = 3  # of each pair and dtype: with them the records of a stack take 2 MB
DEPRECATED = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)


def calls(
    classes: Iterable[ClassName], dtypes: Iterable[str], frameworks: list[str], examples: int, seed: int
) -> list[Call]:
    """A call for each class and dtype."""
    return [
        Call(Item(KIND, f"{of.name}/{dtype}", {}), measure, (of, dtype, frameworks, examples, seed))
        for of in classes
        for dtype in dtypes
    ]


def counts(record: Json, frameworks: list[str], examples: int, seed: int) -> bool:
    """Tells whether a record is what would be measured now, by this code, or says more."""
    asked = set(frameworks) <= set(record.get("frameworks", ()))
    return record.get("status") != CRASHED and asked and _what(record) == (examples, seed, code())


def _what(record: Json) -> tuple[int, int, str]:
    return record["examples"], record["seed"], record["code"]


def code() -> str:
    """The SHA-256 (hex) of everything that draws and judges an example, as this process began."""
    return judging_as_written("frameworks", "ladder")


@forgetting(every=16)
def measure(of: ClassName, dtype: str, frameworks: list[str], examples: int, seed: int) -> Records:
    return [plain(fingerprint(of.load(), dtype, frameworks, examples, seed))]


def fingerprint(target: type, dtype: str, frameworks: list[str], examples: int, seed: int = 0) -> TensorsRecord:
    """Returns what numpynet and `frameworks` compute of the first examples of `target`, a class, in one dtype.

    Frameworks that the pair has no counterpart in take no part.
    """
    names, digest, numbers = mapped(target, frameworks), Digest(), itertools.count()
    tensors: list[ExampleTensorPart] = []
    traces = {name: _Trace(np.dtype(dtype)) for name in (NUMPYNET, *names)}

    def keep(case: Case) -> None:
        digest.add(case)
        number, first = next(numbers), len(tensors)
        for name in names:
            traces[name].warned |= deprecations(case, name)
        judgement = judge(case, names)
        allowed = judgement.allowed.get(NUMPYNET, {})
        tensors.extend(
            _described(number, key, value, allowed[key], dtype) for key, value in judgement.reference.items()
        )
        for name, trace in traces.items():
            trace.take(judgement, name, number, tensors[first:], first)

    for_all(keep, target, dtype, examples=examples, random_seed=seed, shrink=False)
    return TensorsRecord(
        key=f"{target.__name__}/{dtype}",
        pair=target.__name__,
        dtype=dtype,
        frameworks=frameworks,
        examples=examples,
        seed=seed,
        digest=str(digest),
        code=code(),
        machine={part: value for part, value in machine().items() if part in MATTERS},
        tensors=tensors,
        found={name: trace.as_part() for name, trace in traces.items()},
    )


def computed(pair: str, dtype: str, of: str, tensor: str, seed: int = 0) -> Array:
    """Returns what an implementation computes here of one tensor, called as a record of tensors and its example are.

    Raises LookupError where it has no such tensor.
    """
    example, _, name = tensor.partition(", ")
    cases: list[Case] = []
    number = int(example.removeprefix("example "))
    for_all(cases.append, ClassName(pair).load(), dtype, examples=number, random_seed=seed, shrink=False)
    case = cases[-1]
    with np.errstate(all="ignore"):
        trace = run(case, subject(case, of), beside=subject(case, of) if case.beside else None)
    for key, values in trace.items():
        if str(key) == name:
            return values
    raise LookupError(f"{of} has no tensor {tensor!r} of {pair} in {dtype}")


def _described(example: int, key: Key, value: Array, allowed: Array, dtype: str) -> ExampleTensorPart:
    sizes = np.abs(value[np.isfinite(value)])
    rounding = bool(np.max(allowed, initial=0) >= np.max(sizes, initial=0))
    unit = None if rounding else unit_in_the_last_place(value, np.dtype(dtype))
    return ExampleTensorPart(example=example, name=str(key), shape=list(value.shape), unit=unit)


@dataclass
class _Trace:
    """The tensors of one implementation, as they are measured."""

    dtype: np.dtype[Any]
    arrays: list[Array] = field(default_factory=list)
    without: list[int] = field(default_factory=list)
    used: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    odd: dict[str, str] = field(default_factory=dict)
    warned: set[str] = field(default_factory=set)

    def take(self, judgement: Judgement, name: str, example: int, tensors: list[ExampleTensorPart], first: int) -> None:
        """Take in what `name` computed of one example, whose tensors have their places from `first` on."""
        trace, used = judgement.traces.get(name, {}), judgement.used.get(name, {})
        if name in judgement.crashes:
            self.odd[str(example)] = f"raises {_in_one_line(judgement.crashes[name])}"
        elif name in judgement.unsteady:
            self.odd[str(example)] = f"answers otherwise when asked again: {judgement.unsteady[name]}"
        for place, (key, tensor) in enumerate(zip(judgement.reference, tensors, strict=True), first):
            values, expected = trace.get(key), judgement.reference[key]
            if key not in used or values is None or values.shape != expected.shape or values.dtype != self.dtype:
                self.without.append(place)
                if key in used:
                    said = "nothing" if values is None else f"{values.dtype}{list(values.shape)}"
                    self.odd[str(example)] = f"returns {said} as {key}"
                continue
            self.arrays.append(values)
            self.used.append(used[key])
            distance = float(np.max(errors(values, expected), initial=0))
            self.errors.append(math.nan if tensor.unit is None else distance / tensor.unit)

    def as_part(self) -> TracePart:
        return TracePart(
            bits=packed(self.arrays),
            without=self.without,
            used=self.used,
            errors=[_short(error) for error in self.errors],
            odd=self.odd,
            warnings=sorted(self.warned),
        )


def _short(error: float) -> float:
    return float(f"{error:.4g}")  # more digits say nothing, and take a fifth of a record


def deprecations(case: Case, name: str) -> set[str]:
    """Returns what the framework called `name` warns of, as deprecated or soon to change, when it runs the case."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with np.errstate(all="ignore"):
                run(case, subject(case, name), beside=subject(case, name) if case.beside else None)
        except Exception:  # what it refuses, the judgement tells
            pass
    return {
        f"{each.category.__name__}: {_in_one_line(each.message)}"
        for each in caught
        if issubclass(each.category, DEPRECATED)
    }


def _in_one_line(error: BaseException | str) -> str:
    """The first line of a message, without what differs from run to run: addresses in memory, and paths."""
    said = str(error).strip().partition("\n")[0] or type(error).__name__
    return re.sub(r"0x[0-9a-f]+|(/[\w.+-]+){2,}", "...", said)
