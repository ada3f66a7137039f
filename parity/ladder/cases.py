"""Whole cases of a pair, drawn at random, and a property that is tried on each of them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from hypothesis import strategies as st
from hypothesis.errors import Flaky

from numpynet import SGD, Array, Module, Optimizer
from numpynet.module import each, join
from parity.case import Case, Step, computing
from parity.drawing.examples import for_each_example
from parity.drawing.strategies import arrays, call_counts, lr_exponents, step_counts
from parity.drawing.tails import one_of, rarely
from parity.ladder.failure import Unjudged
from parity.layout import spread
from parity.mapping.pair import OptimizerPair, Pair, optimizer_pair, pair_of, pair_or_none, registry

Failure = TypeVar("Failure", bound=Exception)


tails_of_a_step = one_of("mode", "rehearsal", "backward", "layout", "gaps")
zeroed = st.sampled_from([True, False])  # gradients before a step: the first is what it shrinks to
steps_of_memory = st.sampled_from([2, -1, -2])
tails_of_a_case = one_of("beside")
tails_of_several_parameters = one_of("beside", "groups")


@st.composite
def cases(draw: st.DrawFn, target: type, dtype: np.dtype[Any]) -> Case:
    """A strategy of whole examples for the pair of `target`: weights, inputs, cotangents, mode and optimizer."""
    pair = pair_of(target)
    module: Module = draw(pair.modules).astype(dtype)
    for parameter in module.parameters():
        values = draw(arrays(parameter.value.shape, dtype, largest=2.0**3))
        parameter.map(lambda _, values=values: values)  # type: ignore[misc]
    parameters = module.named_parameters()
    trained = bool(parameters)
    shape = draw(pair.shapes(module))
    probe = Case(module, [], training=draw(st.booleans()))
    steps: list[Step] = []
    for _ in range(draw(step_counts if trained or module.named_buffers() else call_counts)):
        input = draw(pair.inputs(module, shape, dtype))
        if not steps:
            with np.errstate(all="ignore"):
                output = probe.fresh()(input)
        # Powers of two: Keras keeps -lr * velocity, and changing lr rescales it exactly.
        lr = 2.0 ** draw(lr_exponents) if trained else 0.125
        zero_grad = not (trained and steps) or draw(zeroed)
        cotangent = each(lambda one: draw(arrays(one.shape, dtype, offset=False)), output)
        tail = draw(tails_of_a_step)
        mode = draw(st.booleans()) if tail == "mode" else None
        rehearsal = draw(pair.inputs(module, shape, dtype)) if tail == "rehearsal" else None
        step = Step(input, cotangent, lr, zero_grad, mode, rehearsal, backwards=1 + (tail == "backward"))
        if tail == "layout":
            step = step.map(in_fortrans_order)
        elif tail == "gaps":
            step = step.map(with_gaps(draw(steps_of_memory)))
        steps.append(step)
    alone = sorted(parameters.keys() - _packed(module))
    tail = draw(tails_of_several_parameters if len(alone) > 1 else tails_of_a_case)
    apart = frozenset(alone[1::2] if tail == "groups" else ())
    optimizer = draw(optimizers(pair)) if trained else SGD
    arguments = draw(optimizer_pair(optimizer).arguments) if trained else None
    frozen = frozenset(draw(st.sampled_from([(), *((name,) for name in alone)])))
    case = Case(module, steps, probe.training, arguments, frozen, optimizer, tail == "beside", apart)
    if not _holds(case, target):
        raise TypeError(f"the pair of {target.__name__} draws {module!r}, in which there is no {target.__name__}")
    return case


def in_fortrans_order(values: Array) -> Array:
    """The same values in another layout of memory."""
    return np.array(values, order="F")


def with_gaps(step: int) -> Callable[[Array], Array]:
    """A function that returns the same values `step` elements of memory apart along the last axis, if there is one."""
    return lambda values: spread(values, step)[..., ::step] if values.ndim else values


@functools.cache
def optimizers(pair: Pair) -> st.SearchStrategy[type[Optimizer]]:
    """A strategy of the optimizers that the pair names, and now and then of any; an optimizer's own pair has itself."""
    usual = st.sampled_from(pair.optimizers)
    if isinstance(pair, OptimizerPair):
        return usual
    known = {of for of, other in registry().items() if isinstance(other, OptimizerPair)}
    rules = [of for of in known if of.__module__.startswith("numpynet.")]  # whatever else is loaded
    return rarely("optimizer", usual, st.sampled_from(sorted(rules, key=lambda of: of.__name__)))


def _packed(module: Module) -> set[str]:
    """The parameters that share a tensor in some framework, which cannot leave a part of a tensor alone."""
    pairs = ((name, pair_or_none(layer)) for name, layer in module.named_modules())
    return {join(name, tensor) for name, pair in pairs if pair is not None for tensor in pair.packed}


def _holds(case: Case, target: type) -> bool:
    """Tells whether the case is about `target`: it is the optimizer, a part of the module, or a part's criterion."""
    return case.optimizer is target or any(isinstance(part, target) for part in computing(case.module))


def must_have_a_pair(target: type) -> None:
    """Raise LookupError where `target` has no pair of its own: its base's would draw modules of the base."""
    drawn = pair_of(target).module_class
    if drawn is not target:
        name = target.__name__
        raise LookupError(
            f"{name} has no pair of its own, and that of {drawn.__name__} draws {drawn.__name__}: register one with "
            f"@parity.pair({name})"
        )


def for_all(
    property_: Callable[[Case], None],
    target: type,
    dtype: str,
    *,
    examples: int,
    random_seed: int | None = None,
    shrink: bool = True,
    score: Callable[[], float] | None = None,
) -> None:
    """Call `property_` with random cases of the pair of `target`; what it raises is raised for the shrunk case.

    The cases are the same every time and everywhere; `random_seed` names others, and `score` guides them (see
    `parity.drawing.examples`). Raises LookupError as `must_have_a_pair` does.
    """
    must_have_a_pair(target)
    stream = f"{target.__name__}/{dtype}/{random_seed or 0}"
    for_each_example(property_, cases(target, np.dtype(dtype)), stream, examples, shrink=shrink, score=score)


class _Enough(BaseException):
    """Raised at a failure that is not to be shrunk, past Hypothesis, which would judge the example twice more."""


def first_failure(
    look: Callable[[Case, Failure | None], Failure | None],
    target: type,
    dtype: str,
    *,
    examples: int,
    random_seed: int | None = None,
    shrink: bool = True,
    score: Callable[[], float] | None = None,
) -> Failure | Unjudged | None:
    """The failure that `look` finds in the first example that fails, of the shrunk one; None where none fails.

    `look` is called with each case, and with the failure that it found last: where there is one, the cases are no
    longer those of the stream. What the drawing raises is a failure too. Raises LookupError as `must_have_a_pair` does.
    """
    failed: Failure | None = None

    def property_(case: Case) -> None:
        nonlocal failed
        if (found := look(case, failed)) is not None:
            failed = found
            raise found if shrink else _Enough

    must_have_a_pair(target)
    try:
        for_all(property_, target, dtype, examples=examples, random_seed=random_seed, shrink=shrink, score=score)
    except _Enough:
        pass
    except Exception as error:
        # What fails once and then no more, Hypothesis finds flaky: it failed.
        if failed is None or (error is not failed and not isinstance(error, Flaky)):
            return Unjudged(f"drawing an example of {target.__name__}", error)
    return failed
