"""One training step of 784-128-128-10, batch 128, SGD with momentum, in each library's straightforward way.

All have the same weights and batches; batches are made before the clock starts, as each library's own tensors.

    python -m benchmarks.step THREADS DTYPE ROUNDS
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from itertools import cycle
from typing import Any

import numpy as np

import parity
from benchmarks.sheets import PRODUCTS
from benchmarks.timing import interleaved, microseconds, ratios
from numpynet import SGD, Array, Linear, LogSoftMax, Module, NLLCriterion, ReLU, Sequential
from numpynet.training import Trainer
from parity.frameworks import available
from parity.frameworks.lazy import keras, tf, torch

LR, MOMENTUM, BATCH = 0.01, 0.9, 128
SIZES = ((784, 128), (128, 128), (128, 10))
Batches = list[tuple[Array, Array]]
Step = Callable[[], float]
Contender = Callable[[Sequential, Batches, float], Step]


def network(dtype: str) -> Sequential:
    rng = np.random.default_rng(0)
    first, second, third = (Linear(*size, rng=rng, dtype=dtype) for size in SIZES)
    return Sequential(first, ReLU(), second, ReLU(), third, LogSoftMax())


def products(dtype: str) -> Step:
    """A call that does the step's eight products of matrices alone, in the orientations in which numpynet does them.

    Their operands and the arrays for their results are made before.
    """
    rng = np.random.default_rng(2)

    def matrix(*shape: int) -> Array:
        return rng.standard_normal(shape).astype(dtype)

    pairs = []
    for index, (inputs, outputs) in enumerate(SIZES):
        x, weight, gradient = matrix(BATCH, inputs), matrix(outputs, inputs), matrix(BATCH, outputs)
        pairs += [(x, weight.T), (gradient.T, x)]
        pairs += [(gradient, weight)] if index else []  # nobody asks for the images' gradient
    made = [(a, b, np.empty((len(a), b.shape[1]), dtype)) for a, b in pairs]
    return lambda: float(sum(np.matmul(a, b, out=out)[0, 0] for a, b, out in made))


def numpynet_loop(model: Module, batches: Batches, momentum: float) -> Step:
    criterion, optimizer = NLLCriterion(), SGD(model.parameters(), LR, momentum)
    turn = cycle(batches)

    def step() -> float:
        inputs, targets = next(turn)
        optimizer.zero_grad()
        loss = criterion(model(inputs), targets)
        model.accumulate(criterion.backward())
        optimizer.step()
        return float(loss)

    return step


def numpynet_trainer(model: Module, batches: Batches, momentum: float) -> Step:
    trainer, turn = Trainer(model, NLLCriterion(), SGD(model.parameters(), LR, momentum)), cycle(batches)
    return lambda: trainer.step(*next(turn))


def torch_eager(model: Module, batches: Batches, momentum: float, compiled: bool = False) -> Step:
    net, criterion = parity.to_torch(model), torch.nn.NLLLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=LR, momentum=momentum)
    turn = cycle([(torch.from_numpy(inputs), torch.from_numpy(targets)) for inputs, targets in batches])

    def loss_of(inputs: Any, targets: Any) -> Any:
        return criterion(net(inputs), targets)

    forward = torch.compile(loss_of) if compiled else loss_of

    def step() -> float:
        inputs, targets = next(turn)
        optimizer.zero_grad()
        loss = forward(inputs, targets)
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


def torch_compiled(model: Module, batches: Batches, momentum: float) -> Step:
    return torch_eager(model, batches, momentum, compiled=True)


def tensorflow_function(model: Sequential, batches: Batches, momentum: float) -> Step:
    """A step in TensorFlow that takes the loss of logits, as its users write it, compiled by tf.function.

    Its fused loss is faster than log-softmax and a sum.
    """
    keras.config.set_floatx(batches[0][0].dtype.name)
    net = parity.to_tensorflow(Sequential(*model.modules[:-1]))
    criterion = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.SGD(LR, momentum=momentum)
    optimizer.build(net.trainable_variables)
    turn = cycle([(tf.constant(inputs), tf.constant(targets)) for inputs, targets in batches])

    @tf.function  # type: ignore[untyped-decorator]  # TensorFlow's types are not read
    def compiled(inputs: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = criterion(targets, net(inputs, training=True))
        optimizer.apply_gradients(
            zip(tape.gradient(loss, net.trainable_variables), net.trainable_variables, strict=True)
        )
        return loss

    return lambda: float(compiled(*next(turn)))


CONTENDERS: dict[str, Contender] = {
    "numpynet": numpynet_loop,
    "numpynet Trainer": numpynet_trainer,
    "torch": torch_eager,
    "torch compiled": torch_compiled,
    "tensorflow": tensorflow_function,
}


def use_threads(number: int) -> None:
    """Make the libraries that are installed use so many threads; NumPy's are set by the environment."""
    if "torch" in available():
        torch.set_num_threads(number)
    if "tensorflow" in available():
        tf.config.threading.set_intra_op_parallelism_threads(number)
        tf.config.threading.set_inter_op_parallelism_threads(number)


def contenders(threads: int) -> dict[str, Contender]:
    """The contenders whose library is installed, each set to use so many threads."""
    use_threads(threads)
    able = {name: step for name, step in CONTENDERS.items() if name.split()[0] in ("numpynet", *available())}
    if shutil.which("c++") is None:  # which torch compiles with
        able.pop("torch compiled", None)
    return able


def agreeing(steps: dict[str, Step]) -> dict[str, Step]:
    """The steps themselves, after 20 of each; raises AssertionError where the contenders' losses then differ."""
    losses = {name: [step() for _ in range(20)][-1] for name, step in steps.items()}
    if not np.allclose(list(losses.values()), losses["numpynet"], rtol=1e-3):
        raise AssertionError(f"the contenders do not compute the same: losses after 20 steps {losses}")
    return steps


def compared(seconds: dict[str, list[float]]) -> dict[str, Any]:
    """The microseconds of every contender, and numpynet's ratios to its peers."""
    return {
        "microseconds": microseconds(seconds),
        "ratios": {
            f"{name} / {peer}": ratios(seconds, name, peer)
            for name in ("numpynet", "numpynet Trainer")
            for peer in ("torch", "torch compiled", "tensorflow", PRODUCTS)
            if peer in seconds
        },
    }


def measure(threads: int, dtype: str, rounds: int) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    batches = [(rng.random((BATCH, 784)).astype(dtype), rng.integers(0, 10, BATCH)) for _ in range(8)]
    steps = agreeing({name: make(network(dtype), batches, MOMENTUM) for name, make in contenders(threads).items()})
    return {"threads": threads, "dtype": dtype, **compared(interleaved({**steps, PRODUCTS: products(dtype)}, rounds))}


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))
