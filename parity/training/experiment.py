"""An experiment: what is trained, written once and free of any framework, and one run of it on one implementation."""

from __future__ import annotations

import base64
import functools
import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numpynet import Array, Criterion, Module, Optimizer, Parameter
from numpynet.datasets import Dataset
from numpynet.schedules import Schedule
from numpynet.training import Callback, Divergence, History, Logs, correct, fit
from parity.mapping import convert

MakeTrainer = Callable[["Experiment", str, int], Any]


@dataclass(frozen=True)
class Experiment:
    """Data, network, criterion, optimizer, epochs and batch size: the same training on any implementation.

    data: makes the dataset, preprocessing included; called once a process
    network: makes the model, every random number drawn from the generator it is given
    optimizer: makes the optimizer of the model's parameters
    schedule: the learning rate of every step, counted from 0; or a mapping from steps to the rates that hold from there
    one_hot: whether the criterion takes rows (N, classes) of zeros and ones rather than classes (N,)
    """

    name: str
    title: str
    data: Callable[[], Dataset]
    network: Callable[[np.random.Generator], Module]
    criterion: Callable[[], Criterion]
    optimizer: Callable[[Iterable[Parameter]], Optimizer]
    epochs: int
    batch_size: int
    dtype: str = "float32"
    schedule: Schedule | Mapping[int, float] = field(default_factory=dict)
    one_hot: bool = False

    @property
    def dataset(self) -> Dataset:
        return _loaded(self.data)

    def model(self, seed: int) -> Module:
        """The network as `seed` initialises it; weights are drawn in float32 whatever the dtype."""
        return self.network(np.random.default_rng(seed)).astype(self.dtype)


@dataclass
class Run:
    """One training from one seed, and the test rows that the trained model classifies correctly.

    status: "ok", or "diverged", which leaves accuracy, final loss and correctness empty
    accuracy: the fraction of test rows that are right
    initial_loss: the loss of the first batch, before any update
    final_loss: mean of the last epoch's step losses
    initial_weights, final_weights, batch_order: SHA-256 (hex)
    optimizer_steps: those that the optimizer remembers before the first step
    correct: base64 of np.packbits of the correctness of each test row
    seconds: wall time of the training, with its validation
    trainer: the trained one, to predict with
    divergence: where and when training met a NaN or an infinity
    """

    experiment: str
    implementation: str
    seed: int
    status: str
    accuracy: float | None
    initial_loss: float | None
    final_loss: float | None
    initial_weights: str
    final_weights: str
    batch_order: str
    optimizer_steps: int
    correct: str | None
    seconds: float
    message: str
    history: History
    trainer: Any
    divergence: Divergence | None = None

    def as_fields(self) -> dict[str, Any]:
        """The fields of a record of the results store, in JSON's types: all but trainer, history and divergence."""
        left_out = ("trainer", "history", "divergence")
        return {name: value for name, value in vars(self).items() if name not in left_out}


def trainer(
    experiment: Experiment,
    implementation: str = "numpynet",
    seed: int = 0,
    *,
    prepare: Callable[[Module], object] | None = None,
) -> Any:
    """A fresh trainer on `implementation`, for the model that `seed` initialises; `prepare` may change it in place.

    Trainers of one seed hold the same weights and draw the same dropout masks, whatever the implementation.
    """
    model = experiment.model(seed)
    if prepare is not None:
        prepare(model)
    made = convert.trainer(model, experiment.criterion(), experiment.optimizer(model.parameters()), implementation)
    return OneHot(made, experiment) if experiment.one_hot else made


def run(
    experiment: Experiment,
    implementation: str = "numpynet",
    seed: int = 0,
    *,
    make: MakeTrainer = trainer,
    callbacks: Sequence[Callback] = (),
    progress: bool = False,
) -> Run:
    """Train once and score the test rows; a divergence becomes the status of the `Run`.

    `seed` fixes weights, batch order and masks.
    """
    made = make(experiment, implementation, seed)
    initial, steps_before = weights_hash(made.state()), made.steps
    started = time.perf_counter()
    history, divergence = train(experiment, made, seed, callbacks=callbacks, progress=progress)
    seconds = time.perf_counter() - started
    test, hits = experiment.dataset.test, None
    if divergence is None:
        hits = correct(made.predict(test.inputs, 1024), test.targets)
    return Run(
        experiment=experiment.name,
        implementation=implementation,
        seed=seed,
        status="ok" if divergence is None else "diverged",
        accuracy=None if hits is None else float(np.mean(hits)),
        initial_loss=history.step_losses[0] if history.step_losses else None,
        final_loss=history.losses[-1] if divergence is None else None,
        initial_weights=initial,
        final_weights=weights_hash(made.state()),
        batch_order=hashlib.sha256("".join(history.order_hashes).encode()).hexdigest(),
        optimizer_steps=steps_before,
        correct=None if hits is None else base64.b64encode(np.packbits(hits).tobytes()).decode(),
        seconds=seconds,
        message="" if divergence is None else str(divergence),
        history=history,
        trainer=made,
        divergence=divergence,
    )


def train(
    experiment: Experiment,
    trainer: Any,
    seed: int,
    *,
    loop: Callable[..., History] = fit,
    callbacks: Sequence[Callback] = (),
    progress: bool = False,
) -> tuple[History, Divergence | None]:
    """Drive a trainer through the experiment by `loop`; where it diverges, the history ends before that step."""
    record = Callback()  # keeps the history that a divergence would take with it
    try:
        loop(
            trainer,
            experiment.dataset,
            epochs=experiment.epochs,
            batch_size=experiment.batch_size,
            seed=seed,
            callbacks=[record, _Schedule(trainer, experiment.schedule), *callbacks],
            progress=progress,
        )
    except Divergence as divergence:
        return record.history, divergence
    return record.history, None


def weights_hash(state: Mapping[str, Array]) -> str:
    """The SHA-256 (hex) of the names, dtypes, shapes and bits of these arrays."""
    digest = hashlib.sha256()
    for name, values in sorted(state.items()):
        digest.update(f"{name} {values.dtype.name} {values.shape}".encode() + np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def one_ulp(model: Module, rng: np.random.Generator) -> None:
    """Move every weight one unit in the last place up or down, at random; a zero stays (its ulp is subnormal)."""

    for parameter in model.parameters():
        values = parameter.value
        units = values.view(f"i{values.itemsize}")  # the bits of a float, read as an integer, count its ulps
        up = np.unpackbits(np.frombuffer(rng.bytes(-(-values.size // 8)), np.uint8), count=values.size)
        steps = 2 * up.view(np.int8).reshape(values.shape) - 1
        units += steps * (values != 0)


class Moved:
    """A numpynet trainer whose weights are moved by `one_ulp` before every step: rounding errs in each of them."""

    def __init__(self, trainer: Any, rng: np.random.Generator) -> None:
        self._trainer, self._rng = trainer, rng

    def step(self, inputs: Array, targets: Array) -> float:
        one_ulp(self.model, self._rng)
        return float(self._trainer.step(inputs, targets))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trainer, name)


class OneHot:
    """A trainer that takes classes (N,) and hands on rows (N, classes) in the dtype of the experiment."""

    def __init__(self, trainer: Any, experiment: Experiment) -> None:
        self._trainer = trainer
        self._rows = np.eye(experiment.dataset.num_classes, dtype=experiment.dtype)

    def step(self, inputs: Array, targets: Array) -> float:
        return float(self._trainer.step(inputs, self._rows[targets]))

    def loss(self, outputs: Array, targets: Array) -> float:
        return float(self._trainer.loss(outputs, self._rows[targets]))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trainer, name)


class _Schedule(Callback):
    def __init__(self, trainer: Any, schedule: Schedule | Mapping[int, float]) -> None:
        # A framework's trainer follows the numpynet optimizer it was made from.
        self.rule = trainer.optimizer
        self.schedule = schedule

    def on_train_batch_begin(self, batch: int, logs: Logs) -> None:
        step = len(self.history.step_losses)
        rate = self.schedule(step) if isinstance(self.schedule, Schedule) else self.schedule.get(step)
        if rate is not None:
            self.rule.lr = rate


@functools.cache
def _loaded(data: Callable[[], Dataset]) -> Dataset:
    return data()
