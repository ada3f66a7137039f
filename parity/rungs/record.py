"""The record of one run of a case: everything that it computes, in the order in which it is computed."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, NamedTuple, Protocol

from numpynet import Array, Module
from numpynet.module import join
from parity.pairing import Case

OUTPUT, GRADIENT, STEP, CURVE = 1, 2, 3, 4
RUNGS = {OUTPUT: "output", GRADIENT: "gradient", STEP: "step", CURVE: "curve"}


class Key(NamedTuple):
    """The name of one computed tensor: its step, its rung, its layer ("" is the whole module), and what it is."""

    step: int
    rung: int
    layer: str
    quantity: str
    tensor: str = ""

    def __str__(self) -> str:
        index, tensor = (self.tensor, "") if self.tensor.startswith("[") else ("", self.tensor)
        of = f" of {'.'.join(filter(None, (self.layer, tensor)))}" if self.layer or tensor else ""
        return f"{self.quantity}{index}{of}, step {self.step + 1}"

    def each(self, values: Any) -> Record:
        """The array under this key; the arrays of a tuple under this key with their indices."""
        if not isinstance(values, tuple):
            return {self: values}
        return {self._replace(tensor=f"[{index}]"): part for index, part in enumerate(values)}


Record = dict[Key, Array]


class Places:
    """Tells the calls of a layer apart: its first call in a forward pass is at its first place in the module."""

    def __init__(self, module: Module) -> None:
        layers = {layer: name for name, layer in module.named_modules()}
        self.names: dict[str, list[str]] = {}
        for place, layer in module.named_places():
            self.names.setdefault(layers[layer], []).append(place)
        self.calls: Counter[str] = Counter()

    def of_call(self, layer: str) -> str:
        """The name of the place where `layer` is called this time, which counts as one more call."""
        names = self.names.get(layer, [layer])
        self.calls[layer] += 1
        return names[(self.calls[layer] - 1) % len(names)]


class Subject(Protocol):
    """The interface of one implementation of a case's module, ready to run; see `parity.frameworks`."""

    name: str
    observed: Any

    def zero_grad(self) -> None: ...
    def forward(self, input: Any) -> Any: ...
    def backward(self, cotangent: Any) -> Any: ...
    def gradients(self) -> dict[str, Array]: ...
    def state(self) -> dict[str, Array]: ...
    def step(self, lr: float) -> None: ...
    def slots(self) -> dict[str, dict[str, Array]]: ...


class Stopwatch:
    """A context manager that adds up the seconds spent inside an implementation's own calls."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._start


def layer_of(name: str) -> tuple[str, str]:
    """The layer and the tensor in a dotted name: ("1.0", "weight") of "1.0.weight"."""
    layer, _, tensor = name.rpartition(".")
    return layer, tensor


def run(case: Case, subject: Subject, watch: Stopwatch | None = None, record: Record | None = None) -> Record:
    """Run every step of `case` on `subject`, and record each tensor as it comes into being; returns the record.

    It goes on in `record` if one is given, so that what was computed is kept where the subject raises.
    """
    watch = watch or Stopwatch()
    record = {} if record is None else record
    layers = dict(case.module.named_modules())
    places = [name for name, layer in layers.items() if layer.children()]
    places += [name for name, _ in case.module.named_places()]
    buffers = [(layer, name) for layer, module in layers.items() for name in module.buffers]
    parameters = case.module.named_parameters()
    for index, step in enumerate(case.steps):
        with watch:
            if step.zero_grad:
                subject.zero_grad()
            output = subject.forward(step.input)
        record |= {Key(index, OUTPUT, layer, "output"): seen[0] for layer, seen in subject.observed.items()}
        record |= Key(index, OUTPUT, "", "output").each(output)
        if buffers:
            state = subject.state()
            for layer, tensor in buffers:
                record[Key(index, OUTPUT, layer, "state", tensor)] = state[join(layer, tensor)]
        with watch:
            grad_input = subject.backward(step.cotangent)
        _record_gradients(record, index, subject, places)
        record |= Key(index, GRADIENT, "", "input gradient").each(grad_input)
        if case.arguments is None or not parameters:
            continue
        with watch:
            subject.step(step.lr)
        state, slots = subject.state(), subject.slots()
        for name in parameters:
            layer, tensor = layer_of(name)
            for slot, values in slots.get(name, {}).items():
                record[Key(index, STEP, layer, slot.replace("_", " "), tensor)] = values
            record[Key(index, STEP, layer, "parameter", tensor)] = state[name]
    return record


def rung_after(case: Case, record: Record) -> int:
    """The rung that a run of `case` was on when it ended after what `record` holds."""
    last = next(reversed(record)).rung if record else STEP
    return {OUTPUT: GRADIENT, GRADIENT: OUTPUT if case.arguments is None else STEP, STEP: OUTPUT}[last]


def _record_gradients(record: Record, index: int, subject: Subject, places: list[str]) -> None:
    """Record the gradients in the order in which backward meets them, from the last place to the first.

    The gradients of a shared layer's parameters come at its first place, where they are complete.
    """
    of_outputs = {layer: seen[1] for layer, seen in subject.observed.items() if len(seen) > 1}
    of_parameters: dict[str, Record] = {place: {} for place in places}
    for name, gradient in subject.gradients().items():
        layer, tensor = layer_of(name)
        of_parameters[layer][Key(index, GRADIENT, layer, "parameter gradient", tensor)] = gradient
    for layer in reversed(places):
        if layer in of_outputs:
            record[Key(index, GRADIENT, layer, "output gradient")] = of_outputs[layer]
        record.update(of_parameters[layer])
