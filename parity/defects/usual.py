"""How people usually test a layer against torch: what the gallery is measured against.

One seed, normal inputs, batches of 8, torch's default arguments, training mode, single precision, a sum() loss, and
torch.testing.assert_close with its default tolerances on the output, the gradients, and the parameters after ten
steps. Weights and dropout masks are shared by parity's own conversion: what is missed here is missed by what is fed
and what is compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import numpynet as nn
from numpynet import SGD, Array, Criterion, Module
from numpynet.training import Trainer
from parity.defects.defect import Defect
from parity.frameworks import available, framework
from parity.lazy import torch
from parity.loss import Loss
from parity.pairing import Case, Step, registry
from parity.rungs.record import CURVE, Subject

BATCH, FEATURES, STEPS = 8, 6, 10
Compared = Iterator[tuple[str, Array, Array]]


def usual_way(defect: Defect) -> dict[str, Any] | None:
    """Whether the usual way catches the defect, and by which comparison; None without torch."""
    if "torch" not in available():
        return None
    registry()
    rng = np.random.default_rng(0)
    try:
        for by, actual, expected in (_trained if defect.rung == CURVE else _computed)(defect, rng):  # noqa: B007
            torch.testing.assert_close(torch.from_numpy(np.asarray(actual)), torch.from_numpy(np.asarray(expected)))
    except AssertionError:
        return {"caught": True, "by": by}
    return {"caught": False, "by": None}


def _computed(defect: Defect, rng: np.random.Generator) -> Compared:
    """Output, gradients and final parameters of a single layer."""
    module, input = _module(defect.target, rng), _normal(rng, BATCH, FEATURES)
    if defect.target is nn.Flatten:
        input = _normal(rng, BATCH, 3, 4, 4)
    if defect.target is nn.NLLCriterionUnstable:
        input = nn.SoftMax()(input)
    case = Case(module, [Step(input, input)], sgd={"momentum": 0.9} if module.parameters() else None)
    planted = defect.plant(case)
    ours = _observe(framework("numpynet").Subject(planted), input)
    theirs = _observe(framework("torch").Subject(case), input)
    yield from ((by, actual, expected) for (by, actual), (_, expected) in zip(ours, theirs, strict=True))


def _observe(subject: Subject, input: Array) -> Iterator[tuple[str, Array]]:
    for step in range(STEPS):
        subject.zero_grad()
        output = subject.forward(input.copy())
        grad_input = subject.backward(np.ones_like(output))
        if step == 0:
            yield "output", output
            yield "gradient", grad_input
            yield from (("gradient", gradient) for gradient in subject.gradients().values())
        subject.step(lr=0.1)
    yield from (("parameters", value) for name, value in subject.state().items() if name in subject.gradients())


def _trained(defect: Defect, rng: np.random.Generator) -> Compared:
    """Final parameters of a network."""
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
    theirs = framework("torch").Trainer(network, nn.NLLCriterion(), optimizer)
    ours = defect.plant_in_trainer(Trainer(network, nn.NLLCriterion(), optimizer))
    for _ in range(STEPS):
        inputs, targets = _normal(rng, BATCH, FEATURES), rng.integers(0, 3, BATCH)
        ours.step(inputs, targets)
        theirs.step(inputs, targets)
    final = theirs.state()
    yield from (("parameters", p.value, final[name]) for name, p in network.named_parameters().items())


def _module(target: Any, rng: np.random.Generator) -> Module:
    """An instance with torch's default arguments."""
    if issubclass(target, SGD):
        target = nn.Linear
    if issubclass(target, nn.MSECriterion):
        return Loss(target(), _normal(rng, BATCH, FEATURES))
    if issubclass(target, Criterion):
        return Loss(target(), rng.integers(0, FEATURES, BATCH))
    arguments: dict[Any, dict[str, Any]] = {
        nn.Linear: {"in_features": FEATURES, "out_features": 3, "rng": rng},
        nn.Scaling: {"num_features": FEATURES},
        nn.BatchNormalization: {"num_features": FEATURES, "eps": 1e-5},
        nn.Dropout: {"rng": rng.spawn(1)[0]},
    }
    return target(**arguments.get(target, {}))


def _normal(rng: np.random.Generator, *shape: int) -> Array:
    return rng.standard_normal(shape).astype(np.float32)
