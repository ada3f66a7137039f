"""A Keras model in a process of its own, where Keras runs on torch: there its rounding is modelled.

Keras has one backend for a process. The other process is given the model's configuration and weights, and hands back
arrays: what was computed, under the errors that are being made here.
"""

from __future__ import annotations

import enum
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing import Pipe
from typing import Any, ClassVar

from numpynet import Array
from parity.comparison.model import NOTHING, Applied, Call, Held, Layer, Model, Run, Unfit
from parity.frameworks.lazy import keras
from parity.rounding.errors import Errors, current_errors

WORKER = "parity.comparison.worker"


class Empty(enum.Enum):
    """Stands for a tensor among the arguments that a layer was called with."""

    TENSOR = enum.auto()


@dataclass(frozen=True)
class Begin:
    """The model that the other process makes.

    layers: the names of its layers here, and their classes': Keras gives some other names when it makes them anew
    """

    config: Any
    weights: list[Array]
    layers: list[tuple[str, str]]


@dataclass(frozen=True)
class Asked:
    """A question: what is to be computed there.

    method: of a `Model`
    formulas: whether by the formulas of Keras on TensorFlow, where they round worse
    errors: what errors are made
    """

    method: str
    arguments: tuple[Any, ...]
    formulas: bool
    errors: Errors | None


@dataclass(frozen=True)
class Answer:
    """The answer: what came out, and the operations met that have no model of rounding; or why nothing did."""

    found: Any = None
    unmodelled: frozenset[str] = frozenset()
    failed: str = ""


class OnTorch(Model):
    """A Keras model in float64 on Keras' torch backend, in another process, as it was when this was made.

    Raises `Unfit` where it cannot be made there.
    """

    framework = "keras"

    def __init__(self, model: Any, layers: dict[str, Layer]) -> None:
        self.layers, self.formulas = layers, False
        try:
            config = keras.saving.serialize_keras_object(model)
        except Exception as error:
            raise _cannot(f"it cannot be serialized: {type(error).__name__}: {error}") from error
        self.begin = Begin(config, model.get_weights(), [(name, layer.title) for name, layer in layers.items()])
        self._process()

    def wide(self) -> Model:
        return self

    def by_formulas(self, framework: str) -> Model | None:
        other = object.__new__(OnTorch)
        vars(other).update(vars(self), formulas=True)
        return other

    def run(
        self,
        inputs: Sequence[Array],
        training: bool,
        cotangents: Sequence[Array] | None = None,
        kept: Mapping[str, Array] = NOTHING,
    ) -> Run:
        run: Run = self._ask("run", list(inputs), training, cotangents, dict(kept))
        run.calls = [replace(call, layer=self.layers[call.layer.name]) for call in run.calls]
        run.entered = [self.layers[layer.name] for layer in run.entered]
        return run

    def apply(
        self, call: Call, inputs: Sequence[Array], training: bool, cotangents: Sequence[Array | None] | None = None
    ) -> Applied:
        emptied = keras.tree.map_structure(
            lambda leaf: Empty.TENSOR if keras.ops.is_tensor(leaf) else leaf, call.arguments
        )
        found: Applied = self._ask("apply", replace(bare(call), arguments=emptied), list(inputs), training, cotangents)
        return found

    def read(self, held: Held) -> Array:
        raise NotImplementedError("its arrays are those of the model that it was made of")

    def write(self, held: Held, values: Array) -> None:
        raise NotImplementedError("its arrays are those of the model that it was made of")

    def format_of(self, held: Held) -> str:
        raise NotImplementedError("its arrays are those of the model that it was made of")

    def _ask(self, method: str, *arguments: Any) -> Any:
        answer = self._process().answer(Asked(method, arguments, self.formulas, current_errors()))
        self.unmodelled |= answer.unmodelled
        return answer.found

    def _process(self) -> Process:
        """The process, which holds this model."""
        process = Process.here()
        if process.holding is not self.begin:
            process.holding = None
            process.answer(self.begin)
            process.holding = self.begin
        return process


class Process:
    """A process in which Keras runs on torch, and this side of its pipe. It holds one model at a time."""

    kept: ClassVar[Process | None] = None  # for the next model, since it takes seconds to start; it ends with this one

    def __init__(self, path: str) -> None:
        self.path = path
        self.holding: Begin | None = None
        self.owing = False  # an answer, where it was interrupted
        self.connection, there = Pipe()
        with there:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", WORKER, str(there.fileno())],
                env=os.environ | {"KERAS_BACKEND": "torch", "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                pass_fds=[there.fileno()],
            )

    @classmethod
    def here(cls) -> Process:
        """The process that is kept; another one where that has ended, owes an answer or imports other modules."""
        path = os.pathsep.join([part or os.getcwd() for part in sys.path])
        kept = cls.kept
        if kept is None or kept.owing or kept.path != path or kept.popen.poll() is not None:
            if kept is not None:
                kept.end()
            kept = cls.kept = cls(path)
        return kept

    def answer(self, question: Begin | Asked) -> Answer:
        try:
            self.connection.send(question)
        except Exception as error:
            raise _cannot(f"it cannot be handed over: {type(error).__name__}: {error}") from error
        self.owing = True
        try:
            answer: Answer = self.connection.recv()
        except EOFError as error:
            raise _cannot("that process has ended: KERAS_BACKEND=torch python -c 'import keras' may say why") from error
        self.owing = False
        if answer.failed:
            raise _cannot(answer.failed)
        return answer

    def end(self) -> None:
        self.connection.close()
        self.popen.kill()
        self.popen.wait()


def bare(call: Call) -> Call:
    """The call with nothing of its layer but the name, and without what it was called with."""
    return replace(call, layer=Layer(call.layer.name, "", ""), arguments=None, inputs=[])


def _cannot(why: str) -> Unfit:
    return Unfit(
        "two keras models: the first is run on Keras' torch backend, where rounding is modelled, in a process of its "
        f"own. It cannot be: {why}\nIts classes have to be importable, with get_config, and to use keras.ops alone; or "
        "compare each of the two with a torch module"
    )
