"""Defects of networks that are no chain, and of the layers that join their branches."""

from __future__ import annotations

import contextlib
import functools
import operator
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from numpynet import Array, Concatenate, Graph, Module, Sum
from parity.defects.defect import caught_on
from parity.ladder.trace import GRADIENT, OUTPUT


@caught_on(GRADIENT)
class GraphSharedGradientOverwritten(Graph):
    """The gradient of a shared layer at one place overwrites that of another, where they should add up."""

    def backward(self, grad_output: Any) -> Any:
        self._sending_back = True
        try:
            return super().backward(grad_output)
        finally:
            self._sending_back = False

    @contextlib.contextmanager
    def _layer_at(self, node: str) -> Iterator[Module]:
        with super()._layer_at(node) as layer:
            if node in self._memories and vars(self).get("_sending_back"):
                layer.zero_grad()
            yield layer


@caught_on(GRADIENT)
class GraphBranchDropped(Graph):
    """Keeps one gradient of a tensor that goes two ways: the residual connection sends none back."""

    def _add(self, gradients: dict[str, Any], names: Sequence[str], parts: Sequence[Any]) -> None:
        gradients |= {name: part for name, part in zip(names, parts, strict=True) if name not in gradients}


@caught_on(GRADIENT)
class GraphOneMemory(Graph):
    """Sends the gradient through what a shared layer remembers of its last place, whatever the place."""

    @contextlib.contextmanager
    def _layer_at(self, node: str) -> Iterator[Module]:
        yield self[node]


@caught_on(OUTPUT)
class GraphStatisticsOnce(Graph):
    """A shared layer updates its running statistics at its first place alone."""

    @contextlib.contextmanager
    def _layer_at(self, node: str) -> Iterator[Module]:
        parts = [part for _, part in self[node].named_modules()]
        before = [(part, name, getattr(part, name)) for part in parts for name in part.buffers]
        with super()._layer_at(node) as layer:
            yield layer
        if isinstance(self.nodes[node][0], str):
            for part, name, value in before:
                setattr(part, name, value)


@caught_on(OUTPUT)
class GraphOneMask(Graph):
    """Shared dropout drops the same elements at every place."""

    @contextlib.contextmanager
    def _layer_at(self, node: str) -> Iterator[Module]:
        with super()._layer_at(node) as layer:
            generators = [part.rng for _, part in layer.named_modules() if hasattr(part, "rng")]
            before = [generator.bit_generator.state for generator in generators]
            yield layer
            if node in self._memories and self.nodes[node][0] is layer:
                for generator, state in zip(generators, before, strict=True):
                    generator.bit_generator.state = state


@caught_on(GRADIENT)
class GraphFirstOutputAlone(Graph):
    """Sends back the gradient of the first output, and leaves out the others."""

    def backward(self, grad_output: Any) -> Any:
        if isinstance(grad_output, tuple):
            first, *others = grad_output
            grad_output = (first, *(np.zeros_like(other) for other in others))
        return super().backward(grad_output)


@caught_on(GRADIENT)
class GraphInputsReversed(Graph):
    """Hands out the gradients of several inputs in the order in which it met them: the last input first."""

    def backward(self, grad_output: Any) -> Any:
        found = super().backward(grad_output)
        return found[::-1] if isinstance(found, tuple) else found


@caught_on(OUTPUT)
class SumInPlace(Sum):
    """Adds the other branches to the first, in place: who else uses that one gets the sum."""

    def forward(self, input: Any) -> Array:
        super().forward(input)
        total, *others = input
        for other in others:
            total += other
        return self.remember(total, len(input))


@caught_on(OUTPUT)
class SumOfTwo(Sum):
    """Adds two branches, however many there are."""

    def forward(self, input: Any) -> Array:
        super().forward(input)
        return self.remember(functools.reduce(operator.add, input[:2]), len(input))


@caught_on(GRADIENT)
class SumGradientShared(Sum):
    """Divides the gradient among the branches, each of which should get all of it."""

    def backward(self, grad_output: Array) -> Any:
        (count,) = self.recall(grad_output)
        return (grad_output / count,) * count


@caught_on(GRADIENT)
class SumFirstBranchAlone(Sum):
    """Sends the gradient to the first branch alone."""

    def backward(self, grad_output: Array) -> Any:
        first, *others = super().backward(grad_output)
        return (first, *(np.zeros_like(other) for other in others))


@caught_on(GRADIENT)
class ConcatenateReversed(Concatenate):
    """Puts the newest features first, as some implementations of dense networks do."""

    def forward(self, input: Any) -> Array:
        return super().forward(input[::-1])

    def backward(self, grad_output: Array) -> Any:
        return super().backward(grad_output)[::-1]


@caught_on(OUTPUT)
class ConcatenateLastAxis(Concatenate):
    """Concatenates along the last axis, Keras' default: right for matrices."""

    def forward(self, input: Any) -> Array:
        super().forward(input)
        borders = np.cumsum([array.shape[-1] for array in input[:-1]])
        return self.remember(np.concatenate(input, -1), borders)

    def backward(self, grad_output: Array) -> Any:
        (borders,) = self.recall(grad_output)
        return tuple(np.split(grad_output, borders, -1))


@caught_on(GRADIENT)
class ConcatenateSplitEvenly(Concatenate):
    """Splits the gradient into equal parts, whatever the lengths of the inputs."""

    def backward(self, grad_output: Array) -> Any:
        (borders,) = self.recall(grad_output)
        return tuple(np.array_split(grad_output, len(borders) + 1, self.axis))


@caught_on(GRADIENT)
class ConcatenateGradientReversed(Concatenate):
    """Cuts the gradient into parts of the right lengths, and hands them out from the last input to the first."""

    def backward(self, grad_output: Array) -> Any:
        parts = super().backward(grad_output)
        lengths = [part.shape[self.axis] for part in parts]
        wrong = np.split(grad_output, np.cumsum(lengths[::-1])[:-1], self.axis)
        return tuple(wrong[::-1])
