"""Models of numpynet."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from numpynet import Array, Module
from parity.case import computing, parts, recast
from parity.comparison.layers.numpynet import affine_halves, layer_of
from parity.comparison.model import NOTHING, STATE, Applied, Call, Held, Layer, Model, Run, Sites, Unfit
from parity.formats import format_of
from parity.mapping.pair import pair_or_none
from parity.rounding.allowance import Perturb
from parity.rounding.errors import forward_pass
from parity.rounding.noisy import as_noisy

FRAMEWORK = "numpynet"
PAIRED = {"keras": "tensorflow"}  # what the pairs call a framework


class NumpynetModel(Model):
    """A numpynet module, observed while it runs; what is compared is a copy of the user's.

    A normalisation and the `Scaling` behind it are one layer, as other frameworks have them. What it computes on are
    the arrays that `perturb` makes of its own.
    """

    framework = FRAMEWORK
    precedence = 1

    def __init__(self, module: Module, dtype: DTypeLike | None = None, perturb: Perturb = np.asarray) -> None:
        self.module, self.perturb = copy.deepcopy(module), perturb
        formats = (values.dtype for values in module.state_dict().values())
        self.dtype = next(formats, np.dtype(np.float32)) if dtype is None else np.dtype(dtype)
        if perturb is not np.asarray:
            self.module.map_state(lambda _, values: perturb(values))
        named: dict[int, str] = {}
        self.modules: dict[str, Module] = {}
        for name, leaf in self.module.named_modules():
            if not leaf.children() and id(leaf) not in named:
                named[id(leaf)] = name or type(leaf).__name__
                self.modules[named[id(leaf)]] = leaf
        self.scalings = dict(affine_halves(self.module))
        self.layers = {
            name: layer_of(name, leaf, self._half(name))
            for name, leaf in self.modules.items()
            if name not in self.scalings.values()
        }
        held = {id(tensor) for layer in self.layers.values() for one in layer.held.values() for tensor in one.tensors}
        if own := [name for name, array in self.module.named_parameters().items() if id(array) not in held]:
            raise Unfit(f"{own[0]} of the numpynet model belongs to no layer without parts, and cannot be compared")

    def _half(self, name: str) -> Any:
        scaling = self.scalings.get(name)
        return None if scaling is None else (scaling, self.modules[scaling])

    def run(
        self,
        inputs: Sequence[Array],
        training: bool,
        cotangents: Sequence[Array] | None = None,
        kept: Mapping[str, Array] = NOTHING,
    ) -> Run:
        run = Run([], [], [])
        self.module.train(training)
        self.module.zero_grad()
        with self.left_as_it_was(), self._observed(run, Sites(), kept):
            with forward_pass():
                outputs = self.module(packed([self._input(values) for values in inputs]))
            run.outputs = list(map(_plain, parts(outputs)))
            if cotangents is not None:
                back = parts(self.module.backward(packed([self._input(values) for values in cotangents])))
                run.input_gradients = [None if gradient is None else _plain(gradient) for gradient in back]
                for name, layer in self.layers.items():
                    run.parameter_gradients |= {
                        (name, role): back for role, back in _parameter_gradients(layer).items()
                    }
            run.state = self.state()
        return run

    def masked(self, kept: Mapping[str, Array]) -> AbstractContextManager[None]:
        return self._observed(Run([], [], []), Sites(), kept)

    def _input(self, values: Array) -> Any:
        return self.perturb(values.astype(self.dtype)) if values.dtype.kind == "f" else values

    @contextmanager
    def _observed(self, run: Run, sites: Sites, kept: Mapping[str, Array]) -> Iterator[None]:
        """A context in which the calls of all layers are kept in `run`."""
        halves = {scaling: name for name, scaling in self.scalings.items()}
        try:
            for name, leaf in self.modules.items():
                watch = _Watch(run, sites, kept, self.layers[halves.get(name, name)], leaf)
                leaf.forward = watch.second_half if name in halves else watch.forward  # type: ignore[method-assign]
                leaf.backward = watch.unseen if name in self.scalings else watch.backward  # type: ignore[method-assign]
            yield
        finally:
            for leaf in self.modules.values():
                del leaf.forward, leaf.backward

    def apply(
        self, call: Call, inputs: Sequence[Array], training: bool, cotangents: Sequence[Array | None] | None = None
    ) -> Applied:
        layer = self.layers[call.layer.name]
        halves = [self.modules[name] for name in filter(None, (layer.name, self.scalings.get(layer.name)))]
        passed: Any = packed([self._input(values) for values in inputs])
        with self.left_as_it_was(layer):
            with forward_pass():
                for half in halves:
                    half.zero_grad()
                    passed = half.train(training)(passed)
            found = Applied(list(map(_plain, parts(passed))), self.state_of(layer))
            if cotangents is not None:
                both = zip(cotangents, found.outputs, strict=True)
                passed = packed([self._input(np.zeros_like(output) if one is None else one) for one, output in both])
                for half in reversed(halves):
                    passed = half.backward(passed)
                found.input_gradients = [None if gradient is None else _plain(gradient) for gradient in parts(passed)]
                found.parameter_gradients = _parameter_gradients(layer)
        return found

    def format_of(self, held: Held) -> str:
        name: str = held.tensors[0].value.dtype.name
        return name

    def compute_in(self, name: str) -> None:
        self.dtype = np.dtype(name)

    def read(self, held: Held) -> Array:
        return held.to_one([_plain(tensor.value) for tensor in held.tensors])

    def write(self, held: Held, values: Array) -> None:
        for tensor, part in zip(held.tensors, held.from_one(values), strict=True):
            tensor.value = self.perturb(np.array(part, dtype=tensor.value.dtype))

    def wide(self) -> Model:
        wider = format_of(self.dtype).wider
        return NumpynetModel(self.module.astype(wider), wider, as_noisy)

    def by_formulas(self, framework: str) -> Model | None:
        held = computing(self.module)

        def formula(part: Any) -> type | None:
            found = pair_or_none(part)
            return None if found is None else found.formulas.get(PAIRED.get(framework, framework))

        if framework == FRAMEWORK or not any(map(formula, held)):
            return None
        return NumpynetModel(recast(self.module, held, formula), self.dtype, self.perturb)


class _Watch:
    """The observer of one layer, in place of its own methods."""

    def __init__(self, run: Run, sites: Sites, kept: Mapping[str, Array], layer: Layer, leaf: Module) -> None:
        self.run, self.sites, self.kept, self.layer = run, sites, kept, layer
        self.own: tuple[Callable[[Any], Any], Callable[[Any], Any]] = (leaf.forward, leaf.backward)
        self.calls: list[Call] = []  # that nothing has come back to yet
        self.rate = getattr(leaf, "p", 0.0)

    def forward(self, input: Any) -> Any:
        self.run.entered.append(self.layer)
        site = self.sites.of_call(self.layer.name)
        output = input * self._factor(site, input) if site in self.kept else self.own[0](input)
        outputs = list(map(_plain, parts(output)))
        call = Call(site, self.layer, None, list(map(_plain, parts(input))), outputs, [None] * len(outputs))
        self.run.calls.append(call)
        self.calls.append(call)
        return output

    def second_half(self, input: Any) -> Any:
        """The forward pass of a `Scaling` that is one layer with the normalisation before it."""
        output = self.own[0](input)
        self.calls.append(self.run.calls[-1])
        self.calls[-1].outputs = list(map(_plain, parts(output)))
        return output

    def backward(self, grad_output: Any) -> Any:
        call = self.calls.pop()
        for place, gradient in enumerate(map(_plain, parts(grad_output))):
            call.gradients[place] = gradient
        return (
            grad_output * self._factor(call.site, grad_output) if call.site in self.kept else self.own[1](grad_output)
        )

    def unseen(self, grad_output: Any) -> Any:
        """The backward pass of a normalisation, to whose output nothing is known to come back elsewhere."""
        return self.own[1](grad_output)

    def _factor(self, site: str, like: Any) -> Any:
        return (self.kept[site] * (1 / (1 - self.rate))).astype(like.dtype)


def kind() -> type:
    return Module


SIDE = NumpynetModel


def _parameter_gradients(layer: Layer) -> dict[str, Array]:
    """The gradients of a layer's parameters, by role."""
    return {
        role: (held.of_gradients or held.to_one)([_plain(tensor.grad) for tensor in held.tensors])
        for role, held in layer.held.items()
        if role not in STATE
    }


def packed(arrays: Sequence[Array]) -> Any:
    """The arrays as a module takes them: one as it is, several as a tuple."""
    return arrays[0] if len(arrays) == 1 else tuple(arrays)


def _plain(values: Any) -> Array:
    """A copy, on which nothing errs."""
    return np.array(values)
