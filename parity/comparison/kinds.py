"""What torch's operations are to the model of rounding: exact, elementary, linear in each argument, or neither.

An operation is called here as torch calls it, without the underscore of its in-place form and without its overload.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from parity.comparison.decompositions import decomposition_of
from parity.frameworks.lazy import torch
from parity.rounding.errors import LOST


def _names(text: str) -> list[str]:
    return text.split()


# They select, copy, compare, change signs or draw random numbers. What only looks at memory in another way is exact
# too, and recognised by its schema.
EXACT = frozenset(
    _names("""
    neg abs sign sgn positive relu relu6 threshold threshold_backward hardtanh hardtanh_backward hardshrink
    hardshrink_backward softshrink_backward maximum minimum fmax fmin max min amax amin aminmax clamp clamp_min
    clamp_max floor ceil round trunc fix frac copysign heaviside nan_to_num nextafter ldexp frexp
    where masked_fill masked_select masked_scatter index index_select index_copy index_fill gather scatter take
    select_scatter slice_scatter diagonal_scatter as_strided_scatter select_backward slice_backward diagonal_backward
    sort topk kthvalue median nanmedian mode cummax cummin _cummax_helper _cummin_helper
    max_pool2d_with_indices max_pool3d_with_indices adaptive_max_pool2d adaptive_max_pool3d fractional_max_pool2d
    fractional_max_pool3d max_unpool2d max_unpool3d embedding embedding_renorm upsample_nearest1d upsample_nearest2d
    upsample_nearest3d _upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d
    cat stack repeat repeat_interleave flip roll rot90 tril triu diag_embed block_diag constant_pad_nd
    reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d replication_pad3d
    pixel_shuffle pixel_unshuffle channel_shuffle native_channel_shuffle im2col _pack_padded_sequence
    clone copy _to_copy _unsafe_view contiguous lift lift_fresh lift_fresh_copy resize set fill zero
    empty empty_like empty_strided empty_permuted new_empty new_empty_strided zeros zeros_like new_zeros
    _efficientzerotensor ones ones_like new_ones full full_like new_full scalar_tensor eye arange linspace
    _local_scalar_dense item equal eq ne lt le gt ge isnan isinf isfinite isposinf isneginf signbit all any argmax
    argmin argsort nonzero bincount bucketize searchsorted logical_and logical_or logical_not logical_xor bitwise_and
    bitwise_or bitwise_xor bitwise_not
    bernoulli rand rand_like randn randn_like randint randint_like randperm uniform normal exponential cauchy geometric
    log_normal random multinomial poisson binomial _standard_gamma _sample_dirichlet
    """)
)
# The number of roundings that one result may be off: those of functions such as tanh are `LOST`, as on NumPy.
ELEMENTARY = {
    **dict.fromkeys(_names("add sub rsub mul div true_divide sqrt square reciprocal remainder fmod"), 1),
    "native_dropout": 2,  # by its own kernel, not decomposed: that would draw another mask
    "rrelu_with_noise": 1,
    **dict.fromkeys(
        _names("""
        exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh erf erfc
        erfinv sigmoid rsqrt pow hypot logaddexp logaddexp2 lgamma digamma polygamma mvlgamma igamma igammac i0 sinc
        special_entr special_ndtri special_log_ndtr special_erfcx special_i0e special_i1 special_i1e special_zeta
        special_xlog1py xlogy
        """),
        LOST,
    ),
}
# Powers that torch, as NumPy, computes in one operation.
ROUNDED_ONCE = (-1, 0, 0.5, 1, 2)

# How many terms meet in one place depends on indices or windows: it is counted, by the operation on ones.
MEETING = _names("""
    embedding_dense_backward index_add scatter_add index_put _index_put_impl _unsafe_index_put unfold_backward
    col2im _pack_padded_sequence_backward
    max_pool2d_with_indices_backward max_pool3d_with_indices_backward adaptive_max_pool2d_backward
    adaptive_max_pool3d_backward fractional_max_pool2d_backward fractional_max_pool3d_backward
    reflection_pad1d_backward reflection_pad2d_backward reflection_pad3d_backward
    replication_pad1d_backward replication_pad2d_backward replication_pad3d_backward
    upsample_nearest1d_backward upsample_nearest2d_backward upsample_nearest3d_backward
    _upsample_nearest_exact1d_backward _upsample_nearest_exact2d_backward _upsample_nearest_exact3d_backward
""")
AVERAGING = _names("avg_pool2d avg_pool3d avg_pool2d_backward avg_pool3d_backward")
AVERAGING_ADAPTIVELY = _names("""
    _adaptive_avg_pool2d _adaptive_avg_pool3d _adaptive_avg_pool2d_backward _adaptive_avg_pool3d_backward
""")

# What torch or TensorFlow adds up in the format of what it is of, in formats of 16 bits too, in either: measured.
# TensorFlow averages windows so in float16.
ADDED_IN_NARROW = {
    *_names("convolution_backward native_layer_norm_backward native_batch_norm_backward"),
    *_names("_adaptive_avg_pool2d_backward _adaptive_avg_pool3d_backward"),
    *AVERAGING,
    *MEETING,
}

Terms = Callable[[Mapping[str, Any], Sequence[Any]], list[int]]  # of arguments and results: how many terms each adds up


def _reduced(of: Mapping[str, Any], results: Sequence[Any]) -> list[int]:
    """The terms of a sum: the elements that come to one of the result."""
    return [of["self"].numel() // max(results[0].numel(), 1)]


def _accumulated(of: Mapping[str, Any], results: Sequence[Any]) -> list[int]:
    return [of["self"].shape[of["dim"]] if of["self"].dim() else 1]


def _contracted(of: Mapping[str, Any], results: Sequence[Any]) -> list[int]:
    """The terms of a product of matrices or vectors: the last axis of the first of the two."""
    left = next(of[name] for name in ("mat1", "batch1", "mat", "self") if name in of)
    return [left.shape[-1]]


def _batched(of: Mapping[str, Any], results: Sequence[Any]) -> list[int]:
    return [of["batch1"].shape[0] * of["batch1"].shape[-1]]


def _outer(of: Mapping[str, Any], results: Sequence[Any]) -> list[int]:
    return [1]


def _trilinear(of: Mapping[str, Any], results: Sequence[Any]) -> list[int]:
    """The terms of a sum of products of three, each of which lacks some of the axes."""
    sides = dict.fromkeys(of["sumdim"], 1)
    for number in "123":
        shape = list(of[f"i{number}"].shape)
        for axis in sorted(of[f"expand{number}"]):
            shape.insert(axis, 1)
        sides = {axis: max(side, shape[axis]) for axis, side in sides.items()}
    return [math.prod(sides.values())]


def _convolved(of: Mapping[str, Any], results: Sequence[Any]) -> list[int]:
    weight = of["weight"]
    return [weight.numel() // max(weight.shape[1] * of["groups"] if of["transposed"] else weight.shape[0], 1)]


def _convolved_back(of: Mapping[str, Any], results: Sequence[Any]) -> list[int]:
    """The terms of the gradients of a convolution for its input, its weight and its bias."""
    weight, back = of["weight"], of["grad_output"]
    filters = max(weight.shape[0] if of["transposed"] else weight.shape[1] * of["groups"], 1)
    numbers = [weight.numel() // filters, *[back.numel() // max(back.shape[1], 1)] * 2]
    return [number for number, wanted in zip(numbers, of["output_mask"], strict=True) if wanted]


def _pooled(of: Mapping[str, Any], results: Sequence[Any]) -> list[int]:
    return [math.prod(of["kernel_size"])]


def _pooled_adaptively(of: Mapping[str, Any], results: Sequence[Any]) -> list[int]:
    sizes = [of["self"].numel(), of.get("grad_output", results[0]).numel()]
    return [math.ceil(max(sizes) / max(min(sizes), 1))]


def _bagged(of: Mapping[str, Any], results: Sequence[Any]) -> list[int]:
    """The terms of the largest bag, or those of the index that is in most bags."""
    if "grad" in of:
        return [int(torch.bincount(of["indices"]).max())]
    ends = torch.cat([of["offsets"], of["offsets"].new_tensor([of["indices"].numel()])])
    return [int(torch.diff(ends).max())]


# Linear in each argument, a product in each of its factors: their errors are bounded by themselves on absolute values.
LINEAR: dict[str, Terms | None] = {
    **dict.fromkeys(_names("sum mean nansum trace prod"), _reduced),
    **dict.fromkeys(_names("cumsum cumprod"), _accumulated),
    **dict.fromkeys(_names("mm bmm mv dot vdot addmm addmv baddbmm"), _contracted),
    "addbmm": _batched,
    "addr": _outer,
    "_trilinear": _trilinear,
    "convolution": _convolved,
    "convolution_backward": _convolved_back,
    **dict.fromkeys(AVERAGING, _pooled),
    **dict.fromkeys(AVERAGING_ADAPTIVELY, _pooled_adaptively),
    **dict.fromkeys(
        _names("_embedding_bag _embedding_bag_forward_only _embedding_bag_backward _embedding_bag_dense_backward"),
        _bagged,
    ),
    **dict.fromkeys(MEETING, None),
}


@functools.cache
def treatment_of(operation: Any) -> str:
    """The name of the method of `Rounding` that performs the operation."""
    name, schema = name_of(operation), operation._schema
    ours = operation.namespace == "aten"
    returned = [one.alias_info for one in schema.returns]
    if returned and all(alias is not None and not alias.is_write for alias in returned):
        return "_exact"  # another view of the same memory
    if ours and name in EXACT and "reduce" not in schema.overload_name:
        return "_exact"
    if ours and name.startswith("_foreach_"):
        return "_each"
    if returned and all(alias is not None for alias in returned):
        return "_unmodelled" if functional_of(operation) is None else "_writing"
    if ours and name in ELEMENTARY:
        return "_elementary"
    if ours and name in LINEAR:
        return "_linear"
    return "_unmodelled" if decomposition_of(operation) is None else "_decomposed"


@functools.cache
def name_of(operation: Any) -> str:
    """Returns what the operation is called, without its namespace and without the underscore of its in-place form."""
    name: str = operation._schema.name.partition("::")[2]
    return name if name.endswith("__") else name.removesuffix("_")


@functools.cache
def functional_of(operation: Any) -> Any:
    """The operation of the same arguments that writes into none of them; None where there is none."""
    wanted = [str(argument.type) for argument in operation._schema.arguments if argument.name not in out_of(operation)]
    packet = getattr(getattr(torch.ops, operation.namespace), name_of(operation), None)
    for overload in packet.overloads() if packet is not None else ():
        found = getattr(packet, overload)
        schema = found._schema
        if not schema.is_mutable and [str(argument.type) for argument in schema.arguments] == wanted:
            return found
    return None


@functools.cache
def written_by(operation: Any) -> list[str]:
    """The names of the arguments that the operation writes into."""
    return [each.name for each in operation._schema.arguments if _is_written(each)]


@functools.cache
def out_of(operation: Any) -> frozenset[str]:
    """The names of the arguments that are there for the result alone."""
    return frozenset(each.name for each in operation._schema.arguments if each.kwarg_only and _is_written(each))


def _is_written(argument: Any) -> bool:
    return argument.alias_info is not None and argument.alias_info.is_write


def arguments_of(operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments by name, defaults too."""
    names, defaults = _signature(operation)
    return {**defaults, **dict(zip(names, args, strict=False)), **kwargs}


@functools.cache
def _signature(operation: Any) -> tuple[list[str], dict[str, Any]]:
    """The names of an operation's arguments, and the defaults of those that have one."""
    arguments = operation._schema.arguments
    return (
        [each.name for each in arguments],
        {each.name: each.default_value for each in arguments if each.has_default_value()},
    )
