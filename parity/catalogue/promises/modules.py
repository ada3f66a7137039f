"""What holds for every class of numpynet: what it says of itself, what goes out as a state comes in again.

A layer is looked at in examples that its pair draws. What a failure prints of it is what is looked at here: the
script would not show the failure if `repr` told of another module.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import numpynet
from numpynet import Graph, Module, Optimizer, Parameter, Sequential
from numpynet.module import each
from parity.case import Case, parts
from parity.catalogue.promises.promise import Promise, judged
from parity.drawing.examples import for_each_example
from parity.ladder.cases import cases
from parity.ladder.proving import targets
from parity.mapping.loss import Loss

TOPIC = "modules"
DTYPE = np.dtype(np.float32)
EXAMPLES = 5
OF_CONTAINERS = 20  # in the first five examples no Sequential began with a layer whose parameters got a gradient
NAMES = {**{name: getattr(numpynet, name) for name in numpynet.__all__}, "np": np, "Loss": Loss}


def _again(module: Module) -> Module:
    """The module that its own `repr` makes, in evaluation: a dropout would draw another mask."""
    made: Module = eval(repr(module), dict(NAMES))
    return made.evaluate()


def _shapes(module: Module) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in module.state_dict().items()}


def _told(module: Module, _: Any) -> str:
    again = _again(module)
    same = type(again) is type(module) and repr(again) == repr(module) and _shapes(again) == _shapes(module)
    return "" if same else f"repr makes {again!r}"


def _restored(module: Module, input: Any) -> str:
    again = _again(module).astype(DTYPE)
    state = {name: array.astype(np.float64) for name, array in module.state_dict().items()}
    again.load_state_dict(state)
    if {array.dtype for array in again.state_dict().values()} - {DTYPE}:
        return "a state that is loaded changes the dtypes"
    return "" if _same(again(input), module(input)) else "computes something else with its own state"


def _cast(module: Module, _: Any) -> str:
    wide = {array.dtype for array in module.astype(np.float64).state_dict().values()} - {np.dtype(np.float64)}
    own = {array.dtype for array in module.state_dict().values()} - {DTYPE}
    return f"astype leaves {wide or own}" if wide or own else ""


def _listed(module: Module, input: Any) -> str:
    wide = module.astype(np.float64)
    if isinstance(module, Graph) or any(part.size == 0 for part in parts(input)):
        return ""
    lists = each(lambda part: part.tolist(), input)
    arrays = each(lambda part: part.astype(np.float64) if part.dtype.kind == "f" else part, input)
    return "" if _same(wide(lists), wide(arrays)) else "computes something else of lists"


def _accumulated(module: Module, input: Any) -> str:
    one, other = copy.deepcopy(module), copy.deepcopy(module)
    gradient = each(np.ones_like, one(input))
    other(input)
    one.backward(gradient)
    other.accumulate(gradient)
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return "" if all(_same(a.grad, b.grad) for a, b in pairs) else "accumulate adds other gradients than backward"


def _same(one: Any, other: Any) -> bool:
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(parts(one), parts(other), strict=True))


CHECKS: dict[str, Callable[[Module, Any], str]] = {
    "repr tells of the same module": _told,
    "a state goes out and in, and keeps the dtypes": _restored,
    "astype casts a copy": _cast,
    "lists are arrays": _listed,
    "accumulate is backward without the input's gradient": _accumulated,
}


def promises(_: list[str]) -> Iterator[Promise]:
    """Yields a promise for each class and each of the checks; of optimizers, that `repr` tells of the same."""
    for target in targets():
        if issubclass(target, Optimizer):
            yield _of_optimizer(target)
        else:
            yield from _of(target)


def _of_optimizer(target: type[Optimizer]) -> Promise:
    said, lines = "repr tells of the same optimizer", list[str]()
    held = [Parameter(np.ones(2, DTYPE))]
    known = [name for name in inspect.signature(target).parameters if name != "parameters"]

    def look(case: Case) -> None:
        made = target(held, lr=0.25, **(case.arguments or {}))
        try:
            again = eval(repr(made).replace("(", "(held, ", 1), {**NAMES, "held": held})
            same = all(repr(getattr(again, name)) == repr(getattr(made, name)) for name in known)
            lines.append("" if same else f"{made!r} is not all that it was made of: {case.arguments}")
        except Exception as error:  # whatever is raised was not promised
            lines.append(f"{made!r}: {type(error).__name__}: {error}")

    for_each_example(look, cases(target, DTYPE), f"modules/{target.__name__}", EXAMPLES, shrink=False)
    return judged(TOPIC, f"{target.__name__}: {said}", said, lines)


def _of(target: type) -> list[Promise]:
    found: dict[str, list[str]] = {said: [] for said in CHECKS}

    def look(case: Case) -> None:
        module, input = copy.deepcopy(case.module).evaluate(), case.steps[0].input
        with np.errstate(all="ignore"):
            for said, check in CHECKS.items():
                try:
                    line = check(module, input)
                except Exception as error:  # whatever is raised was not promised
                    line = f"{said}: {type(error).__name__}: {error}"
                found[said].append(line and f"{module!r} {line}")

    examples = OF_CONTAINERS if issubclass(target, Sequential | Graph) else EXAMPLES
    for_each_example(look, cases(target, DTYPE), f"modules/{target.__name__}", examples, shrink=False)
    return [judged(TOPIC, f"{target.__name__}: {said}", said, lines) for said, lines in found.items()]
