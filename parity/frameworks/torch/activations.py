"""PyTorch's activations where a kink or a shape differs from numpynet's (see `parity.catalogue`)."""

from __future__ import annotations

import torch


class Hardsigmoid(torch.nn.Hardsigmoid):
    """torch's Hardsigmoid; in float64 its formula written out, since the sixth in torch's gradient is a float32."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if input.dtype == torch.float64:
            return torch.nn.functional.relu6(input + 3) / 6
        return super().forward(input)


class Hardswish(torch.nn.Hardswish):
    """torch's Hardswish, but for the gradient at exactly -3 and 3, which was that of the parabola before torch 2.8."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        product = input * torch.nn.functional.hardsigmoid(input)
        return torch.where(input.abs() == 3, product, super().forward(input))


class Maxout(torch.nn.Module):
    """The largest of each `pieces` consecutive features on the second axis.

    Of equal ones the first has the gradient.
    """

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return input.unflatten(1, (-1, self.pieces)).max(dim=2).values
