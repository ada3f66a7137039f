"""The derivatives of the reference, for each class."""

from __future__ import annotations

from collections.abc import Iterable

from parity.derivatives.proving import prove_derivative
from parity.items.classes import ClassName
from parity.results.records.ladder import DerivativeRecord
from parity.results.store import plain
from parity.work.performing import Item, Records
from parity.work.pool import Call

KIND = DerivativeRecord.KIND
MOST = 50  # examples for a pair: each gives a derivative for the input and for every parameter


def calls(classes: Iterable[ClassName], examples: int) -> list[Call]:
    return [Call(Item(KIND, of.name, {"pair": of.name}), differentiate, (of, min(examples, MOST))) for of in classes]


def differentiate(of: ClassName, examples: int) -> Records:
    return [plain(prove_derivative(of.load(), examples=examples))]
