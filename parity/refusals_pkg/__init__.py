"""What each implementation refuses: every pair, tried on a list of wrong inputs and settings.

What one implementation refuses and another accepts is a finding. It stands, with its reason, in
`parity.differences.refused`; a difference that is not listed there fails, and so does one that is no longer there.
"""

from __future__ import annotations

import copy
import functools
import random
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from hypothesis import find, settings
from hypothesis import strategies as st

from numpynet import SGD, Array, BatchNormalization, Dropout, Linear, Module, MSECriterion, Parameter, Sequential
from parity.differences.refused import KNOWN, expected
from parity.frameworks import available, framework
from parity.lazy import keras, tf, torch
from parity.loss import Loss
from parity.pairing import pair_of

ACCEPTS, REFUSES = "accepts", "refuses"
DTYPE = np.dtype(np.float32)  # of the layers that are tried


@dataclass(frozen=True)
class Attempt:
    """What is tried: an input, in training mode; then, unless it is None, a gradient that is sent back."""

    module: Module
    input: Array
    gradient: Array | None = None

    def with_target(self, change: Callable[[Array], Array]) -> Attempt:
        """The same, for a criterion with another target; for any other layer there is none to change."""
        if not isinstance(self.module, Loss):
            return self
        return replace(self, module=Loss(self.module.criterion, change(self.module.target)))


@dataclass(frozen=True)
class Refusal:
    """Who accepts and who refuses one wrong thing, and what is known of it."""

    pair: str
    wrong: str
    statuses: dict[str, str]
    expected: dict[str, str] | None
    reason: str | None
    messages: dict[str, str]

    @property
    def holds(self) -> bool:
        """Whether the statuses are those of the table or, where it has none, all equal."""
        if self.expected is None:
            return len(set(self.statuses.values())) == 1
        return self.statuses == self.expected

    @property
    def key(self) -> str:
        return f"{self.pair}/{self.wrong}"

    def as_record(self) -> dict[str, Any]:
        """For the results store."""
        return {**asdict(self), "key": self.key, "holds": self.holds}

    def __str__(self) -> str:
        listed = "not in the table of known differences" if self.expected is None else f"the table says {self.expected}"
        said = [f"{who} {what} {self.messages.get(who, '')}".rstrip() for who, what in self.statuses.items()]
        return "\n  ".join([f"{self.pair}, {self.wrong}; {listed}", *said])


def _cast(dtype: type) -> Callable[[Attempt], Attempt]:
    return lambda attempt: replace(attempt, input=attempt.input.astype(dtype))


def _batch(size: int) -> Callable[[Attempt], Attempt]:
    return lambda attempt: replace(attempt, input=attempt.input[:size]).with_target(lambda target: target[:size])


def _more(values: Array, axis: int) -> Array:
    """`values` and once more its last slice."""
    return np.concatenate([values, np.take(values, [-1], axis)], axis)


def _gradient(change: Callable[[Array], Array]) -> Callable[[Attempt], Attempt]:
    """Send back the changed gradient, of ones where right."""
    return lambda attempt: replace(attempt, gradient=change(np.ones_like(copy.deepcopy(attempt.module)(attempt.input))))


WRONG_INPUTS: dict[str, Callable[[Attempt], Attempt]] = {
    "integer input": _cast(np.int64),
    "boolean input": _cast(np.bool_),
    "complex input": _cast(np.complex64),
    "input of another precision": _cast(np.float64),
    "one feature too many": lambda attempt: replace(attempt, input=_more(attempt.input, 1)),
    "no features": lambda attempt: replace(attempt, input=attempt.input[:, :0]),
    "one dimension too few": lambda attempt: replace(attempt, input=attempt.input[0]),
    "one dimension too many": lambda attempt: replace(attempt, input=attempt.input[None]),
    "a single number": lambda attempt: replace(attempt, input=attempt.input[0, 0]),
    "empty batch": _batch(0),
    "batch of one": _batch(1),
    "input of NaN": lambda attempt: replace(attempt, input=np.full_like(attempt.input, np.nan)),
    "gradient with one element too many": _gradient(lambda ones: np.ones(ones.size + 1, ones.dtype)),
    "gradient of another precision": _gradient(lambda ones: ones.astype(np.float64)),
    "gradient of integers": _gradient(lambda ones: ones.astype(np.int64)),
}

WRONG_TARGETS: dict[str, Callable[[Array], Array]] = {
    "one target too many": lambda target: _more(target, 0),
    "target with one dimension more": lambda target: target[..., None],
    "target that broadcasts": lambda target: target[:1],
    "target of another precision": lambda target: target.astype(np.float64),
    "a complex target": lambda target: target.astype(np.complex64),
}

WRONG_LABELS: dict[str, Callable[[Array], Array]] = {
    "a label too large": lambda labels: labels + 100,
    "a negative label": lambda labels: labels - 1,
    "labels of another integer type": lambda labels: labels.astype(np.int32),
    "one-hot rows": lambda labels: np.eye(2, dtype=np.float32)[labels],
    "one-hot rows that are too wide": lambda labels: np.eye(3, dtype=np.float32)[labels],
    "one-hot rows of integers": lambda labels: np.eye(2, dtype=np.int64)[labels],
}


def _wrong_targets(make: dict[str, Callable[[Array], Array]]) -> dict[str, Callable[[Attempt], Attempt]]:
    return {wrong: lambda attempt, change=change: attempt.with_target(change) for wrong, change in make.items()}  # type: ignore[misc]


@functools.cache
def right(target: type) -> Attempt:
    """The simplest input of two rows and two features that the pair of `target` draws, and a module for it."""
    pair = pair_of(target)
    module, _ = find(
        pair.modules.flatmap(lambda module: st.tuples(st.just(module), pair.shapes(module))),
        lambda found: tuple(found[1]) == (2, 2) and "0.0" not in map(repr, found[0].arguments().values()),
        settings=settings(database=None, max_examples=10_000),
        random=random.Random(0),
    )
    attempt = Attempt(module.train(), x.copy())
    labelled = attempt.with_target(lambda target: np.arange(2))
    return attempt if _error(lambda: _in_numpynet(labelled)) else labelled


def _in_numpynet(attempt: Attempt) -> None:
    module = copy.deepcopy(attempt.module)
    module(attempt.input)
    if attempt.gradient is not None:
        module.backward(attempt.gradient)


def _counterpart(module: Module, name: str, genuine: Callable[[float], Any]) -> Any:
    """The framework's layer; for dropout its own, not the one that shares masks."""
    return genuine(module.p) if isinstance(module, Dropout) else framework(name).convert(module, DTYPE).layer


def _in_torch(attempt: Attempt) -> None:
    layer = _counterpart(attempt.module, "torch", torch.nn.Dropout)
    input = torch.from_numpy(np.array(attempt.input))
    if attempt.gradient is None:
        layer(input)
    else:
        layer(input.requires_grad_()).backward(torch.from_numpy(attempt.gradient))


def _in_tensorflow(attempt: Attempt) -> None:
    layer = _counterpart(attempt.module, "tensorflow", keras.layers.Dropout)
    with framework("tensorflow").precision(DTYPE), tf.GradientTape() as tape:
        input = tf.constant(attempt.input)
        tape.watch(input)
        output = layer(input, training=True)
    if attempt.gradient is not None:
        tape.gradient(output, input, tf.constant(attempt.gradient))


TRY: dict[str, Callable[[Attempt], None]] = {
    "numpynet": _in_numpynet,
    "torch": _in_torch,
    "tensorflow": _in_tensorflow,
}

x = np.linspace(0.25, 0.75, 4, dtype=DTYPE).reshape(2, 2)


def _layer(
    ours: Callable[[], Module], in_torch: Callable[[], Any], in_keras: Callable[[], Any]
) -> dict[str, Callable[[], Any]]:
    return {
        "numpynet": lambda: ours()(x),
        "torch": lambda: in_torch()(torch.from_numpy(x)),
        "tensorflow": lambda: in_keras()(x, training=True),
    }


def _sgd(lr: float = 0.5, **arguments: Any) -> dict[str, Callable[[], Any]]:
    """The rules are called alike; dampening, which Keras does not know, is left out there."""
    of_keras = {name: value for name, value in arguments.items() if name != "dampening"}
    return {
        "numpynet": lambda: SGD([Parameter(np.ones(1))], lr, **arguments),
        "torch": lambda: torch.optim.SGD([torch.ones(1)], lr, **arguments),
        "tensorflow": lambda: keras.optimizers.SGD(lr, **of_keras),
    }


WRONG_SETTINGS: dict[tuple[str, str], dict[str, Callable[[], Any]]] = {
    (kind, wrong): tries
    for kind, by_wrong in {
        "Linear": {
            "no output features": _layer(
                lambda: Linear(2, 0), lambda: torch.nn.Linear(2, 0), lambda: keras.layers.Dense(0)
            ),
            "negative output features": _layer(
                lambda: Linear(2, -1), lambda: torch.nn.Linear(2, -1), lambda: keras.layers.Dense(-1)
            ),
        },
        "Dropout": {
            f"p={p}": _layer(
                lambda p=p: Dropout(p),  # type: ignore[misc]
                lambda p=p: torch.nn.Dropout(p),  # type: ignore[misc]
                lambda p=p: keras.layers.Dropout(p),  # type: ignore[misc]
            )
            for p in (-0.5, 1.0, 1.5)
        },
        "BatchNormalization": {
            f"eps={eps}": _layer(
                lambda eps=eps: BatchNormalization(2, eps=eps),  # type: ignore[misc]
                lambda eps=eps: torch.nn.BatchNorm1d(2, eps=eps),  # type: ignore[misc]
                lambda eps=eps: keras.layers.BatchNormalization(epsilon=eps),  # type: ignore[misc]
            )
            for eps in (0.0, -1.0)
        },
        "MSECriterion": {
            "an unknown reduction": {
                "numpynet": lambda: MSECriterion("average")(x, x),  # type: ignore[arg-type]
                "torch": lambda: torch.nn.MSELoss(reduction="average")(torch.from_numpy(x), torch.from_numpy(x)),
                "tensorflow": lambda: keras.losses.MeanSquaredError(reduction="average")(x, x),
            }
        },
        "SGD": {
            "a negative learning rate": _sgd(-0.5),
            "a negative momentum": _sgd(momentum=-0.5),
            "a momentum above 1": _sgd(momentum=1.5),
            "a negative weight decay": _sgd(weight_decay=-0.5),
            "Nesterov without momentum": _sgd(nesterov=True),
            "Nesterov with dampening": _sgd(momentum=0.5, nesterov=True, dampening=0.5),
        },
    }.items()
    for wrong, tries in by_wrong.items()
}


def attempts(target: type) -> Iterator[tuple[str, dict[str, Callable[[], Any]]]]:
    """Every wrong thing for the pair of `target`, and how each implementation is tried on it."""
    if target not in (SGD, Sequential):
        attempt = right(target)
        wrong = dict(WRONG_INPUTS)
        if isinstance(attempt.module, Loss):
            wrong |= _wrong_targets(WRONG_TARGETS)
            if attempt.module.target.ndim == 1:
                wrong |= _wrong_targets(WRONG_LABELS)
        for name, change in wrong.items():
            changed = change(attempt)
            yield name, {who: lambda run=run, changed=changed: run(changed) for who, run in TRY.items()}  # type: ignore[misc]
    for (kind, name), tries in WRONG_SETTINGS.items():
        if kind == target.__name__:
            yield name, tries


def refusals(target: type, frameworks: Iterable[str] | None = None) -> list[Refusal]:
    """Try every wrong thing on the pair of `target`, in numpynet and the frameworks (all that are installed)."""
    names = ["numpynet", *(available() if frameworks is None else frameworks)]
    found = []
    for wrong, tries in attempts(target):
        statuses, messages = {}, {}
        for name in names:
            error = _error(tries[name])
            statuses[name] = ACCEPTS if error is None else REFUSES
            if error is not None:
                messages[name] = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        known = expected(target.__name__, wrong)
        reason = None if known is None else known.reason
        told = None if known is None else {name: REFUSES if name in known.refused_by else ACCEPTS for name in names}
        found.append(Refusal(target.__name__, wrong, statuses, told, reason, messages))
    return found


def measure_refusals(target: type, frameworks: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """The records of `refusals`."""
    return [refusal.as_record() for refusal in refusals(target, frameworks)]


def _error(run: Callable[[], Any]) -> Exception | None:
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run()
    except Exception as error:  # whatever is raised is a refusal
        return error
    return None


def unmatched(found: Iterable[Refusal]) -> set[tuple[str, str]]:
    """Entries (pair, wrong) of the table that were not tried: stale, when `found` is everything."""
    listed = {(pair, known.wrong) for known in KNOWN for pair in known.pairs.split()}
    return listed - {(refusal.pair, refusal.wrong) for refusal in found}
