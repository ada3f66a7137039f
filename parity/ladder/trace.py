"""The trace of one run of a case: everything that it computes, in the order in which it is computed."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from numpynet import Array
from numpynet.module import each, join
from parity.case import Case
from parity.frameworks.framework import Subject

OUTPUT, GRADIENT, STEP, CURVE = 1, 2, 3, 4
RUNGS = {OUTPUT: "output", GRADIENT: "gradient", STEP: "step", CURVE: "curve"}


class Key(NamedTuple):
    """The name of one computed tensor: its step, its rung, its layer ("" is the whole module), and what it is."""

    step: int
    rung: int
    layer: str
    quantity: str
    tensor: str = ""

    @classmethod
    def of(cls, step: int, rung: int, name: str, quantity: str) -> Key:
        """The key of what belongs to an array with this dotted name; a slot's words stand apart in it."""
        layer, tensor = layer_of(name)
        return cls(step, rung, layer, quantity.replace("_", " "), tensor)

    def __str__(self) -> str:
        index, tensor = (self.tensor, "") if self.tensor.startswith("[") else ("", self.tensor)
        of = f" of {'.'.join(filter(None, (self.layer, tensor)))}" if self.layer or tensor else ""
        return f"{self.quantity}{index}{of}, step {self.step + 1}"

    def each(self, values: Any) -> Trace:
        """The array under this key; the arrays of a tuple, nested ones too, under this key with their indices.

        What is None, as the gradient of an input of integers, is left out.
        """
        if values is None:
            return {}
        if not isinstance(values, tuple):
            return {self: values}
        found: Trace = {}
        for index, part in enumerate(values):
            found |= self._replace(tensor=f"{self.tensor}[{index}]").each(part)
        return found


Trace = dict[Key, Array]


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


def run(
    case: Case,
    subject: Subject,
    watch: Stopwatch | None = None,
    trace: Trace | None = None,
    beside: Subject | None = None,
) -> Trace:
    """Run every step of `case` on `subject`, and keep each tensor as it comes into being; returns the trace.

    It goes on in `trace` if one is given, so that what was computed is kept where the subject raises. `beside` is
    another instance, which is applied to other inputs in between.
    """
    watch = watch or Stopwatch()
    trace = {} if trace is None else trace
    layers = dict(case.module.named_modules())
    sites = [name for name, layer in layers.items() if layer.children()]
    sites += [name for name, _ in case.module.named_call_sites()]
    buffers = [(layer, name) for layer, module in layers.items() for name in module.buffers]
    parameters = case.module.named_parameters()
    switches = any(step.training is not None for step in case.steps)
    for index, step in enumerate(case.steps):
        with watch:
            if switches:
                subject.mode(case.mode(step))
            if step.zero_grad:
                subject.zero_grad()
            if step.rehearsal is not None:
                subject.forward(step.rehearsal)
            output = subject.forward(step.input)
            if beside is not None:
                beside.forward(each(_other, step.input))
        for layer, seen in subject.observed.items():
            trace |= Key(index, OUTPUT, layer, "output").each(seen[0])
        trace |= Key(index, OUTPUT, "", "output").each(output)
        if buffers:
            state = subject.state()
            for layer, tensor in buffers:
                trace[Key(index, OUTPUT, layer, "state", tensor)] = state[join(layer, tensor)]
        with watch:
            for _ in range(step.backwards):
                grad_input = subject.backward(step.cotangent)
        _keep_gradients(trace, index, subject, sites)
        trace |= Key(index, GRADIENT, "", "input gradient").each(grad_input)
        if case.arguments is None or not parameters:
            continue
        with watch:
            subject.step(step.lr)
        state, slots = subject.state(), subject.slots()
        for name in parameters:
            for slot, values in slots.get(name, {}).items():
                trace[Key.of(index, STEP, name, slot)] = values
            trace[Key.of(index, STEP, name, "parameter")] = state[name]
    return trace


def _other(values: Array) -> Array:
    """Another input of the same shape: of numbers the opposite ones, of integers and truth values the same."""
    return -values if values.dtype.kind == "f" else values


def rung_after(case: Case, trace: Trace) -> int:
    """The rung that a run of `case` was on when it ended after what `trace` holds."""
    last = next(reversed(trace)).rung if trace else STEP
    return {OUTPUT: GRADIENT, GRADIENT: OUTPUT if case.arguments is None else STEP, STEP: OUTPUT}[last]


def _keep_gradients(trace: Trace, index: int, subject: Subject, sites: list[str]) -> None:
    """Keep the gradients in the order in which backward meets them, from the last call site to the first.

    The gradients of a shared layer's parameters come at its first call site, where they are complete.
    """
    of_outputs = {layer: seen[1] for layer, seen in subject.observed.items() if len(seen) > 1}
    of_parameters: dict[str, Trace] = {site: {} for site in sites}
    for name, gradient in subject.gradients().items():
        key = Key.of(index, GRADIENT, name, "parameter gradient")
        of_parameters[key.layer][key] = gradient
    for layer in reversed(sites):
        if layer in of_outputs:
            trace |= Key(index, GRADIENT, layer, "output gradient").each(of_outputs[layer])
        trace |= of_parameters[layer]
