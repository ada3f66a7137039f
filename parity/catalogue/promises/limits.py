"""The limits of arguments: at each boundary that a docstring states, on both sides of it, and of a wrong type.

A limit is a condition, as in "for axes < 1" or "unless 0 <= p < 1". The values that are tried follow from its numbers,
and what must become of each of them from the condition itself.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import numpynet as nn
from parity.catalogue.promises.promise import Promise, Try, kept

TOPIC = "limits"
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Limit:
    """The condition on which a class refuses an argument.

    condition: "for" what is refused, or "unless" what is accepted, in Python
    said: how the docstring of the class, or of one that it is derived from, words it; the condition itself if empty
    whole: whether the argument is an integer, whose neighbours are the next integers
    strict: whether whatever is no integer is refused
    given: the other arguments that matter
    """

    of: type
    argument: str
    condition: str
    said: str = ""
    whole: bool = False
    strict: bool = False
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return ", ".join(
            [f"{self.of.__name__}.{self.argument}", *(f"{name}={self.given[name]}" for name in self.given)]
        )

    @property
    def wording(self) -> str:
        return self.said or self.condition

    def refused(self, value: Any) -> bool:
        """Tells whether the docstring says that this value is refused."""
        kind, _, condition = self.condition.partition(" ")
        holds = bool(eval(condition, {}, {**self.given, self.argument: value}))
        return holds if kind == "for" else not holds

    def values(self) -> Iterator[Any]:
        """Yields each boundary with its neighbours; of a real number also the least, the largest and NaN."""
        for number in sorted(set(map(float, NUMBER.findall(self.condition)))):
            if self.whole:
                yield from (int(number) - 1, int(number), int(number) + 1)
            else:
                yield from (np.nextafter(number, -math.inf).item(), number, np.nextafter(number, math.inf).item())
        if not self.whole:
            yield from (-math.inf, math.inf, math.nan)

    def tries(self) -> Iterator[Try]:
        """Yields a try for each value, and for what is no number, or no integer, at all."""
        for value in self.values():
            yield self._try(value, self.refused(value), self.of.__name__)
        for value in ("1", {}, *((1.5, (1,), (1, 1, 1)) if self.strict else ())):
            yield self._try(value, True, None)

    def _try(self, value: Any, refused: bool, names: str | None) -> Try:
        arguments = {**NEEDED.get(self.of, {}), **self.given, self.argument: value}
        return Try(f"{self.of.__name__} with {self.argument}={value!r}", lambda: self.of(**arguments), refused, names)


# What has to be given besides the argument that is tried.
NEEDED: dict[type, dict[str, Any]] = {
    nn.Linear: {"in_features": 2, "out_features": 2},
    nn.Conv2d: {"in_channels": 2, "out_channels": 2, "kernel_size": 3},
    nn.BatchNormalization: {"num_features": 2},
    nn.GroupNormalization: {"groups": 1},
    nn.MaxPool2d: {"kernel_size": 4},
    nn.AvgPool2d: {"kernel_size": 4},
}
RULES = {
    nn.SGD: ("lr momentum weight_decay", "a negative lr, momentum or weight_decay"),
    nn.Adam: ("lr eps weight_decay", "lr, eps and weight_decay are not negative"),
    nn.AdamW: ("lr eps weight_decay", "lr, eps and weight_decay are not negative"),
    nn.RMSprop: ("lr eps weight_decay momentum", "lr, eps, weight_decay and momentum are not negative"),
    nn.Adagrad: (
        "lr eps weight_decay initial_accumulator",
        "lr, eps, weight_decay and `initial_accumulator` are not negative",
    ),
}
NEEDED |= {rule: {"parameters": [nn.Parameter(np.ones(1))], "lr": 0.5} for rule in RULES}
SMOOTHED = (nn.NLLCriterion, nn.NLLCriterionUnstable, nn.CrossEntropyCriterion)
CLIPS = (nn.ClipByValue, nn.ClipByNorm, nn.ClipByGlobalNorm)


def _size(of: type, least: int, *names: str) -> list[Limit]:
    """The limits of sizes of windows, each of which is an integer of at least `least`."""
    return [Limit(of, name, f"for {name} < {least}", "where a size is too small", True, True) for name in names]


def _pool(of: type) -> list[Limit]:
    """The limits of a pooling, which is padded by at most half of its window, of 4 or 3."""
    small, padded = "a size that is too small", "for more padding"
    return [
        Limit(of, "kernel_size", "for kernel_size < 1", small, True, True),
        Limit(of, "stride", "for stride < 1", small, True, True),
        Limit(of, "padding", "unless 0 <= padding <= 2", padded, True, True),
        Limit(of, "padding", "unless 0 <= padding <= 1", padded, True, True, {"kernel_size": 3}),
    ]


LIMITS = [
    Limit(nn.Linear, "out_features", "for out_features < 0", whole=True, strict=True),
    Limit(nn.Linear, "in_features", "for in_features < 1", whole=True, strict=True),
    *_size(nn.Conv2d, 1, "kernel_size", "stride", "dilation"),
    *_size(nn.Conv2d, 0, "padding"),
    *_pool(nn.MaxPool2d),
    *_pool(nn.AvgPool2d),
    Limit(nn.ZeroPad2d, "padding", "for padding < 0", "for a negative width", True, True),
    Limit(nn.Maxout, "pieces", "for pieces < 1", whole=True, strict=True),
    *(
        Limit(of, "num_features", "for num_features < 0", "where num_features is no integer of at least 0", True, True)
        for of in (nn.BatchNormalization, nn.PReLU, nn.Scaling)
    ),
    Limit(nn.BatchNormalization, "eps", "unless eps >= 0"),
    Limit(nn.LayerNormalization, "eps", "unless eps >= 0"),
    Limit(nn.LayerNormalization, "axes", "for axes < 1", whole=True, strict=True),
    Limit(nn.GroupNormalization, "eps", "unless eps >= 0"),
    Limit(nn.GroupNormalization, "groups", "for groups < 1", whole=True, strict=True),
    Limit(nn.Dropout, "p", "unless 0 <= p < 1"),
    Limit(nn.HuberCriterion, "delta", "unless delta > 0"),
    *(
        Limit(of, "label_smoothing", "unless 0 <= label_smoothing <= 1", "a label_smoothing outside [0, 1]")
        for of in SMOOTHED
    ),
    *(Limit(clip, "limit", "unless limit > 0", "unless `limit` > 0") for clip in CLIPS),
    *(
        Limit(rule, name, f"unless {name} >= 0", said)
        for rule, (names, said) in RULES.items()
        for name in names.split()
    ),
    *(
        Limit(rule, beta, f"unless 0 <= {beta} < 1", "unless both betas are in [0, 1)")
        for rule in (nn.Adam, nn.AdamW)
        for beta in ("beta1", "beta2")
    ),
    Limit(nn.RMSprop, "alpha", "unless 0 <= alpha < 1", "unless alpha is in [0, 1)"),
    Limit(nn.SGD, "momentum", "unless momentum > 0", "for Nesterov without momentum", given={"nesterov": True}),
    Limit(
        nn.SGD,
        "dampening",
        "unless dampening == 0",
        "for Nesterov without momentum or with dampening",
        given={"nesterov": True, "momentum": 0.5},
    ),
]
# What has no limit: any number is taken, or its sense is in the call (inputs.py), or in other numbers.
UNLIMITED = {
    "ELU.alpha": "any slope of the tail",
    "LeakyReLU.slope": "any slope",
    "BatchNormalization.alpha": "any weight of the past",
    "Scaling.axis": "the input's",
    "Concatenate.axis": "the inputs'",
    "Conv2d.in_channels": "groups and channels are looked at together",
    "Conv2d.out_channels": "groups and channels are looked at together",
    "Conv2d.groups": "groups and channels are looked at together",
    "BinaryCrossEntropyCriterionUnstable.eps": "any number that probabilities are raised to",
    "NLLCriterionUnstable.eps": "any number that probabilities are raised to",
    **dict.fromkeys(
        ("StepDecay.lr", "StepDecay.every", "StepDecay.factor", "CosineDecay.lr", "CosineDecay.over"),
        "a formula's number",
    ),
    **dict.fromkeys(
        ("CosineDecay.final", "ExponentialDecay.lr", "ExponentialDecay.factor", "ExponentialDecay.over"),
        "a formula's number",
    ),
    **dict.fromkeys(("WarmUp.over", "WarmUp.start", "Optimizer.lr", "Optimizer.weight_decay"), "its subclasses'"),
}


def promises(_: list[str]) -> Iterator[Promise]:
    """Yields a promise for each limit."""
    for limit in LIMITS:
        yield kept(TOPIC, limit.key, limit.wording, limit.tries())
