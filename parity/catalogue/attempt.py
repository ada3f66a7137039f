"""What is tried on every pair: wrong inputs, wrong targets, and the wrong settings of its family."""

from __future__ import annotations

import copy
import functools
import random
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import Phase, find, settings

from numpynet import Array, Dropout, Graph, Module, Optimizer, Sequential
from numpynet.module import each
from parity.catalogue.refusals import SETTINGS
from parity.frameworks import NUMPYNET, framework, implementations
from parity.frameworks.lazy import keras, torch
from parity.mapping.convert import convert
from parity.mapping.loss import Loss
from parity.mapping.pair import pair_of

DTYPE = np.dtype(np.float32)  # of the layers that are tried
SAMPLE = np.linspace(0.25, 0.75, 4, dtype=DTYPE)


@dataclass(frozen=True)
class Attempt:
    """An input, or a tuple of them, that is tried on a module in training mode.

    Unless it is None, the gradient is then sent back.
    """

    module: Module
    input: Any
    gradient: Array | None = None

    def with_target(self, change: Callable[[Array], Array]) -> Attempt:
        """The same attempt with the criterion's target changed; any other module has none to change."""
        if not isinstance(self.module, Loss):
            return self
        return replace(self, module=Loss(self.module.criterion, change(self.module.target)))


def _input(change: Callable[[Array], Array]) -> Callable[[Attempt], Attempt]:
    """A change of an attempt that changes its input; each of several."""
    return lambda attempt: replace(attempt, input=each(change, attempt.input))


def _cast(dtype: type) -> Callable[[Attempt], Attempt]:
    return _input(lambda input: input.astype(dtype))


def _batch(size: int) -> Callable[[Attempt], Attempt]:
    return lambda attempt: _input(lambda input: input[:size])(attempt).with_target(lambda target: target[:size])


def _more(values: Array, axis: int) -> Array:
    """`values` with their last slice along `axis` once more."""
    return np.concatenate([values, np.take(values, [-1], axis)], axis)


def _gradient(change: Callable[[Array], Array]) -> Callable[[Attempt], Attempt]:
    """A change of an attempt that sends a gradient back: the changed one in place of the right one, of ones."""
    return lambda attempt: replace(attempt, gradient=change(np.ones_like(copy.deepcopy(attempt.module)(attempt.input))))


WRONG_INPUTS: dict[str, Callable[[Attempt], Attempt]] = {
    "integer input": _cast(np.int64),
    "boolean input": _cast(np.bool_),
    "complex input": _cast(np.complex64),
    "input of another precision": _cast(np.float64),
    "one feature too many": _input(lambda input: _more(input, 1)),
    "no features": _input(lambda input: input[:, :0]),
    "one dimension too few": _input(lambda input: input[0]),
    "one dimension too many": _input(lambda input: input[None]),
    "a single number": _input(lambda input: input.ravel()[0]),
    "empty batch": _batch(0),
    "batch of one": _batch(1),
    "input of NaN": _input(lambda input: np.full_like(input, np.nan)),
    "gradient with one element too many": _gradient(lambda ones: np.ones(ones.size + 1, ones.dtype)),
    "gradient of another precision": _gradient(lambda ones: ones.astype(np.float64)),
    "gradient of integers": _gradient(lambda ones: ones.astype(np.int64)),
}


def _second(change: Callable[[Array], Array]) -> Callable[[Attempt], Attempt]:
    """A change of an attempt that changes the second of several inputs."""
    return lambda attempt: replace(attempt, input=(attempt.input[0], change(attempt.input[1]), *attempt.input[2:]))


WRONG_TUPLES: dict[str, Callable[[Attempt], Attempt]] = {
    "no input": lambda attempt: replace(attempt, input=()),
    "a tuple of one input": lambda attempt: replace(attempt, input=attempt.input[:1]),
    "inputs of two precisions": _second(lambda input: input.astype(np.float64)),
    "inputs of two batch sizes": _second(lambda input: _more(input, 0)),
    "inputs that broadcast": _second(lambda input: input[:1]),
    "inputs of two ranks": _second(lambda input: input[..., None]),
}


def _target(change: Callable[[Array], Array]) -> Callable[[Attempt], Attempt]:
    """A change of an attempt that changes its criterion's target."""
    return lambda attempt: attempt.with_target(change)


WRONG_TARGETS: dict[str, Callable[[Attempt], Attempt]] = {
    "one target too many": _target(lambda target: _more(target, 0)),
    "target with one dimension more": _target(lambda target: target[..., None]),
    "target that broadcasts": _target(lambda target: target[:1]),
    "target of another precision": _target(lambda target: target.astype(np.float64)),
    "a complex target": _target(lambda target: target.astype(np.complex64)),
}

WRONG_LABELS: dict[str, Callable[[Attempt], Attempt]] = {
    "a label too large": _target(lambda labels: labels + 100),
    "a negative label": _target(lambda labels: labels - 1),
    "labels of another integer type": _target(lambda labels: labels.astype(np.int32)),
    "one-hot rows": _target(lambda labels: np.eye(2, dtype=np.float32)[labels]),
    "one-hot rows that are too wide": _target(lambda labels: np.eye(3, dtype=np.float32)[labels]),
    "one-hot rows of integers": _target(lambda labels: np.eye(2, dtype=np.int64)[labels]),
}


ROWS = np.resize(SAMPLE, (2, 2))
INPUTS = (ROWS, np.resize(SAMPLE, (2, 2, 2, 2)), (ROWS, ROWS))


def _taken(module: Module) -> Any:
    """The first of `INPUTS` that the module takes; None where it takes none, or works on other than two features."""
    arguments = module.arguments()
    if arguments.get("num_features", 2) != 2 or "0.0" in map(repr, arguments.values()):
        return None
    return next((taken for taken in INPUTS if not error_of(functools.partial(copy.deepcopy(module), taken))), None)


@functools.cache
def right(target: type) -> Attempt:
    """The simplest attempt for the pair of `target`: a module that it draws, and an input with axes that are 2 long."""
    # Hypothesis would go on to explain, to nobody, what it has found: up to twenty times the work of finding it.
    module = find(
        pair_of(target).modules,
        lambda module: _taken(module) is not None,
        settings=settings(database=None, max_examples=10_000, phases=[Phase.generate, Phase.shrink]),
        random=random.Random(0),
    )
    attempt = Attempt(module.train(), _taken(module))
    labelled = attempt.with_target(lambda target: np.arange(2))
    return attempt if error_of(lambda: attempted(NUMPYNET, labelled)) else labelled


# The frameworks' own dropout: ours, which shares masks, refuses nothing of what is tried.
OWN_DROPOUT: dict[str, Callable[[float], Any]] = {
    "torch": lambda p: torch.nn.Dropout(p),
    "tensorflow": lambda p: keras.layers.Dropout(p),
}


def attempted(name: str, attempt: Attempt) -> None:
    """Try the attempt on the implementation called `name`."""
    if isinstance(attempt.module, Dropout) and name in OWN_DROPOUT:
        layer = OWN_DROPOUT[name](attempt.module.p)
    else:
        layer = convert(attempt.module, name).layer
    framework(name).attempt(layer, attempt.input, attempt.gradient, DTYPE)


def attempts(target: type) -> Iterator[tuple[str, dict[str, Callable[[], Any]]]]:
    """Yields every wrong thing for the pair of `target`, with a call for each implementation that tries it."""
    if not any(issubclass(target, kind) for kind in (Optimizer, Sequential, Graph)):
        attempt = right(target)
        wrong = WRONG_INPUTS | (WRONG_TUPLES if isinstance(attempt.input, tuple) else {})
        if isinstance(attempt.module, Loss):
            wrong |= WRONG_TARGETS
            if attempt.module.target.ndim == 1:
                wrong |= WRONG_LABELS
        for name, change in wrong.items():
            changed = change(attempt)
            yield name, {who: functools.partial(attempted, who, changed) for who in implementations()}
    yield from SETTINGS.get(target.__name__, {}).items()


def error_of(run: Callable[[], Any]) -> Exception | None:
    """The exception that `run` raises; None where it raises none."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run()
    except Exception as error:  # whatever is raised is a refusal
        return error
    return None
