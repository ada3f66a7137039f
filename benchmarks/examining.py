"""One architecture of the zoo compared, as it comes and with what was named made alike: `... examining NAME`.

It prints what was found as JSON; of the name `names`, those of all architectures.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import torch

import parity
from benchmarks.comparison import STEPS, seconds, step_in_keras, step_in_torch
from benchmarks.memory import resident_megabytes
from benchmarks.zoo import ZOO
from numpynet import Array
from parity.comparison.model import Unfit
from parity.comparison.result import Fault

TIMES = 2  # that what is named is mended: a layer behind one that differs may show its own difference then
Found = dict[str, Any]


def measure(name: str) -> Found:
    """What is said of an architecture, the seconds of the processor that it took, and those of plain steps."""
    torch.manual_seed(0)
    keras.utils.set_random_seed(0)
    architecture = ZOO[name]
    model, port = architecture.make()
    inputs = architecture.inputs(np.random.default_rng(0))
    plain = _plain(model, port, inputs)
    came, faults = _compared(model, port, inputs, plain)
    found: Found = {
        "source": architecture.source,
        "parameters": sum(one.numel() for one in model.parameters()),
        "plain": plain,
        "came": came,
    }
    for _ in range(TIMES):
        mends = [fault.cause for fault in faults if fault.cause is not None and fault.cause.setting is not None]
        if not mends:
            break
        for cause in mends:
            if cause.setting is not None and cause.setting.change is not None:
                cause.setting.change(cause.value)
        found["mended"], faults = _compared(model, port, inputs, plain)
    return found | {"megabytes": resident_megabytes()}


def _plain(model: Any, port: Any, inputs: Sequence[Array]) -> dict[str, float]:
    """The seconds of one forward and backward pass of each."""
    there = [values.transpose(0, 2, 3, 1) if values.ndim == 4 else values for values in inputs]
    return {
        "torch": min(seconds(lambda: step_in_torch(model, inputs)) for _ in range(STEPS)),
        "keras": min(seconds(lambda: step_in_keras(port, there)) for _ in range(STEPS)),
    }


def _compared(model: Any, port: Any, inputs: list[Array], plain: dict[str, float]) -> tuple[Found, list[Fault]]:
    """What is said of the two, and the layers at fault."""
    reports: list[parity.Comparison] = []
    refused = []

    def compare() -> None:
        try:
            reports.append(parity.compare(model, port, inputs))
        except Unfit as error:
            refused.append(str(error))

    taken = seconds(compare)
    cost = {"seconds": taken, "ratio": taken / sum(plain.values())}
    if refused:
        return cost | {"refused": refused[0]}, []
    (report,) = reports
    outside = [tensor for tensors in report.judged.values() for tensor in tensors if not tensor.passed]
    return cost | {
        "tensors": {mode: len(tensors) for mode, tensors in report.judged.items()},
        "outside": len(outside),
        "first": outside[0].name if outside else "",
        "share": None if outside else report.worst.share,
        "aligned": report.aligned,
        "calls": report.calls,
        "faults": list(_by_cause(report.faults)),
        "notes": [note for note in report.notes if "not looked at" in note or "set to that" in note],
    }, report.faults


def _by_cause(faults: Sequence[Fault]) -> Iterator[Found]:
    """Yields the layers at fault, those of one class and cause together."""
    groups: dict[tuple[str, str, str], list[Fault]] = {}
    for fault in faults:
        told, mend = ("", "") if fault.cause is None else (fault.cause.told, fault.cause.mend)
        groups.setdefault((fault.title, told, mend), []).append(fault)
    for (title, told, mend), alike in groups.items():
        yield {"layer": alike[0].layer, "title": title, "number": len(alike), "told": told, "mend": mend}


if __name__ == "__main__":
    print(json.dumps(list(ZOO) if sys.argv[1] == "names" else measure(sys.argv[1])))
