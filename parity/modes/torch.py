"""The ways of writing a network in PyTorch, run eagerly, and one of them compiled."""

from __future__ import annotations

import getpass
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from numpynet import Array
from parity.frameworks.counterpart import TensorView
from parity.frameworks.lazy import torch, torch_optimizers
from parity.frameworks.torch.framework import arrays, to_array
from parity.mapping.convert import convert
from parity.mapping.pair import pairs_of
from parity.modes.models import Model
from parity.modes.record import Mode, NotHere, Seen


class Functional:
    """The network as a function of its arrays, by torch.func: parameters are replaced, not changed."""

    def __init__(self, model: Model, execution: str) -> None:
        counterpart = convert(model.network, "torch")
        self.layer, self.views = counterpart.layer, counterpart.tensors()
        named = dict(self.layer.named_parameters()) | dict(self.layer.named_buffers())
        called = {id(tensor): name for name, tensor in named.items()}
        self.names = {name: called[id(view.tensor)] for name, view in self.views.items()}
        trained = {id(tensor) for tensor in self.layer.parameters()}
        self.arrays = {name: torch.nn.Parameter(t.detach()) if id(t) in trained else t for name, t in named.items()}
        self.velocities = {called[identity]: 0.0 for identity in trained}
        self.loss, self.target = model.loss("torch"), torch.from_numpy(model.target)
        self.rule = model.rule()

    def step(self, inputs: Array) -> Seen:
        output = torch.func.functional_call(self.layer, self.arrays, (torch.from_numpy(inputs),))
        loss = self.loss(output, self.target)
        trained = {name: self.arrays[name] for name in self.velocities}
        gradients = dict(zip(trained, torch.autograd.grad(loss, list(trained.values())), strict=True))
        lr, momentum = self.rule.lr, self.rule.momentum
        with torch.no_grad():
            for name, gradient in gradients.items():
                self.velocities[name] = velocity = momentum * self.velocities[name] + gradient
                self.arrays[name] = (self.arrays[name] - lr * (gradient + momentum * velocity)).requires_grad_()
        return Seen(to_array(loss), self._of_numpynet(self.arrays), to_array(output), self._of_numpynet(gradients))

    def _of_numpynet(self, tensors: dict[str, Any]) -> dict[str, Array]:
        """The arrays of these tensors by their numpynet names, in numpynet's layout."""
        return {
            name: self.views[name].read(to_array(tensors[called]))
            for name, called in self.names.items()
            if called in tensors
        }


class Stateful:
    """The pair's layers in a torch.nn.Module that `build` makes of them, with the pair's optimizer."""

    def __init__(self, build: Callable[[list[Any]], Any], model: Model, execution: str) -> None:
        counterpart = convert(model.network, "torch")
        self.views: dict[str, TensorView] = counterpart.tensors()
        self.trained = {name: self.views[name] for name in model.network.named_parameters()}
        layer = build([part.layer for part in counterpart.parts.values()])
        self.run = torch.compile(layer) if execution == "compile" else layer
        rule = model.rule()
        self.optimizer = torch_optimizers.Rule(rule, pairs_of("torch").optimizer(rule), self.trained).optimizer
        self.loss, self.target = model.loss("torch"), torch.from_numpy(model.target)

    def step(self, inputs: Array) -> Seen:
        self.optimizer.zero_grad()
        output = self.run(torch.from_numpy(inputs))
        loss = self.loss(output, self.target)
        loss.backward()
        gradients = {name: view.read(to_array(view.tensor.grad)) for name, view in self.trained.items()}
        self.optimizer.step()
        return Seen(to_array(loss), arrays(self.views), to_array(output), gradients)


def module(layers: list[Any]) -> Any:
    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = torch.nn.ModuleList(layers)

        def forward(self, inputs: Any) -> Any:
            for layer in self.parts:
                inputs = layer(inputs)
            return inputs

    return Network()


def sequential(layers: list[Any]) -> Any:
    return torch.nn.Sequential(*layers)


WAYS: dict[str, Callable[[Model, str], Mode]] = {
    "functional": Functional,
    "module": partial(Stateful, module),
    "sequential": partial(Stateful, sequential),
}


def modes(model: Model) -> list[tuple[str, str]]:
    """Every (mode, execution) to run the model in.

    One mode is compiled: that takes seconds, and sees the same operations in every way of writing.
    """
    return [*((mode, "eager") for mode in WAYS), ("module", "compile")]


def make(mode: str, execution: str, model: Model) -> Mode:
    """The mode, run by this execution.

    Raises NotHere where it needs a C++ compiler that is not there, or a release of torch that compiles on this Python.

    torch's cache of what it compiled does not know for which instructions it was: what was left by AVX-512 is no code
    under ATEN_CPU_CAPABILITY=default (torch 2.13: "at::vec has not been declared"). So each has a cache of its own.
    """
    if execution == "compile":
        if not compiler():
            raise NotHere("torch.compile needs a C++ compiler, named by CXX, g++ or clang++: none is here")
        cache = f"torchinductor_{getpass.getuser()}_{torch.backends.cpu.get_cpu_capability()}"
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(Path(tempfile.gettempdir(), cache))  # torch has set it already
    try:
        return WAYS[mode](model, execution)
    except RuntimeError as error:
        if "Dynamo is not supported" in str(error):  # as torch 2.2's is not on Python 3.12
            raise NotHere(f"torch {torch.__version__} does not compile here: {error}") from error
        raise


def compiler() -> str | None:
    """The path of the compiler that torch.compile would call; None where there is none."""
    return next(filter(None, map(shutil.which, filter(None, [os.environ.get("CXX"), "g++", "clang++"]))), None)
