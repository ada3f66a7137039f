"""Small torch models that use what torch.nn has, and what one pass forward and backward of each computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from numpynet import Array
from parity.comparison.allowing import Allowances, widened
from parity.comparison.formats import Arithmetic
from parity.discovery import Lazy
from parity.frameworks.lazy import torch
from parity.rounding.errors import forward_pass

Compute = Callable[..., Any]
Key = TypeVar("Key")


def allowed(
    reference: dict[Key, Array], run: Callable[[], Mapping[Key, Array]], dtype: np.dtype[Any]
) -> tuple[dict[Key, Array], list[str]]:
    """The allowance of every tensor in `reference`, by a first look, and what has no model of rounding."""
    allowances = Allowances(reference, run, Arithmetic(dtype))
    for _ in widened(allowances, lambda: None):
        pass
    return allowances.bounds, allowances.unmodelled


nn: Any = Lazy("torch.nn")
functional: Any = Lazy("torch.nn.functional")


@dataclass(frozen=True)
class Animal:
    """A model, by what makes it, and its inputs: shapes of normal numbers, or lists of indices.

    training: the model's mode
    """

    make: Callable[[], Any]
    inputs: tuple[Any, ...] = ((5, 7),)
    training: bool = True

    def computed(self, dtype: np.dtype[Any]) -> dict[str, Array]:
        """The outputs, the gradients and the state after one pass, by name; each call computes the same."""
        torch.default_generator.manual_seed(1)  # of weights, which are float32's
        model = self.make().train(self.training).to(getattr(torch, dtype.name))
        rng = np.random.default_rng(2)
        inputs = [_input(rng, each, dtype) for each in self.inputs]
        torch.default_generator.manual_seed(3)  # of masks
        with forward_pass():
            outputs = _flat(model(*inputs))
        cotangents = [torch.from_numpy(_normal(rng, tuple(output.shape), dtype)) for output in outputs]
        torch.autograd.backward(outputs, cotangents)
        found = {f"output {number}": output for number, output in enumerate(outputs)}
        found |= {f"gradient of input {number}": tensor.grad for number, tensor in enumerate(inputs)}
        found |= {f"gradient of {name}": parameter.grad for name, parameter in model.named_parameters()}
        found |= {name: tensor for name, tensor in model.named_buffers() if tensor.is_floating_point()}
        return {name: tensor.detach().numpy().copy() for name, tensor in found.items() if tensor is not None}


def _normal(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    return rng.standard_normal(shape).astype(np.float32).astype(dtype)


def _input(rng: np.random.Generator, given: Any, dtype: np.dtype[Any]) -> Any:
    if isinstance(given, list):
        return torch.tensor(given)
    return torch.from_numpy(_normal(rng, given, dtype)).requires_grad_()


def _flat(outputs: Any) -> list[Any]:
    return [part for each in outputs for part in _flat(each)] if isinstance(outputs, tuple) else [outputs]


def function(compute: Callable[..., Any]) -> Callable[[], Any]:
    """What makes a module that computes a function of tensors."""

    def make() -> Any:
        module = torch.nn.Identity()
        module.forward = compute
        return module

    return make


def attention(**arguments: Any) -> Callable[[], Any]:
    """What makes a module that lets a sequence attend to itself."""

    def make() -> Any:
        module = torch.nn.Module()
        module.attention = torch.nn.MultiheadAttention(8, 2, batch_first=True)
        module.forward = lambda x: tuple(each for each in module.attention(x, x, x, **arguments) if each is not None)
        return module

    return make


def masked(scores: Any) -> Any:
    """Attention in which nobody looks ahead, its mask added as infinities."""
    ahead = torch.full((5, 5), -torch.inf, dtype=scores.dtype).triu(1)
    return torch.nn.functional.scaled_dot_product_attention(scores, scores, scores, attn_mask=ahead)


def classes() -> Any:
    return torch.tensor([0, 1, 2, 3, 4])


def whether(logits: Any) -> Any:
    return (logits.detach() > 0).to(logits.dtype)


def in_place(x: Any) -> Any:
    return x.clone().mul_(2.5).add_(x, alpha=0.3).abs_().addcmul_(x, x, value=-0.5).div_(3.0).clamp_(-1, 1)


def into_out(x: Any) -> Any:
    doubled = torch.add(x.detach(), x.detach(), out=torch.empty(0, dtype=x.dtype))
    return doubled * x


def into_a_view(x: Any) -> Any:
    buffer = torch.zeros_like(x)
    buffer[1:, ::2] = x[1:, ::2] * 3
    buffer.t()[0].add_(x[:, 1])
    return buffer


def rows(x: Any) -> Any:
    """Rows that are taken more than once, so that their gradients add up."""
    return x[torch.tensor([0, 0, 1, 4, 4])] * x


SEQUENCES, IMAGES = ((4, 6, 8),), ((2, 6, 8, 8),)


LOSSES: dict[str, Callable[..., Any]] = {
    "mse": lambda x: functional.mse_loss(x, 0.5 * x.detach()),
    "l1": lambda x: functional.l1_loss(x, torch.full_like(x, 0.1)),
    "smooth l1": lambda x: functional.smooth_l1_loss(x, 0.1 * x.detach()),
    "huber": lambda x: functional.huber_loss(x, 0.1 * x.detach(), delta=0.7),
    "cross entropy": lambda x: functional.cross_entropy(x, classes()),
    "cross entropy, smoothed": lambda x: functional.cross_entropy(x, classes(), label_smoothing=0.1),
    "cross entropy of rows": lambda x: functional.cross_entropy(x, torch.softmax(2 * x.detach(), -1)),
    "nll": lambda x: functional.nll_loss(x, classes()),
    "nll of images": lambda x: functional.nll_loss(x[None, :, :5, None], classes()[None, :, None]),
    "bce": lambda x: functional.binary_cross_entropy(torch.sigmoid(x), whether(x)),
    "bce of logits": lambda x: functional.binary_cross_entropy_with_logits(x, whether(x)),
    "kl": lambda x: functional.kl_div(x, torch.softmax(2 * x.detach(), -1), reduction="batchmean"),
    "hinge embedding": lambda x: functional.hinge_embedding_loss(x, x.detach().sign()),
    "margin ranking": lambda x: functional.margin_ranking_loss(x[0], x[1], x.detach()[2].sign()),
    "soft margin": lambda x: functional.soft_margin_loss(x, x.detach().sign()),
    "poisson nll": lambda x: functional.poisson_nll_loss(x, x.detach().abs()),
    "gaussian nll": lambda x: functional.gaussian_nll_loss(x, 0.5 * x.detach(), x.abs() + 0.1),
    "triplet": lambda x: functional.triplet_margin_loss(x[:2], x[1:3], x[3:]),
    "cosine embedding": lambda x: functional.cosine_embedding_loss(x[:2], x[2:4], torch.tensor([1, -1])),
    "multilabel soft margin": lambda x: functional.multilabel_soft_margin_loss(x, whether(x)),
}
OPERATIONS: dict[str, Callable[..., Any]] = {
    "variance": lambda x: x.var(0),
    "standard deviation": lambda x: x.std(),
    "logsumexp": lambda x: x.logsumexp(1),
    "norm": lambda x: x.norm(dim=1),
    "einsum": lambda x: torch.einsum("ij,kj->ik", x, x),
    "cumsum": lambda x: x.cumsum(0),
    "prod": lambda x: x.prod(1),
    "cumprod": lambda x: x.cumprod(1),
    "lerp": lambda x: torch.lerp(x, x * x, 0.3),
    "rows": rows,
    "gather": lambda x: x.gather(1, classes()[:, None].expand(5, 5) % 2),
    "index_add": lambda x: torch.zeros(3, 7, dtype=x.dtype).index_add(0, classes() % 3, x),
    "power": lambda x: x.abs() ** 1.7 + torch.pow(x.abs(), x),
    "addcmul": lambda x: torch.addcmul(x, x, x, value=0.3),
    "addcdiv": lambda x: torch.addcdiv(x, x, x.exp(), value=-0.3),
    "multiples": lambda x: torch.sub(x, x * x, alpha=0.7) + torch.rsub(x, 1.5, alpha=-0.7),
    "baddbmm": lambda x: torch.baddbmm(x[None, :, :5], x[None], x.t()[None], beta=-1, alpha=2),
    "weight norm": lambda x: torch._weight_norm(x, x.detach().norm(dim=1, keepdim=True) * 2, 0),
    "median": lambda x: x.median(1).values,
    "windows": lambda x: x.unfold(1, 3, 1).mean(-1),
    "in place": in_place,
    "out": into_out,
    "into a view": into_a_view,
    "mask of infinities": masked,
}
ZOO = {
    "Linear": Animal(lambda: nn.Linear(7, 3)),
    "Conv1d": Animal(lambda: nn.Conv1d(6, 4, 3), SEQUENCES),
    "Conv2d": Animal(lambda: nn.Conv2d(6, 4, 3, 2, 1, groups=2), IMAGES),
    "Conv2d, no bias": Animal(lambda: nn.Conv2d(6, 4, 3, bias=False, dilation=2), IMAGES),
    "Conv3d": Animal(lambda: nn.Conv3d(2, 3, 2), ((2, 2, 4, 5, 4),)),
    "ConvTranspose2d": Animal(lambda: nn.ConvTranspose2d(6, 4, 3, 2, 1), IMAGES),
    "BatchNorm1d": Animal(lambda: nn.BatchNorm1d(7)),
    "BatchNorm2d": Animal(lambda: nn.BatchNorm2d(6), IMAGES),
    "BatchNorm2d in evaluation": Animal(lambda: nn.BatchNorm2d(6), IMAGES, training=False),
    "LayerNorm": Animal(lambda: nn.LayerNorm(7)),
    "GroupNorm": Animal(lambda: nn.GroupNorm(2, 6), IMAGES),
    "InstanceNorm2d": Animal(lambda: nn.InstanceNorm2d(6, affine=True), IMAGES),
    "LocalResponseNorm": Animal(lambda: nn.LocalResponseNorm(2), IMAGES),
    "GELU": Animal(lambda: nn.GELU()),
    "GELU, tanh": Animal(lambda: nn.GELU("tanh")),
    "SiLU": Animal(lambda: nn.SiLU()),
    "Mish": Animal(lambda: nn.Mish()),
    "Hardswish": Animal(lambda: nn.Hardswish()),
    "Hardsigmoid": Animal(lambda: nn.Hardsigmoid()),
    "Softplus": Animal(lambda: nn.Softplus()),
    "ELU": Animal(lambda: nn.ELU()),
    "CELU": Animal(lambda: nn.CELU(0.5)),
    "SELU": Animal(lambda: nn.SELU()),
    "Softmax": Animal(lambda: nn.Softmax(-1)),
    "LogSoftmax": Animal(lambda: nn.LogSoftmax(-1)),
    "PReLU": Animal(lambda: nn.PReLU()),
    "LeakyReLU": Animal(lambda: nn.LeakyReLU()),
    "RReLU": Animal(lambda: nn.RReLU()),
    "Sigmoid": Animal(lambda: nn.Sigmoid()),
    "LogSigmoid": Animal(lambda: nn.LogSigmoid()),
    "Tanhshrink": Animal(lambda: nn.Tanhshrink()),
    "Softshrink": Animal(lambda: nn.Softshrink()),
    "Softsign": Animal(lambda: nn.Softsign()),
    "GLU": Animal(lambda: nn.GLU(), SEQUENCES),
    "Dropout": Animal(lambda: nn.Dropout(0.3)),
    "AlphaDropout": Animal(lambda: nn.AlphaDropout(0.3)),
    "MaxPool2d": Animal(lambda: nn.MaxPool2d(3, 2, 1), IMAGES),
    "AvgPool1d": Animal(lambda: nn.AvgPool1d(2), SEQUENCES),
    "AvgPool2d": Animal(lambda: nn.AvgPool2d(3, 2, 1), IMAGES),
    "AdaptiveAvgPool2d": Animal(lambda: nn.AdaptiveAvgPool2d(3), IMAGES),
    "AdaptiveMaxPool2d": Animal(lambda: nn.AdaptiveMaxPool2d(3), IMAGES),
    "LPPool2d": Animal(lambda: nn.LPPool2d(2, 2), IMAGES),
    "LSTM": Animal(lambda: nn.LSTM(8, 5, 2, batch_first=True, bidirectional=True), SEQUENCES),
    "GRU": Animal(lambda: nn.GRU(8, 5), SEQUENCES),
    "RNN": Animal(lambda: nn.RNN(8, 5), SEQUENCES),
    "LSTMCell": Animal(lambda: nn.LSTMCell(7, 4)),
    "GRUCell": Animal(lambda: nn.GRUCell(7, 4)),
    "attention": Animal(attention(), SEQUENCES),
    "attention without weights": Animal(attention(need_weights=False), SEQUENCES),
    "attention in evaluation": Animal(attention(need_weights=False), SEQUENCES, training=False),
    "encoder": Animal(lambda: nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True), SEQUENCES),
    "encoder in evaluation": Animal(
        lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), SEQUENCES, training=False
    ),
    "decoder": Animal(lambda: nn.TransformerDecoderLayer(8, 2, 16, 0.0, activation="gelu"), ((4, 6, 8), (5, 6, 8))),
    "Embedding": Animal(lambda: nn.Embedding(5, 3), ([[0, 1, 1], [4, 4, 4]],)),
    "EmbeddingBag": Animal(lambda: nn.EmbeddingBag(5, 3, mode="sum"), ([[0, 1, 1], [4, 4, 4]],)),
    "EmbeddingBag of means": Animal(lambda: nn.EmbeddingBag(5, 3), ([[0, 1, 1], [4, 4, 4]],)),
    "Bilinear": Animal(lambda: nn.Bilinear(7, 7, 3), ((5, 7), (5, 7))),
    "PixelShuffle": Animal(lambda: nn.PixelShuffle(2), ((1, 4, 3, 3),)),
    "Upsample": Animal(lambda: nn.Upsample(scale_factor=2), IMAGES),
    "Upsample, linear": Animal(lambda: nn.Upsample(scale_factor=3, mode="linear"), SEQUENCES),
    "Upsample, bilinear": Animal(lambda: nn.Upsample(scale_factor=2, mode="bilinear"), IMAGES),
    "Upsample, many rows": Animal(lambda: nn.Upsample((333, 7), mode="bilinear"), ((1, 1, 100, 3),)),
    "Upsample, corners": Animal(lambda: nn.Upsample((13, 11), mode="bilinear", align_corners=True), IMAGES),
    "Upsample, bicubic": Animal(lambda: nn.Upsample(scale_factor=1.7, mode="bicubic"), IMAGES),
    "CosineSimilarity": Animal(lambda: nn.CosineSimilarity(), ((5, 7), (5, 7))),
    "Fold": Animal(lambda: nn.Fold((4, 4), 2), ((1, 8, 9),)),
    "ReflectionPad2d": Animal(lambda: nn.ReflectionPad2d(1), IMAGES),
    "MLP": Animal(lambda: nn.Sequential(nn.Linear(7, 32), nn.GELU(), nn.Linear(32, 32), nn.GELU())),
    **{name: Animal(function(compute)) for name, compute in (LOSSES | OPERATIONS).items()},
}
