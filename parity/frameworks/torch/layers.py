"""PyTorch modules for numpynet layers that torch.nn has only in another form."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import numpynet
from numpynet import Array
from numpynet.containers import packed


class Scale(torch.nn.Module):
    """gamma * x + beta along `axis`."""

    def __init__(self, num_features: int, axis: int = 1) -> None:
        super().__init__()
        self.axis = axis
        self.gamma = torch.nn.Parameter(torch.ones(num_features))
        self.beta = torch.nn.Parameter(torch.zeros(num_features))

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        after = input.dim() - 1 - self.axis if self.axis >= 0 else -1 - self.axis
        shape = (-1, *[1] * after)
        return torch.addcmul(self.beta.view(shape), self.gamma.view(shape), input)


class BatchNormBiased(torch.nn.modules.batchnorm._BatchNorm):
    """BatchNorm of any rank whose running variance is the biased one, as numpynet and Keras 3 keep it.

    torch keeps n/(n-1) times the batch's variance (see `parity.catalogue`, batchnorm-running-variance).
    """

    _check_input_dim = torch.nn.SyncBatchNorm._check_input_dim  # torch's own for any rank

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        self._check_input_dim(input)
        if self.eps == 0:
            return self._without_eps(input)
        if not self.training or input.numel() == 0:
            return super().forward(input)  # of no elements torch takes no statistics
        mean, variance = torch.zeros_like(self.running_mean), torch.zeros_like(self.running_var)
        output = torch.nn.functional.batch_norm(
            input, mean, variance, self.weight, self.bias, training=True, momentum=1.0, eps=self.eps
        )
        count = input.numel() // input.shape[1]
        with torch.no_grad():
            self.running_mean.mul_(1 - self.momentum).add_(mean, alpha=self.momentum)
            self.running_var.mul_(1 - self.momentum).add_(variance, alpha=self.momentum * (count - 1) / count)
        return output

    def _without_eps(self, input: torch.Tensor) -> torch.Tensor:
        """The output without eps, written out: torch's own is 0, not NaN, where a feature is constant.

        Since 2.10 torch refuses eps = 0 (see `parity.catalogue`, batchnorm-without-eps).
        """
        mean, variance = self.running_mean, self.running_var
        if self.training:
            axes = [0, *range(2, input.dim())]
            mean, variance = input.mean(axes), input.var(axes, correction=0)
            with torch.no_grad():
                self.running_mean.mul_(1 - self.momentum).add_(mean, alpha=self.momentum)
                self.running_var.mul_(1 - self.momentum).add_(variance, alpha=self.momentum)
        shape = (1, -1, *[1] * (input.dim() - 2))
        return (input - mean.view(shape)) / variance.sqrt().view(shape)


class LayerNorm(torch.nn.Module):
    """torch's layer_norm over the last `axes` axes, whatever their sides, without gamma and beta."""

    def __init__(self, axes: int, eps: float) -> None:
        super().__init__()
        self.axes, self.eps = axes, eps

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.layer_norm(input, input.shape[-self.axes :], eps=self.eps)


class GroupNorm(torch.nn.Module):
    """torch's group_norm of any number of features, without gamma and beta."""

    def __init__(self, groups: int, eps: float) -> None:
        super().__init__()
        self.groups, self.eps = groups, eps

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.group_norm(input, self.groups, eps=self.eps)


class SharedDropout(torch.nn.Dropout):
    """Dropout whose masks come from a NumPy generator: equal generators draw equal masks in every implementation."""

    def __init__(self, p: float, rng: np.random.Generator) -> None:
        super().__init__(p)
        self.rng = rng

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if not self.training or self.p == 0:
            return input
        kept = self.rng.random(tuple(input.shape), np.float32) >= self.p
        return input * (torch.from_numpy(np.asarray(kept)).to(input.dtype) * (1 / (1 - self.p)))


class Graph(torch.nn.Module):
    """The layers of a numpynet Graph, by the name of their first node, applied in the order of its nodes.

    It takes and returns a tensor, or a tuple where the graph has several inputs or outputs.
    """

    def __init__(self, graph: numpynet.Graph, layers: dict[str, torch.nn.Module]) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        first = {id(layer): name for name, layer in graph.children().items()}
        self._inputs, self._outputs = list(graph.inputs), graph.outputs
        self._calls = [(node, first[id(graph[node])], sources) for node, (_, *sources) in graph.nodes.items()]

    def forward(self, input: Any) -> Any:
        values = {self._inputs[0]: input} if len(self._inputs) == 1 else dict(zip(self._inputs, input, strict=True))
        for node, layer, sources in self._calls:
            values[node] = self.get_submodule(layer)(packed([values[source] for source in sources]))
        return packed([values[output] for output in self._outputs])


class Sum(torch.nn.Module):
    """The sum of a tuple of tensors."""

    def forward(self, input: tuple[torch.Tensor, ...]) -> torch.Tensor:
        if not input:
            return torch.stack(input)  # refused by torch, whose sum of a tuple would be that of its stack
        return functools.reduce(torch.add, input)


class Concatenate(torch.nn.Module):
    """The tensors of a tuple, one after another along an axis."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, input: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return torch.cat(input, self.axis)


class Loss(torch.nn.Module):
    """A loss function of (input, target) with its target, as a module."""

    def __init__(self, function: Callable[[Any, Any], torch.Tensor], target: Array) -> None:
        super().__init__()
        self.function = function
        self.target = torch.from_numpy(target)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return self.function(input, self.target)
