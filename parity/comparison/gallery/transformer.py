"""Mistakes in a transformer: masks, heads, scales, packed weights, and where normalisation goes."""

from __future__ import annotations

from typing import Any

import numpy as np

from numpynet import Array
from parity.comparison.gallery.mistake import Mistake, Twin, rearranged
from parity.frameworks.lazy import keras, torch


def in_torch() -> Any:
    nn = torch.nn

    class Transformer(nn.Module):  # type: ignore[name-defined]
        """A block that attends to what is no padding, and one attention that is causal."""

        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(11, 8, padding_idx=0)
            self.norm1, self.attention = nn.LayerNorm(8), nn.MultiheadAttention(8, 2, batch_first=True)
            self.norm2, self.wide, self.gelu, self.narrow = (
                nn.LayerNorm(8),
                nn.Linear(8, 32),
                nn.GELU(),
                nn.Linear(32, 8),
            )
            self.causal = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, tokens: Any) -> Any:
            x = self.embedding(tokens)
            y = self.norm1(x)
            x = x + self.attention(y, y, y, key_padding_mask=tokens == 0, need_weights=False)[0]
            x = x + self.narrow(self.gelu(self.wide(self.norm2(x))))
            later = torch.ones(tokens.shape[1], tokens.shape[1], dtype=torch.bool).triu(1)
            return self.causal(x, x, x, attn_mask=later, need_weights=False)[0]

    return Transformer()


def padded_embedding() -> Any:
    """An embedding that does not train its first row, as torch's does not with padding_idx=0."""

    class Embedding(keras.layers.Embedding):
        def call(self, inputs: Any) -> Any:
            rows = keras.ops.convert_to_tensor(self.embeddings)
            rows = keras.ops.concatenate([keras.ops.stop_gradient(rows[:1]), rows[1:]])
            return keras.ops.take(rows, inputs, axis=0)

    return Embedding


def in_keras(
    padding: Any = None,
    eps: float = 1e-5,
    heads: int = 2,
    size: int = 4,
    scale: float | None = None,
    before: bool = True,
    gelu: Any = None,
    causal: bool = True,
    trained: bool = False,
) -> Any:
    layers = keras.layers
    tokens = keras.Input((7,), dtype="int64")
    seen = (padding or keras.ops.not_equal)(tokens, 0)[:, None, :]
    x = (layers.Embedding if trained else padded_embedding())(11, 8, name="embedding")(tokens)
    norm1 = layers.LayerNormalization(epsilon=1e-5, name="norm1")
    attention = layers.MultiHeadAttention(heads, size, name="attention")
    if scale is not None:
        attention._inverse_sqrt_key_dim = scale
    y = norm1(x) if before else x
    y = x + attention(y, y, attention_mask=seen)
    x = y if before else norm1(y)
    y = layers.LayerNormalization(epsilon=eps, name="norm2")(x)
    y = layers.Dense(32, activation=gelu or keras.activations.gelu, name="wide")(y)
    x = x + layers.Dense(8, name="narrow")(y)
    return keras.Model(tokens, layers.MultiHeadAttention(2, 4, name="causal")(x, x, use_causal_mask=causal))


def tokens(rng: np.random.Generator) -> Array:
    """Sentences of different lengths, which padding fills up."""
    drawn = rng.integers(1, 11, (4, 7))
    drawn[1, 4:] = drawn[2, 2:] = 0
    return drawn


TWIN = Twin("transformer", in_torch, in_keras, tokens)


def interleaved(held: list[Array]) -> list[Array]:
    """The kernels as if the rows of each head were not side by side, (width, size, heads)."""
    return [
        one.reshape(8, 4, 2).swapaxes(1, 2) if one.shape == (8, 2, 4) else one.reshape(4, 2).T if one.ndim == 2 else one
        for one in held
    ]


def key_for_query(held: list[Array]) -> list[Array]:
    """Query, key and value taken from the packed matrix in the order key, query, value."""
    return [*held[2:4], *held[:2], *held[4:]]


MISTAKES = [
    Mistake(
        "padding-mask-inverted",
        TWIN,
        "torch's mask, True where it is left out, as Keras' mask, True where it is attended to",
        "https://github.com/tensorflow/tensorflow/issues/45854",
        "attention",
        "mask",
        {"padding": lambda tokens, zero: keras.ops.equal(tokens, zero)},
    ),
    Mistake(
        "causal-mask-forgotten",
        TWIN,
        "An attention that sees what comes later",
        "https://github.com/keras-team/keras/issues/21284",
        "causal",
        "causal",
        {"causal": False},
    ),
    Mistake(
        "attention-heads",
        TWIN,
        "Another number of heads of the same width together, which the shapes of torch's weights do not tell",
        "https://github.com/keras-team/keras/issues/18373",
        "attention",
        "heads",
        {"heads": 4, "size": 2},
    ),
    Mistake(
        "attention-key-dim",
        TWIN,
        "The whole width as key_dim, which is that of one head",
        "https://github.com/keras-team/keras-io/issues/1184",
        "attention",
        "head size",
        {"size": 8},
    ),
    Mistake(
        "attention-scale-of-width",
        TWIN,
        "Scores divided by the root of the whole width, not of one head's",
        "https://github.com/lucidrains/vit-pytorch/issues/65",
        "attention",
        "scale",
        {"scale": 8**-0.5},
    ),
    Mistake(
        "attention-not-scaled",
        TWIN,
        "Scores that are not scaled",
        "https://github.com/mlc-ai/mlc-llm/pull/3426",
        "attention",
        "scale",
        {"scale": 1.0},
    ),
    Mistake(
        "attention-key-for-query",
        TWIN,
        "The packed matrix split in the order key, query, value",
        "https://github.com/huggingface/transformers/pull/21519",
        "attention",
        "weights",
        convert=rearranged("attention", key_for_query),
    ),
    Mistake(
        "attention-heads-interleaved",
        TWIN,
        "The packed matrix reshaped to (width, size, heads), not (width, heads, size)",
        "https://github.com/awslabs/slapo/pull/46",
        "attention",
        "weights",
        convert=rearranged("attention", interleaved),
    ),
    Mistake(
        "norm-behind-for-ahead",
        TWIN,
        "Layer normalisation behind the sum, where the original has it ahead of the attention",
        "https://github.com/SHI-Labs/Compact-Transformers/issues/25",
        "",
        "",
        {"before": False},
    ),
    Mistake(
        "layer-norm-eps-1e-12",
        TWIN,
        "BERT's epsilon of 1e-12 for 1e-5",
        "https://github.com/huggingface/transformers/pull/585",
        "norm2",
        "eps",
        {"eps": 1e-12},
    ),
    Mistake(
        "gelu-by-sigmoid",
        TWIN,
        "x * sigmoid(1.702 x), which is called quick GELU, for GELU",
        "https://github.com/tinygrad/tinygrad/pull/526",
        "wide",
        "activation",
        {"gelu": lambda x: x * keras.ops.sigmoid(1.702 * x)},
    ),
    Mistake(
        "embedding-padding-trained",
        TWIN,
        "The row of the padding, which torch does not train, trained: a difference in its gradient alone",
        "https://github.com/keras-team/keras/issues/5392",
        "embedding",
        "padding row",
        {"trained": True},
    ),
]
