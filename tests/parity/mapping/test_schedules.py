"""Every schedule's rates are those of the schedulers it names, within what rounding makes unavoidable."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from numpynet import CosineDecay, ExponentialDecay, Schedule, StepDecay, WarmUp
from parity.catalogue.difference import claim
from parity.drawing.strategies import dyadic
from parity.frameworks import available
from parity.frameworks.lazy import keras, tf, torch

STEPS = 40
rates = st.integers(1, 10).map(lambda exponent: 2.0**-exponent)
shares = dyadic(1 / 16, 15 / 16)  # dyadic: Keras rounds them to float32
periods = st.integers(1, STEPS)
decays = (
    st.builds(StepDecay, rates, st.integers(1, 10), shares)
    | st.builds(ExponentialDecay, rates, shares, st.integers(1, 10))
    | st.builds(lambda lr, over, share: CosineDecay(lr, over, lr * share), rates, periods, shares)
)
warmed = st.builds(lambda over, decay, share: WarmUp(over, decay, decay.lr * share), st.integers(1, 10), decays, shares)
# A framework's first call takes longer than Hypothesis expects of drawing.
quick = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
needs_torch = pytest.mark.skipif("torch" not in available(), reason="torch is not installed")
needs_keras = pytest.mark.skipif("tensorflow" not in available(), reason="TensorFlow is not installed")


def torch_scheduler(schedule: Any, optimizer: Any) -> Any:
    schedulers = torch.optim.lr_scheduler
    if isinstance(schedule, StepDecay):
        return schedulers.StepLR(optimizer, schedule.every, schedule.factor)
    if isinstance(schedule, ExponentialDecay):
        return schedulers.ExponentialLR(optimizer, schedule.factor ** (1 / schedule.over))
    if isinstance(schedule, CosineDecay):
        return schedulers.CosineAnnealingLR(optimizer, schedule.over, schedule.final)
    line = schedulers.LinearLR(optimizer, schedule.start / schedule.then(0), 1.0, schedule.over)
    return schedulers.SequentialLR(optimizer, [line, torch_scheduler(schedule.then, optimizer)], [schedule.over])


def keras_schedule(schedule: Any) -> Any:
    schedules = keras.optimizers.schedules
    if isinstance(schedule, StepDecay):
        return schedules.ExponentialDecay(schedule.lr, schedule.every, schedule.factor, staircase=True)
    if isinstance(schedule, ExponentialDecay):
        return schedules.ExponentialDecay(schedule.lr, schedule.over, schedule.factor)
    if isinstance(schedule, CosineDecay):
        return schedules.CosineDecay(schedule.lr, schedule.over, schedule.final / schedule.lr)
    cosine = schedule.then
    return schedules.CosineDecay(
        schedule.start, cosine.over, cosine.final / cosine.lr, warmup_target=cosine.lr, warmup_steps=schedule.over
    )


def assert_same(found: list[Any], dtype: Any, schedule: Schedule) -> None:
    steps = np.arange(len(found), dtype=dtype)
    assert claim(np.array(found, dtype), schedule.rates, steps).used <= 1, schedule


@needs_torch
@quick
@given(schedule=decays | warmed)
def test_schedules_are_torch_s(schedule: Any) -> None:
    first: Any = schedule.then if isinstance(schedule, WarmUp) else schedule
    optimizer = torch.optim.SGD([torch.zeros(1)], first.lr)
    scheduler, found = torch_scheduler(schedule, optimizer), []
    over = getattr(first, "over", STEPS) if isinstance(first, CosineDecay) else STEPS
    for _ in range(over + 1):  # torch's cosine goes up again (differences, cosine-after-its-end)
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert_same(found, np.float64, schedule)


@needs_keras
@quick
@given(
    schedule=decays
    | warmed.filter(lambda warm: isinstance(warm.then, CosineDecay))
    | st.builds(WarmUp, st.integers(1, 10), st.builds(CosineDecay, rates, periods))  # torch's cannot begin at 0
)
def test_schedules_are_keras_s(schedule: Any) -> None:
    theirs = keras_schedule(schedule)
    assert_same([theirs(tf.constant(step)).numpy() for step in range(STEPS)], np.float32, schedule)
