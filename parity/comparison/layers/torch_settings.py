"""What is set of torch's layers though no attribute says it as Keras does: what they cannot do otherwise, too."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from parity.comparison.model import Setting

Settings = dict[str, Setting]


def more(kind: str, module: Any) -> Settings:
    """The settings of a module of this kind beside those that attributes hold."""
    make = MORE.get(kind)
    return make(module) if make is not None else {}


def _said(value: Any, words: str) -> Setting:
    """A setting that is put into words, whatever its value, and is never changed."""
    return Setting(value, lambda value: words)


def _bias(module: Any) -> Setting:
    return _said(module.bias is not None, f"bias={module.bias is not None}")


def _embedding(module: Any) -> Settings:
    return {"padding row": _said(module.padding_idx, f"padding_idx={module.padding_idx}")}


def _linear(module: Any) -> Settings:
    return {"bias": _bias(module)}


def _convolution(module: Any) -> Settings:
    """The padding "same" in numbers, where it is the same on both sides."""
    found = {"bias": _bias(module)}
    totals = [step * (size - 1) for size, step in zip(module.kernel_size, module.dilation, strict=True)]
    if module.padding == "valid":
        found["padding"] = _said((0,) * len(totals), "padding='valid'")
    if module.padding == "same" and not any(total % 2 for total in totals):
        found["padding"] = _said(tuple(total // 2 for total in totals), "padding='same'")
    return found


def _transposed_convolution(module: Any) -> Settings:
    ends = zip(module.padding, module.output_padding, strict=True)
    cut = tuple((padding, padding - more) for padding, more in ends)
    words = f"padding={module.padding}, output_padding={module.output_padding}"
    return {"bias": _bias(module), "cropping": _said(cut, words)}


def _affine(module: Any) -> Settings:
    affine = module.weight is not None
    return {"weight": _said(affine, f"affine={affine}"), "bias": _bias(module)}


def _batch_normalization(module: Any) -> Settings:
    return {"axis": _said(1, "axis 1"), "trainable": _said(True, "trained")} | _affine(module)


def _layer_normalization(module: Any) -> Settings:
    axes = tuple(range(-len(module.normalized_shape), 0))
    return {"axis": _said(axes, f"normalized_shape={tuple(module.normalized_shape)}")} | _affine(module)


def _recurrent(module: Any) -> Settings:
    state = module.nonlinearity if module.mode.startswith("RNN") else "tanh"
    return {
        "direction": _said("forwards", "forwards"),
        "state activation": _said(state, state),
        "gate activation": _said("sigmoid", "sigmoid"),
        "reset after": _said(True, "the reset gate after the product"),
        "bias": _said(module.bias, f"bias={module.bias}"),
    }


def _attention(module: Any) -> Settings:
    biased = module.in_proj_bias is not None
    return {
        "scale": _said(1.0 / math.sqrt(float(module.head_dim)), f"scores times {module.head_dim**-0.5:.6g}"),
        "mask": _said("left out", "what a mask marks is left out"),
        "head size": _said(module.head_dim, f"{module.embed_dim} split among {module.num_heads}"),
        "causal": _said(True, "a causal attn_mask"),
        "bias": _said(biased, f"bias={biased}"),
    }


def _max_pooling(module: Any) -> Settings:
    return {"fill": _said("-inf", "padding by -inf"), "pools": _said("max", "the maximum")}


def _average_pooling(module: Any) -> Settings:
    return {"pools": _said("average", "the mean")}


def _global_max_pooling(module: Any) -> Settings:
    return {"pools": _said("max", "the maximum")}


def _padding(module: Any) -> Settings:
    """The widths are as Keras says them: the first axis first, as many on both sides as one number."""
    widths = tuple(module.padding)
    pairs = [widths[start : start + 2] for start in range(0, len(widths), 2)][::-1]
    value = tuple(one for one, _ in pairs) if all(one == other for one, other in pairs) else tuple(pairs)
    return {"padding": _said(value, f"padding={module.padding}")}


def _upsampling(module: Any) -> Settings:
    return {"corners": _said(bool(module.align_corners), f"align_corners={bool(module.align_corners)}")}


def _dropout(module: Any) -> Settings:
    whole = type(module).__name__ != "Dropout"
    return {"channels": _said(whole, type(module).__name__)}


MORE: dict[str, Callable[[Any], Settings]] = {
    "embedding": _embedding,
    "linear": _linear,
    "convolution": _convolution,
    "transposed convolution": _transposed_convolution,
    "batch normalization": _batch_normalization,
    "layer normalization": _layer_normalization,
    "group normalization": _affine,
    "lstm": _recurrent,
    "gru": _recurrent,
    "rnn": _recurrent,
    "attention": _attention,
    "max pooling": _max_pooling,
    "average pooling": _average_pooling,
    "global average pooling": _average_pooling,
    "global max pooling": _global_max_pooling,
    "padding": _padding,
    "upsampling": _upsampling,
    "dropout": _dropout,
}
