"""False alarms: right pairs of models, drawn at random, compared by `parity.compare`.

python -m benchmarks.alarms --examples N --seed S --dtype float32|float64|float16|bfloat16|mixed_float16|mixed_bfloat16

`--functions` has torch's activations, poolings and dropout computed by functions, as most models are written.
`--dtype float32-float16` and `float32-bfloat16` compare a model in float32 with its port to the other format.
`--inputs N` compares each pair on N random inputs besides, of up to as many examples as its own.
"""

from __future__ import annotations

import argparse
import traceback
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

import parity
from benchmarks.drawn import drawn
from parity.comparison.formats import NARROW
from parity.formats import DTYPES
from parity.frameworks.lazy import torch
from parity.inputs import Floats, Inputs, Integers, Size

MIXED = [f"mixed_{name}" for name in NARROW]
BESIDE = "float32-"  # a model in float32, with a port in the format that follows
CHOICES = (*DTYPES, *NARROW, *MIXED, *(BESIDE + name for name in NARROW))
FINER = 1 + 2.0**-14  # makes numbers that neither narrow format has


def outcome(seed: int, dtype: str, functions: bool, inputs: int = 0) -> tuple[str, str, float]:
    """What the pair of this seed came to: "held", "not judged" in part, "alarm" or "raised"; what was said, and the
    largest share used.
    """
    pair = drawn(seed, dtype.removeprefix(BESIDE))
    if functions:
        by_functions(pair.model)
    if dtype.startswith(BESIDE):
        pair.model.float()
        with torch.no_grad():
            for parameter in pair.model.parameters():
                parameter.mul_(FINER)
    try:
        more: dict[str, Any] = {"draws": declared(pair.inputs), "examples": inputs} if inputs else {}
        found = parity.compare(pair.model, pair.port, pair.inputs, **more)
    except Exception:  # whatever it is, it is told as what this pair came to
        return "raised", f"{pair.model}\n{traceback.format_exc()}", 0.0
    if found.passed and found.beyond:
        return "not judged", str(found), found.worst.share
    if found.passed:
        return "held", "", found.worst.share
    return "alarm", f"{pair.model}\n{found}", found.worst.share


def declared(inputs: Any) -> list[Inputs]:
    """Random inputs of as many examples as these or fewer, in their range."""
    given = list(map(np.asarray, inputs if isinstance(inputs, tuple | list) else [inputs]))
    examples = Size(1, len(given[0]))
    return [
        Floats(examples, *values.shape[1:])
        if values.dtype.kind == "f"
        else Integers(examples, *values.shape[1:], low=int(values.min()), high=int(values.max()))
        for values in given
    ]


def by_functions(model: Any) -> None:
    """Have the model compute by functions what it computes by layers that hold nothing."""
    functional = torch.nn.functional
    functions: dict[str, Callable[[Any, Any], Any]] = {
        "ReLU": lambda layer, x: functional.relu(x),
        "Tanh": lambda layer, x: torch.tanh(x),
        "GELU": lambda layer, x: functional.gelu(x, approximate=layer.approximate),
        "ELU": lambda layer, x: functional.elu(x, layer.alpha),
        "SiLU": lambda layer, x: functional.silu(x),
        "Sigmoid": lambda layer, x: x.sigmoid(),
        "Softplus": lambda layer, x: functional.softplus(x, layer.beta, layer.threshold),
        "LeakyReLU": lambda layer, x: functional.leaky_relu(x, layer.negative_slope),
        "Dropout": lambda layer, x: functional.dropout(x, layer.p, layer.training),
        "AvgPool2d": lambda layer, x: functional.avg_pool2d(x, layer.kernel_size),
        "MaxPool2d": lambda layer, x: functional.max_pool2d(x, layer.kernel_size),
        "ZeroPad2d": lambda layer, x: functional.pad(x, layer.padding),
        "Upsample": lambda layer, x: functional.interpolate(x, scale_factor=layer.scale_factor, mode=layer.mode),
        "AdaptiveAvgPool2d": lambda layer, x: functional.adaptive_avg_pool2d(x, layer.output_size),
    }

    class ByFunctions(torch.nn.Sequential):
        def forward(self, x: Any) -> Any:
            for layer in self:
                function = functions.get(type(layer).__name__)
                x = layer(x) if function is None else function(layer, x)
            return x

    for part in model.modules():
        if type(part) is torch.nn.Sequential:
            part.__class__ = ByFunctions


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alarms", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--examples", type=int, default=100, help="how many pairs")
    parser.add_argument("--seed", type=int, default=0, help="of the first; the next ones have the next")
    parser.add_argument("--dtype", choices=CHOICES, default=DTYPES[0])
    parser.add_argument("--functions", action="store_true", help="activations, poolings, dropout of torch's functions")
    parser.add_argument("--inputs", type=int, default=0, help="random inputs of each pair, besides its own")
    arguments = parser.parse_args()
    counted: Counter[str] = Counter()
    largest = 0.0
    for seed in range(arguments.seed, arguments.seed + arguments.examples):
        came_to, said, share = outcome(seed, arguments.dtype, arguments.functions, arguments.inputs)
        counted[came_to] += 1
        if came_to == "held":
            largest = max(largest, share)
        else:
            print(f"seed {seed}: {came_to}\n{said}", flush=True)
    told = ", ".join(f"{number} {came_to}" for came_to, number in counted.items())
    print(
        f"{arguments.examples} right pairs in {arguments.dtype}: {told}; the largest share of those held {largest:.2f}"
    )


if __name__ == "__main__":
    main()
