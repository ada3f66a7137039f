"""What composite operations of torch consist of: torch's own tables, and what these lack or leave whole."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from parity.frameworks.lazy import torch

Perform = Callable[..., Any]


def decomposition_of(operation: Any) -> Perform | None:
    """The function of other operations that computes the operation; None where there is none."""
    if (known := _known().get(operation)) is not None:
        return known
    implicit = torch._C.DispatchKey.CompositeImplicitAutograd
    if implicit in operation.py_kernels or torch._C._dispatch_has_kernel_for_dispatch_key(operation.name(), implicit):
        return operation.decompose
    return getattr(operation, "impl_aten", None)  # of torch's prims, which some of its decompositions end in


@functools.cache
def _known() -> dict[Any, Perform]:
    """Returns what composite operations consist of, by operation: from torch's own tables, or written out here."""
    aten = torch.ops.aten
    return {
        aten.upsample_linear1d.default: _upsample_linear,  # where the table lacks it, as in torch 2.2
        **torch._decomp.decomposition_table,
        aten.var.correction: _var,
        aten.var_mean.correction: _var_mean,
        aten.softplus.default: _softplus,
        aten.softplus_backward.default: _softplus_backward,
        aten._weight_norm_interface.default: _weight_norm,
        aten._weight_norm_interface_backward.default: _weight_norm_backward,
        aten.upsample_linear1d_backward.default: _interpolation_backward(aten.upsample_linear1d.default),
        aten.upsample_bilinear2d_backward.default: _interpolation_backward(aten.upsample_bilinear2d.default),
        aten.upsample_trilinear3d_backward.default: _interpolation_backward(aten.upsample_trilinear3d.default),
        aten.upsample_bicubic2d_backward.default: _interpolation_backward(aten.upsample_bicubic2d.default),
    }


def without_bias(operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Callable[[], Any] | None:
    """A product and the sum with its bias, one after another; None where the operation has no bias."""
    aten = torch.ops.aten
    products = {aten.addmm.default: aten.mm.default, aten.baddbmm.default: aten.bmm.default}
    if operation in products and not kwargs:
        return lambda: products[operation](*args[1:3]) + args[0]
    if operation == aten.convolution.default and args[2] is not None:
        return lambda: (
            aten.convolution.default(*args[:2], None, *args[3:]) + args[2].view(-1, *[1] * (args[0].dim() - 2))
        )
    return None


def _var(self: Any, dim: Any = None, *, correction: Any = None, keepdim: bool = False) -> Any:
    return _var_mean(self, dim, correction=correction, keepdim=keepdim)[0]


def _var_mean(self: Any, dim: Any = None, *, correction: Any = None, keepdim: bool = False) -> Any:
    """The variance and the mean, written out: torch's own decomposition ends in one operation."""
    axes = dim or list(range(self.dim()))
    mean = self.mean(axes, keepdim=True)
    count = self.numel() / max(mean.numel(), 1)
    squares = (self - mean).square().sum(axes, keepdim=keepdim)
    variance = squares / max(count - (1 if correction is None else correction), 0)
    return variance, mean if keepdim else mean.reshape(variance.shape)


def _softplus(self: Any, beta: float = 1, threshold: float = 20) -> Any:
    """The softplus without its threshold, above which torch copies its input and others round."""
    return torch.logaddexp(self * beta, torch.zeros_like(self)) / beta


def _softplus_backward(back: Any, self: Any, beta: float, threshold: float) -> Any:
    return back * torch.sigmoid(self * beta)


def _upsample_linear(self: Any, size: Sequence[int], corners: bool, scale: float | None = None) -> Any:
    """The interpolation of images that are one pixel high."""
    return torch.ops.aten.upsample_bilinear2d.default(self[:, :, None], [1, *size], corners, None, scale)[:, :, 0]


def _weight_norm(v: Any, g: Any, dim: int = 0) -> Any:
    """Returns g * v / |v| and |v|; torch's own decomposition knows no default in some releases."""
    norm = v.square().sum([axis for axis in range(v.dim()) if axis != dim], keepdim=True).sqrt()
    return v * (g / norm), norm


def _weight_norm_backward(back: Any, v: Any, g: Any, norm: Any, dim: int) -> Any:
    """The gradients of g * v / |v| for v and g, for which torch has no decomposition."""
    axes = [axis for axis in range(v.dim()) if axis != dim]
    along = (back * v).sum(axes, keepdim=True) / norm
    return g / norm * (back - v * (along / norm)), along


def _interpolation_backward(forward: Perform) -> Perform:
    """The gradient of an interpolation: the product with a matrix along each axis, what `forward` makes of the unit's.

    So it has the errors of the places between which is interpolated: torch's kernels compute these in the format, too.
    """

    def backward(back: Any, output_size: Any, input_size: Any, align_corners: bool, *scales: Any) -> Any:
        sides = list(zip(input_size[2:], output_size, strict=True))
        for axis, (given, made) in enumerate(sides):
            others = [1] * axis, [1] * (len(sides) - axis - 1)
            unit = torch.eye(given, dtype=back.dtype).view(1, given, *others[0], given, *others[1])
            scale = [one if at == axis else None for at, one in enumerate(scales)]
            matrix = forward(unit, [*others[0], made, *others[1]], align_corners, *scale).view(given, made)
            back = (back.movedim(axis + 2, -1) @ matrix.T).movedim(-1, axis + 2)
        return back

    return backward
