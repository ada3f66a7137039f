"""PyTorch modules for numpynet layers that torch.nn has only in another form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from numpynet import Array


class Scale(torch.nn.Module):
    """gamma * x + beta along the second axis."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.gamma = torch.nn.Parameter(torch.ones(num_features))
        self.beta = torch.nn.Parameter(torch.zeros(num_features))

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        shape = (1, -1, *[1] * (input.dim() - 2))
        return torch.addcmul(self.beta.view(shape), self.gamma.view(shape), input)


class BatchNormBiased(torch.nn.modules.batchnorm._BatchNorm):
    """BatchNorm of any rank whose running variance is the biased one, as numpynet and Keras 3 keep it.

    torch keeps n/(n-1) times the batch's variance (see `parity.differences`, batchnorm-running-variance).
    """

    def _check_input_dim(self, input: torch.Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected at least 2D input (got {input.dim()}D input)")

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return super().forward(input)
        self._check_input_dim(input)
        mean, variance = torch.zeros_like(self.running_mean), torch.zeros_like(self.running_var)
        output = torch.nn.functional.batch_norm(
            input, mean, variance, self.weight, self.bias, training=True, momentum=1.0, eps=self.eps
        )
        count = input.numel() // input.shape[1]
        with torch.no_grad():
            self.running_mean.mul_(1 - self.momentum).add_(mean, alpha=self.momentum)
            self.running_var.mul_(1 - self.momentum).add_(variance, alpha=self.momentum * (count - 1) / count)
        return output


class SharedDropout(torch.nn.Dropout):
    """Dropout whose masks come from a NumPy generator: equal generators, equal masks in every implementation."""

    def __init__(self, p: float, rng: np.random.Generator) -> None:
        super().__init__(p)
        self.rng = rng

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if not self.training or self.p == 0:
            return input
        kept = self.rng.random(tuple(input.shape), np.float32) >= self.p
        return input * (torch.from_numpy(np.asarray(kept)).to(input.dtype) * (1 / (1 - self.p)))


class Loss(torch.nn.Module):
    """A loss function with its target."""

    def __init__(self, function: Callable[[Any, Any], torch.Tensor], target: Array) -> None:
        super().__init__()
        self.function = function
        self.target = torch.from_numpy(target)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return self.function(input, self.target)
