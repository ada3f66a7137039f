"""Mistakes in recurrent networks: gates, biases, their functions, and the direction of time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from numpynet import Array
from parity.comparison.gallery.mistake import Mistake, Twin, normal, rearranged
from parity.frameworks.lazy import keras, torch


def _in_torch(kind: str) -> Any:
    nn = torch.nn

    class Recurrent(nn.Module):  # type: ignore[name-defined]
        """One recurrent layer, and a head on its last state."""

        def __init__(self) -> None:
            super().__init__()
            self.recurrent, self.head = getattr(nn, kind)(4, 6, batch_first=True), nn.Linear(6, 3)

        def forward(self, x: Any) -> Any:
            return self.head(self.recurrent(x)[0][:, -1])

    return Recurrent()


def _in_keras(kind: str, **changes: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((7, 4)),
            getattr(layers, kind)(6, return_sequences=True, name="recurrent", **changes),
            layers.Lambda(lambda x: x[:, -1]),
            layers.Dense(3, name="head"),
        ]
    )


LSTM = Twin("LSTM", lambda: _in_torch("LSTM"), lambda **changes: _in_keras("LSTM", **changes), normal(4, 7, 4))
GRU = Twin("GRU", lambda: _in_torch("GRU"), lambda **changes: _in_keras("GRU", **changes), normal(4, 7, 4))


def gates(*order: int) -> Any:
    """The columns of all weights with the gates in this order."""

    def make(held: list[Array]) -> list[Array]:
        parts = [np.split(one, len(order), axis=-1) for one in held]
        return [np.concatenate([part[gate] for gate in order], axis=-1) for part in parts]

    return make


def _bias_of_input_alone(model: Any, port: Any) -> None:
    """torch's first bias alone."""
    port.get_layer("recurrent").cell.bias.assign(model.recurrent.bias_ih_l0.detach().numpy())


def _summed(held: list[Array]) -> list[Array]:
    """Both biases of a GRU added up in the first."""
    *kernels, biases = held
    return [*kernels, np.stack([biases[0] + biases[1], np.zeros_like(biases[1])])]


def _trained(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Callable[[], Mapping[str, Any]]:
    """Makes both learn one of three classes by cross-entropy, with these arguments in torch and in Keras."""

    def training() -> Mapping[str, Any]:
        rng = np.random.default_rng(0)
        batches = [(rng.standard_normal((4, 7, 4)).astype(np.float32), np.eye(3, dtype=np.float32)[[0, 1, 2, 1]])]
        return {
            "optimizers": (lambda parameters: torch.optim.SGD(parameters, 0.1), keras.optimizers.SGD(0.1)),
            "batches": 2 * batches,
            "loss": (torch.nn.CrossEntropyLoss(**ours), keras.losses.CategoricalCrossentropy(**theirs)),
        }

    return training


MISTAKES = [
    Mistake(
        "label-smoothing-forgotten",
        GRU,
        "A loss without the label smoothing of the original's",
        "https://github.com/keras-team/keras/issues/23487",
        "",
        "label smoothing",
        training=_trained({"label_smoothing": 0.1}, {"from_logits": True}),
    ),
    Mistake(
        "loss-of-probabilities",
        GRU,
        "Keras' default from_logits=False for a model that hands on logits",
        "https://github.com/keras-team/keras/issues/17634",
        "",
        "logits",
        training=_trained({}, {}),
    ),
    Mistake(
        "loss-summed",
        GRU,
        "A loss summed over the batch for its mean",
        "https://github.com/soobinseo/Attentive-Neural-Process/issues/1",
        "",
        "reduction",
        training=_trained({}, {"from_logits": True, "reduction": "sum"}),
    ),
    Mistake(
        "lstm-hard-sigmoid",
        LSTM,
        "Gates by the hard sigmoid, which was Keras' default before 2.3",
        "https://github.com/minimaxir/textgenrnn/issues/153",
        "recurrent",
        "gate activation",
        {"recurrent_activation": "hard_sigmoid"},
    ),
    Mistake(
        "lstm-relu",
        LSTM,
        "ReLU for the tanh of the state",
        "https://github.com/samialabed/method-name-prediction/issues/2",
        "recurrent",
        "state activation",
        {"activation": "relu"},
    ),
    Mistake(
        "lstm-activations-exchanged",
        LSTM,
        "The activation of the gates and that of the state exchanged",
        "https://github.com/tflearn/tflearn/pull/200",
        "recurrent",
        "state activation and gate activation",
        {"activation": "sigmoid", "recurrent_activation": "tanh"},
    ),
    Mistake(
        "lstm-backwards",
        LSTM,
        "A layer that goes backwards in time",
        "https://github.com/apache/tvm/issues/15176",
        "recurrent",
        "direction",
        {"go_backwards": True},
    ),
    Mistake(
        "lstm-without-bias",
        LSTM,
        "A layer without biases",
        "https://github.com/keras-team/keras/issues/10179",
        "recurrent",
        "bias",
        {"use_bias": False},
    ),
    Mistake(
        "lstm-gate-order",
        LSTM,
        "Gates in the order i, f, o, g, as other libraries have them",
        "https://github.com/keras-team/keras/issues/3088",
        "recurrent",
        "weights",
        convert=rearranged("recurrent", gates(0, 1, 3, 2)),
    ),
    Mistake(
        "lstm-bias-of-input-alone",
        LSTM,
        "The first of torch's two biases where their sum is wanted",
        "https://github.com/pytorch/pytorch/issues/750",
        "recurrent",
        "weights",
        convert=_bias_of_input_alone,
    ),
    Mistake(
        "gru-reset-before",
        GRU,
        "The reset gate ahead of the product, as in Keras 1 and 2's default, where torch has it behind",
        "https://github.com/keras-team/keras/pull/9112",
        "recurrent",
        "reset after",
        {"reset_after": False},
    ),
    Mistake(
        "gru-hard-sigmoid",
        GRU,
        "Gates by the hard sigmoid",
        "https://github.com/keras-team/keras/pull/9181",
        "recurrent",
        "gate activation",
        {"recurrent_activation": "hard_sigmoid"},
    ),
    Mistake(
        "gru-backwards",
        GRU,
        "A layer that goes backwards in time",
        "https://github.com/tensorflow/tensorflow/issues/40345",
        "recurrent",
        "direction",
        {"go_backwards": True},
    ),
    Mistake(
        "gru-gate-order",
        GRU,
        "torch's order of the gates, r, z, n, where Keras has z, r, n",
        "https://github.com/keras-team/keras/issues/15915",
        "recurrent",
        "weights",
        convert=rearranged("recurrent", gates(1, 0, 2)),
    ),
    Mistake(
        "gru-biases-summed",
        GRU,
        "torch's two biases added up in one, as an LSTM's may be",
        "https://github.com/onnx/keras-onnx/pull/33",
        "recurrent",
        "weights",
        convert=rearranged("recurrent", _summed),
    ),
]
