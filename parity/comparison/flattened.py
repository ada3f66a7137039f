"""A run as arrays under names, as a recording holds it, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from numpynet import Array
from parity.comparison.model import Call, Layer, Run
from parity.comparison.recording import CallPart, ModePart

INPUTS, BACK, GRADIENTS, STATES = "inputs", "input gradients", "parameter gradients", "state"


def flattened(run: Run) -> dict[str, Array]:
    """The arrays of a run, without those that its layers were called with."""
    return dict(_flattened(run))


def _flattened(run: Run) -> Iterator[tuple[str, Array]]:
    for place, output in enumerate(run.outputs):
        yield f"outputs/{place}", output
    for number, call in enumerate(run.calls):
        for place, output in enumerate(call.outputs):
            yield f"calls/{number}/outputs/{place}", output
        for place, gradient in enumerate(call.gradients):
            if gradient is not None:
                yield f"calls/{number}/gradients/{place}", gradient
    for place, gradient in enumerate(run.input_gradients):
        if gradient is not None:
            yield f"{BACK}/{place}", gradient
    for kind, held in ((GRADIENTS, run.parameter_gradients), (STATES, run.state)):
        for (layer, role), values in held.items():
            yield f"{kind}/{layer}/{role}", values


def called_with(run: Run) -> dict[str, Array]:
    """The arrays that the layers of a run were called with."""
    return {
        f"calls/{number}/{INPUTS}/{place}": values
        for number, call in enumerate(run.calls)
        for place, values in enumerate(call.inputs)
    }


def shape_of(run: Run) -> ModePart:
    """Returns what the header says of a run."""
    calls = [
        CallPart(site=call.site, layer=call.layer.name, inputs=len(call.inputs), outputs=len(call.outputs))
        for call in run.calls
    ]
    return ModePart(calls=calls, entered=[layer.name for layer in run.entered], outputs=len(run.outputs))


def unflattened(
    part: ModePart, layers: Mapping[str, Layer], inputs: int, find: Callable[[str], Array | None], whole: bool
) -> Run:
    """The run that `part` describes, of the arrays that `find` finds; without inputs of layers unless it is `whole`.

    Raises KeyError, which names it, for an array that is missing.
    """

    def must(name: str) -> Array:
        if (found := find(name)) is None:
            raise KeyError(name)
        return found

    calls = [
        Call(
            call.site,
            layers[call.layer],
            None,
            [must(f"calls/{number}/{INPUTS}/{place}") for place in range(call.inputs)] if whole else [],
            [must(f"calls/{number}/outputs/{place}") for place in range(call.outputs)],
            [find(f"calls/{number}/gradients/{place}") for place in range(call.outputs)],
        )
        for number, call in enumerate(part.calls)
    ]
    names = [(layer.name, role) for layer in layers.values() for role in layer.held]
    gradients = {(layer, role): find(f"{GRADIENTS}/{layer}/{role}") for layer, role in names}
    state = {(layer, role): find(f"{STATES}/{layer}/{role}") for layer, role in names}
    return Run(
        [must(f"outputs/{place}") for place in range(part.outputs)],
        calls,
        [layers[name] for name in part.entered],
        [find(f"{BACK}/{place}") for place in range(inputs)],
        {key: values for key, values in gradients.items() if values is not None},
        {key: values for key, values in state.items() if values is not None},
    )
