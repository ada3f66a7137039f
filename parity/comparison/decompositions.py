"""What composite operations of torch consist of: its own tables, what they lack or leave whole, what is slow there."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from parity.frameworks.lazy import torch

Perform = Callable[..., Any]

ROOT_OF_HALF = math.sqrt(0.5)
TANH_SLOPE, TANH_CUBE = math.sqrt(2 / math.pi), 0.044715  # of the GELU by tanh


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
        aten.native_layer_norm.default: _layer_norm,
        aten.native_layer_norm_backward.default: _layer_norm_backward,
        aten.gelu.default: _gelu,
        aten.gelu_backward.default: _gelu_backward,
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


def _layer_norm(input: Any, shape: Sequence[int], weight: Any, bias: Any, eps: float) -> Any:
    """The normalised input, its means and what they were divided by; as torch's own, which takes three times as long.

    A transformer consists of these and of GELU: that is why they are written out.
    """
    variance, mean = _var_mean(input, list(range(-len(shape), 0)), correction=0, keepdim=True)
    scale = torch.rsqrt(variance + eps)
    output = (input - mean) * scale
    if weight is not None:
        output = output * weight
    return output if bias is None else output + bias, mean, scale


def _layer_norm_backward(
    back: Any, input: Any, shape: Sequence[int], mean: Any, scale: Any, weight: Any, bias: Any, wanted: Sequence[bool]
) -> Any:
    """The gradients for the input, the weight and the bias, of which those are computed that are wanted."""
    outer = list(range(input.dim() - len(shape)))
    inner = list(range(len(outer), input.dim()))
    if not input.numel():
        shapes = input.shape, shape, shape
        return tuple(input.new_zeros(each) if want else None for each, want in zip(shapes, wanted, strict=True))
    normalised = (input - mean) * scale
    to_input, to_weight, to_bias = None, None, None
    if wanted[0]:
        through = back if weight is None else back * weight
        count = math.prod(shape)
        along = normalised * (through * normalised).sum(inner, keepdim=True)
        to_input = (scale / count) * (through * count - through.sum(inner, keepdim=True) - along)
    if wanted[1] and weight is not None:
        to_weight = (back * normalised).sum(outer) if outer else back * normalised
    if wanted[2] and bias is not None:
        to_bias = back.sum(outer) if outer else back.clone()
    return to_input, to_weight, to_bias


def _gelu(self: Any, *, approximate: str = "none") -> Any:
    """The GELU by the error function, or by its approximation with tanh."""
    if approximate == "none":
        return self * 0.5 * (1 + torch.erf(self * ROOT_OF_HALF))
    return 0.5 * self * (1 + torch.tanh(TANH_SLOPE * (self + TANH_CUBE * (self * self * self))))


def _gelu_backward(back: Any, self: Any, *, approximate: str = "none") -> Any:
    square = self * self
    if approximate == "none":
        density = torch.exp(square * -0.5) * (TANH_SLOPE / 2)
        return back * (0.5 * (1 + torch.erf(self * ROOT_OF_HALF)) + self * density)
    tanh = torch.tanh(TANH_SLOPE * (self + TANH_CUBE * (square * self)))
    slope = TANH_SLOPE * (1 + 3 * TANH_CUBE * square)
    return back * (0.5 * (1 + tanh) + 0.5 * self * (1 - tanh * tanh) * slope)


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
