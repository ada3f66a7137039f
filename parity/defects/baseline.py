"""The baseline that the gallery is measured against: how people usually test a layer against torch.

They take one seed, normal inputs, batches of 8, torch's default arguments, training mode, single precision, a sum()
loss, and torch.testing.assert_close with its default tolerances on the output, the gradients, and the parameters after
ten steps. Weights and dropout masks are shared by parity's own conversion: what is missed here is missed by what is fed
and what is compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np

import numpynet as nn
from numpynet import SGD, Array, Criterion, Module, Optimizer
from numpynet.module import each
from numpynet.training import Trainer
from parity.case import Case, Step
from parity.defects.defect import Defect
from parity.frameworks import NUMPYNET, available, framework
from parity.frameworks.framework import Subject
from parity.ladder.trace import CURVE
from parity.mapping.convert import subject, trainer
from parity.mapping.loss import Loss
from parity.results.records.facts import BaselinePart

BATCH, FEATURES, STEPS = 8, 6, 10
IMAGES = (
    nn.Flatten,
    nn.Conv2d,
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.GlobalAveragePool2d,
    nn.ZeroPad2d,
    nn.GroupNormalization,
)
Compared = Iterator[tuple[str, Array, Array]]


def baseline(defect: Defect) -> BaselinePart | None:
    """Tells whether the baseline catches the defect, and by which comparison.

    It is None where no framework with an assertion of its own is installed.
    """
    name = next((name for name in available() if framework(name).baseline), None)
    if name is None:
        return None
    rng = np.random.default_rng(0)
    try:
        for by, actual, expected in (_trained if defect.rung == CURVE else _computed)(defect, name, rng):  # noqa: B007
            framework(name).assert_close(actual, expected)
    except AssertionError:
        return BaselinePart(caught=True, by=by)
    return BaselinePart(caught=False)


def _computed(defect: Defect, name: str, rng: np.random.Generator) -> Compared:
    """Yields output, gradients and final parameters of a single layer, ours beside the framework's."""
    size = (4, 4) if defect.target in IMAGES else ()
    module, input = _module(defect.target, rng), cast(Any, _normal(rng, BATCH, FEATURES, *size))
    if defect.target is nn.NLLCriterionUnstable:
        input = nn.SoftMax()(input)
    if defect.target is nn.BinaryCrossEntropyCriterionUnstable:
        input = nn.Sigmoid()(input)
    if defect.target in (nn.Sum, nn.Concatenate):
        input = (input, _normal(rng, BATCH, FEATURES))
    rule = defect.target if issubclass(defect.target, Optimizer) else SGD
    arguments = {"momentum": 0.9} if rule is SGD else {}
    case = Case(module, [Step(input, input)], arguments=arguments if module.parameters() else None, optimizer=rule)
    planted = defect.plant(case)
    ours = _observe(subject(planted, NUMPYNET), input)
    theirs = _observe(subject(case, name), input)
    yield from ((by, actual, expected) for (by, actual), (_, expected) in zip(ours, theirs, strict=True))


def _observe(subject: Subject, input: Any) -> Iterator[tuple[str, Array]]:
    for step in range(STEPS):
        subject.zero_grad()
        output = subject.forward(each(np.copy, input))
        grad_input = subject.backward(np.ones_like(output))
        if step == 0:
            yield "output", output
            yield from (("gradient", part) for part in (grad_input if isinstance(grad_input, tuple) else (grad_input,)))
            yield from (("gradient", gradient) for gradient in subject.gradients().values())
        subject.step(lr=0.1)
    yield from (("parameters", value) for name, value in subject.state().items() if name in subject.gradients())


def _trained(defect: Defect, name: str, rng: np.random.Generator) -> Compared:
    """Yields the final parameters of a network, ours beside the framework's."""
    network = nn.Sequential(
        nn.Linear(FEATURES, 16, rng=rng),
        nn.ReLU(),
        nn.BatchNormalization(16, eps=1e-5),
        nn.Scaling(16),
        nn.Dropout(0.5, rng=rng.spawn(1)[0]),
        nn.Linear(16, 3, rng=rng),
        nn.LogSoftMax(),
    )
    optimizer = SGD(network.parameters(), lr=0.1, momentum=0.9)
    theirs = trainer(network, nn.NLLCriterion(), optimizer, name)
    ours = defect.plant_in_trainer(Trainer(network, nn.NLLCriterion(), optimizer))
    for _ in range(STEPS):
        inputs, targets = _normal(rng, BATCH, FEATURES), rng.integers(0, 3, BATCH)
        ours.step(inputs, targets)
        theirs.step(inputs, targets)
    final = theirs.state()
    yield from (("parameters", p.value, final[name]) for name, p in ours.model.named_parameters().items())


def _module(target: Any, rng: np.random.Generator) -> Module:
    """An instance of the target with torch's default arguments; for an optimizer, a layer that it trains."""
    if issubclass(target, Optimizer):
        target = nn.Linear
    if issubclass(target, nn.BinaryCrossEntropyCriterion):
        return Loss(target(), rng.integers(0, 2, (BATCH, FEATURES)))
    if issubclass(target, (nn.MSECriterion, nn.L1Criterion, nn.HuberCriterion)):
        return Loss(target(), _normal(rng, BATCH, FEATURES))
    if issubclass(target, Criterion):
        return Loss(target(), rng.integers(0, FEATURES, BATCH))
    arguments: dict[Any, dict[str, Any]] = {
        nn.Graph: {"inputs": {"x": (FEATURES,)}, "nodes": _residual(rng), "outputs": ["out"]},
        nn.Linear: {"in_features": FEATURES, "out_features": 3, "rng": rng},
        nn.Conv2d: {"in_channels": FEATURES, "out_channels": 3, "kernel_size": 3, "padding": 1, "rng": rng},
        nn.MaxPool2d: {"kernel_size": 2},
        nn.AvgPool2d: {"kernel_size": 2},
        nn.ZeroPad2d: {"padding": 1},
        nn.Scaling: {"num_features": FEATURES},
        nn.BatchNormalization: {"num_features": FEATURES, "eps": 1e-5},
        nn.LayerNormalization: {"eps": 1e-5},
        nn.GroupNormalization: {"groups": 2, "eps": 1e-5},
        nn.PReLU: {"num_features": FEATURES},
        nn.Maxout: {"pieces": 2},
        nn.Dropout: {"rng": rng.spawn(1)[0]},
    }
    return target(**arguments.get(target, {}))


def _residual(rng: np.random.Generator) -> dict[str, tuple[Any, ...]]:
    """The nodes of a graph with a layer that is used twice, and a way around both."""
    return {
        "first": (nn.Linear(FEATURES, FEATURES, rng=rng), "x"),
        "between": (nn.ReLU(), "first"),
        "second": ("first", "between"),
        "out": (nn.Sum(), "x", "second"),
    }


def _normal(rng: np.random.Generator, *shape: int) -> Array:
    return rng.standard_normal(shape).astype(np.float32)
