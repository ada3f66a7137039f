"""How time and memory grow: checks, curves, studies and reports at several sizes, each size in a process of its own.

    python -m benchmarks.growth NUMBER          # the first sizes of every subject
    python -m benchmarks.growth SUBJECT SIZE    # one of them

The seconds are those that a size takes after a small one, which pays for imports; the memory is the process's most.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.memory import resident_megabytes
from benchmarks.study import TINY, milliseconds_a_run
from benchmarks.timing import in_own_process
from numpynet import SGD, Array, Linear, LogSoftMax, Module, NLLCriterion, Parameter, Sequential, Tanh
from numpynet.datasets import Dataset, blobs
from parity.case import Case, Step
from parity.frameworks import available
from parity.ladder.judge import judge
from parity.ladder.proving import prove
from parity.report import write_report
from parity.results.planning import planned
from parity.results.records.ladder import CurveRecord
from parity.results.store import Results
from parity.study import InProcess
from parity.training.curves import compare_curves
from parity.training.experiment import Experiment

CHECKED = (Linear, Tanh, NLLCriterion, SGD)  # what the records of a stack are of
EXAMPLES = 3  # of each, in those records
CURVES = 12  # of a stack

Measure = Callable[[int], float]


@dataclass(frozen=True)
class Subject:
    """What grows, with what, at which sizes; `measure` returns the seconds of one size."""

    command: str
    size: str
    sizes: tuple[int, ...]
    measure: Measure

    @property
    def name(self) -> str:
        return f"{self.command}, {self.size}"


def of_examples(number: int) -> float:
    prove(Linear, examples=2)
    return prove(Linear, examples=number).seconds


def _judged(module: Module, features: int) -> float:
    """The seconds of judging one case of a module, after one that pays for imports."""
    judge(_case(Linear(2, 2), 2))
    case = _case(module, features)
    start = time.perf_counter()
    judgement = judge(case)
    if not judgement.passed:
        raise AssertionError(f"{module!r} is called wrong")
    return time.perf_counter() - start


def _case(module: Module, features: int) -> Case:
    """Two steps of SGD on eight rows of so many features, which the module maps to as many."""
    rng = np.random.default_rng(0)

    def rows() -> Array:
        return rng.standard_normal((8, features), np.float32)

    return Case(module, [Step(rows(), rows()) for _ in range(2)], arguments={})


def of_layers(number: int) -> float:
    layers = [layer for _ in range(number // 2) for layer in (Linear(8, 8), Tanh())]
    return _judged(Sequential(*layers), 8)


def of_parameters(number: int) -> float:
    features = math.isqrt(number)
    return _judged(Linear(features, features, bias=False), features)


def points() -> Dataset:
    return blobs(n=400, centers=2, cluster_std=1.0)


def descent(parameters: Iterable[Parameter]) -> SGD:
    return SGD(parameters, lr=1 / 64)


def _trained(network: Callable[[np.random.Generator], Module]) -> float:
    """The seconds of a curve, in all implementations, after a short one that pays for imports."""
    warm = Experiment("warm", "One epoch of little", points, _narrow(1), NLLCriterion, descent, 1, 128)
    compare_curves(warm, available())
    start = time.perf_counter()
    compare_curves(Experiment("curve", "Growing", points, network, NLLCriterion, descent, 4, 16), available())
    return time.perf_counter() - start


def _narrow(depth: int, width: int = 8) -> Callable[[np.random.Generator], Module]:
    def network(rng: np.random.Generator) -> Module:
        hidden = [layer for _ in range(depth) for layer in (Linear(width, width, rng=rng), Tanh())]
        return Sequential(Linear(2, width, rng=rng), Tanh(), *hidden, Linear(width, 2, rng=rng), LogSoftMax())

    return network


def of_curve_layers(number: int) -> float:
    return _trained(_narrow(number // 2))


def of_curve_parameters(number: int) -> float:
    return _trained(_narrow(1, math.isqrt(number)))


def of_seeds(number: int) -> float:
    milliseconds_a_run(2, InProcess())
    return milliseconds_a_run(number, InProcess()) * number / 1e3


def of_stacks(number: int) -> float:
    """The seconds of a report over records of so many stacks: checks and curves of one, under several names."""
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder, "0")
        results = Results(first)
        results.write_environment({"stack": "stack-0", "packages": {}})
        curve = compare_curves(TINY, available())
        with planned(results, "growth", {"checks": ["*"], "curves": ["*"]}):
            for target in CHECKED:
                record = prove(target, examples=EXAMPLES).as_record()
                results.append(record.KIND, record.key, record)
            for place in range(CURVES):
                results.append(CurveRecord.KIND, f"curve-{place}", replace(curve.as_record(), key=f"curve-{place}"))
        folders = [first]
        for place in range(1, number):
            folders.append(shutil.copytree(first, Path(folder, str(place))))
            environment = folders[-1] / "environment.json"
            environment.write_text(environment.read_text().replace("stack-0", f"stack-{place}"))
        write_report(folders[:1], Path(folder, "warm"))
        start = time.perf_counter()
        write_report(folders, Path(folder, "report"))
        return time.perf_counter() - start


SUBJECTS = {
    subject.name: subject
    for subject in (
        Subject("check", "examples", (50, 100, 200, 400, 800), of_examples),
        Subject("check", "layers", (8, 16, 32, 64, 128), of_layers),
        Subject("check", "parameters", (2**12, 2**14, 2**16, 2**18, 2**20), of_parameters),
        Subject("curves", "layers", (4, 8, 16, 32, 64), of_curve_layers),
        Subject("curves", "parameters", (2**10, 2**12, 2**14, 2**16), of_curve_parameters),
        Subject("study", "seeds", (50, 100, 200, 400, 800), of_seeds),
        Subject("report", "stacks", (1, 2, 4, 8, 16), of_stacks),
    )
}


def exponent(by_size: Mapping[str, Mapping[str, float]]) -> float:
    """The slope of log(seconds) over log(size), by least squares over the upper half of the sizes.

    Below it, what any size takes hides what grows.
    """
    upper = list(by_size)[(len(by_size) - 1) // 2 :]
    sizes = np.log([float(size) for size in upper])
    seconds = np.log([by_size[size]["seconds"] for size in upper])
    return float(np.polyfit(sizes, seconds, 1)[0])


def measure(name: str, size: int) -> dict[str, float]:
    return {"seconds": SUBJECTS[name].measure(size), "megabytes": resident_megabytes()}


def measured(number: int) -> dict[str, Any]:
    """Every subject at its first sizes, with the exponent of its time."""
    found = {}
    for name, subject in SUBJECTS.items():
        sizes = {str(size): in_own_process("benchmarks.growth", name, size) for size in subject.sizes[:number]}
        found[name] = {"sizes": sizes, "exponent": exponent(sizes)}
    return found


if __name__ == "__main__":
    asked = sys.argv[1:]
    print(json.dumps(measured(int(asked[0])) if len(asked) == 1 else measure(asked[0], int(asked[1]))))
