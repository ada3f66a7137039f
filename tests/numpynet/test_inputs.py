"""Whatever the memory layout of an input, the result is right and the input is left alone."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from operator import itemgetter
from types import EllipsisType
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from numpynet import (
    SGD,
    Array,
    BatchNormalization,
    Criterion,
    Linear,
    Module,
    Optimizer,
    PReLU,
    Scaling,
    Sequential,
)
from numpynet.module import each
from parity.case import Case
from parity.formats import format_of
from parity.ladder.cases import cases
from parity.ladder.judge import share_used
from parity.ladder.proving import targets
from parity.mapping.adaptive import OPTIMIZERS
from parity.mapping.loss import Loss
from parity.mapping.pair import OptimizerPair, pair_of
from parity.rounding.allowance import Perturb, deviations

FLOAT32 = np.dtype(np.float32)
every_criterion = pytest.mark.parametrize(
    "target", [target for target in targets() if issubclass(target, Criterion)], ids=lambda target: target.__name__
)
every_class = pytest.mark.parametrize("target", targets(), ids=lambda target: target.__name__)
# A framework's first call takes longer than Hypothesis expects of drawing.
quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
few = settings(quick, max_examples=10)  # of each of many classes; the ladder's cases lie in memory in many ways, too


def fortran(x: Array) -> Array:
    return np.array(x, order="F")


def strided(x: Array) -> Array:
    wide = np.full([2 * side for side in x.shape], np.nan if x.dtype.kind == "f" else -1, x.dtype)
    every_other: tuple[EllipsisType | slice, ...] = (..., *(slice(None, None, 2) for _ in x.shape))
    view: Array = wide[every_other]
    view[...] = x
    return view


def backwards(x: Array) -> Array:
    return np.asarray(np.flip(np.flip(x).copy()))


def unaligned(x: Array) -> Array:
    bytes_ = np.zeros(x.nbytes + 1, np.uint8)[1:]
    view: Array = bytes_.view(x.dtype).reshape(x.shape)
    view[...] = x
    return view


def read_only(x: Array) -> Array:
    x = x.copy()
    x.flags.writeable = False
    return x


LAYOUTS: list[Callable[[Array], Array]] = [np.array, fortran, strided, backwards, unaligned, read_only]
layouts = st.sampled_from(LAYOUTS)


def arrays(name: str, values: Any) -> dict[str, Array]:
    """An array by its name; of a tuple, each by its index."""
    if isinstance(values, tuple):
        return {f"{name}[{index}]": array for index, array in enumerate(values)}
    return {name: values}


def computed(case: Case, input: Any, cotangent: Any, perturb: Perturb = np.asarray) -> dict[str, Array]:
    """Everything that one forward and backward compute."""
    module = case.fresh()
    module.map_state(lambda _, values: perturb(values))
    output = module(each(perturb, input))
    found = arrays("output", output) | arrays("input gradient", module.backward(each(perturb, cotangent)))
    gradients = {name: parameter.grad for name, parameter in module.named_parameters().items()}
    return found | gradients | module.named_buffers()


def assert_right(case: Case, found: dict[str, Array]) -> None:
    """Within what rounding in float32 makes unavoidable."""
    wide = case.astype(format_of(FLOAT32).wider)
    sent = wide.steps[0].input, wide.steps[0].cotangent
    reference = computed(wide, *sent)
    allowed = deviations(reference, lambda perturb: computed(wide, *sent, perturb), FLOAT32)
    for name, expected in reference.items():
        assert share_used(found[name], expected, allowed[name], FLOAT32) <= 1, name


@every_class
@few
@given(data=st.data(), input_layout=layouts, cotangent_layout=layouts)
def test_every_memory_layout_gives_the_right_result_and_is_left_alone(
    target: type,
    data: st.DataObject,
    input_layout: Callable[[Array], Array],
    cotangent_layout: Callable[[Array], Array],
) -> None:
    case = data.draw(cases(target, FLOAT32))
    step = case.steps[0]
    input, cotangent = each(input_layout, step.input), each(cotangent_layout, step.cotangent)
    with np.errstate(all="ignore"):
        found = computed(case, input, cotangent)
        assert_right(case, found)
    for sent, before in ((input, step.input), (cotangent, step.cotangent)):
        for array, expected in zip(arrays("", sent).values(), arrays("", before).values(), strict=True):
            assert np.array_equal(array, expected)


@every_criterion
@few
@given(data=st.data(), layout=layouts)
def test_targets_are_left_alone_in_every_layout(
    target: type, data: st.DataObject, layout: Callable[[Array], Array]
) -> None:
    case = data.draw(cases(target, FLOAT32))
    assert isinstance(case.module, Loss)
    given_target = layout(case.module.target)
    again = case.with_module(Loss(case.module.criterion, given_target))
    with np.errstate(all="ignore"):
        assert_right(case, computed(again, case.steps[0].input, case.steps[0].cotangent))
    assert np.array_equal(given_target, case.module.target)


def outcome(module: Module, input: Any) -> tuple[Any, Any] | str:
    """Output and input gradient, or what the refusal says."""
    try:
        with np.errstate(all="ignore"):
            output = module(input)
            return output, module.backward(each(np.ones_like, output))
    except (ValueError, RuntimeError) as refusal:
        return str(refusal)


@every_class
@few
@given(data=st.data())
def test_an_empty_batch_and_a_batch_of_one_work_or_are_refused_by_name(target: type, data: st.DataObject) -> None:
    case = data.draw(cases(target, FLOAT32))
    names = {type(leaf).__name__ for _, leaf in case.module.named_modules()} | {target.__name__}
    for rows, training in itertools.product((0, 1), (True, False)):
        module = copy.deepcopy(case.module).train(training)
        input = each(itemgetter(slice(rows)), case.steps[0].input)
        if isinstance(module, Loss):
            module = Loss(module.criterion, module.target[:rows])
        found = outcome(module, input)
        if isinstance(found, str):
            assert any(name in found for name in names)
            assert f"shape ({rows}," in found
            assert rows == 0 or (training and "more than one value" in found)
        else:
            assert each(np.shape, found[1]) == each(np.shape, input)
            assert isinstance(module, Loss) or all(len(output) == rows for output in arrays("", found[0]).values())


def test_an_empty_batch_gives_zero_parameter_gradients() -> None:
    for layer in (Linear(3, 2), Scaling(3), Scaling(1), PReLU(3), PReLU()):
        output = layer(np.zeros((0, 3), np.float32))
        assert layer.backward(output).shape == (0, 3)
        assert all(np.array_equal(p.grad, np.zeros_like(p.value)) for p in layer.parameters())


@every_criterion
def test_a_criterion_refuses_backward_before_forward_by_name(target: type[Criterion]) -> None:
    with pytest.raises(RuntimeError, match=f"{target.__name__}.*backward before forward"):
        target().backward()


@every_class
@settings(quick, max_examples=5)
@given(data=st.data())
def test_a_layer_refuses_backward_before_forward_by_name(target: type, data: st.DataObject) -> None:
    case = data.draw(cases(target, FLOAT32))
    leaves = [module for _, module in case.fresh().named_modules() if not module.children()]
    for leaf in leaves:
        with pytest.raises(RuntimeError, match=f"{type(leaf).__name__}.*backward before forward"):
            leaf.backward(np.ones((1, 1), np.float32))


@pytest.mark.parametrize("kind", OPTIMIZERS)
@quick
@given(data=st.data(), seed=st.integers(0, 100))
def test_a_step_leaves_gradients_and_loaded_states_alone(kind: type[Optimizer], data: st.DataObject, seed: int) -> None:
    pair = pair_of(kind)
    assert isinstance(pair, OptimizerPair)
    arguments = data.draw(pair.arguments)
    rng = np.random.default_rng(seed)
    net = Sequential(Linear(3, 4, rng=rng), BatchNormalization(4), Scaling(4))
    rule = kind(net.parameters(), 0.5, **arguments)
    weights, state = net.state_dict(), {"steps": np.array(1)}
    state |= {f"{slot}.{i}": np.ones_like(p.value) for i, p in enumerate(net.parameters()) for slot in kind.slots}
    kept = copy.deepcopy((weights, state))
    net.load_state_dict(weights)
    rule.load_state_dict(state)
    x = rng.standard_normal((5, 3)).astype(np.float32)
    for _ in range(3):
        net.zero_grad()
        net.backward(net(x))
        gradients = [p.grad.copy() for p in net.parameters()]
        rule.step()
        assert all(np.array_equal(p.grad, before) for p, before in zip(net.parameters(), gradients, strict=True))
    for loaded, before in zip((weights, state), kept, strict=True):
        assert all(np.array_equal(loaded[name], before[name]) for name in before)


@quick
@given(layout=layouts)
def test_parameters_of_every_layout_are_read_and_moved(layout: Callable[[Array], Array]) -> None:
    rng = np.random.default_rng(0)
    plain, other = Linear(3, 2, rng=rng), Linear(3, 2, rng=rng)
    state = {name: layout(value) for name, value in plain.state_dict().items()}
    other.load_state_dict(state)
    x = rng.standard_normal((4, 3)).astype(np.float32)
    for net in (plain, other):
        net.backward(net(x))
        SGD(net.parameters(), 0.5).step()
    assert all(np.array_equal(plain.state_dict()[name], other.state_dict()[name]) for name in state)


@every_class
@few
@given(data=st.data())
def test_the_module_is_left_alone_but_for_its_running_statistics(target: type, data: st.DataObject) -> None:
    case = data.draw(cases(target, FLOAT32))
    module: Module = case.fresh()
    before = module.state_dict()
    with np.errstate(all="ignore"):
        module.backward(each(np.ones_like, module(case.steps[0].input)))
    moved = set(module.named_buffers()) if case.training else set()
    assert all(np.array_equal(module.state_dict()[name], before[name], True) for name in before.keys() - moved)
