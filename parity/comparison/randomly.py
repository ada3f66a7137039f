"""Two models on random inputs, of declared shapes and ranges: those on which they differ are shrunk."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.strategies import SearchStrategy

from numpynet import Array
from parity.comparison.conducting import Comparing
from parity.comparison.given import arrays_of
from parity.comparison.model import Model, Unfit
from parity.comparison.pairing import asked_twice
from parity.comparison.result import Comparison, OnRandom
from parity.drawing.examples import for_each_example
from parity.inputs import Drawn, Inputs
from parity.rounding.allowance import PAIRS

SHRINKING = 60  # comparisons at most, once two models differ
LARGEST_SEED = 2**16


class _Differ(Exception):
    """Raised for inputs on which two models differ."""


class _Enough(BaseException):
    """Raised where inputs have been shrunk for long enough, past Hypothesis."""


@dataclass
class RandomInputs:
    """The random inputs of a comparison, and what came of them.

    compared_on: how many were compared, up to the first on which the two differ
    rejected, said: how many more were none that the first model takes, and what it said of one of these
    last: the inputs on which the two differ, as far as they are shrunk, and why the second refuses them, if it does
    """

    draws: Sequence[Inputs]
    examples: int
    seed: int
    compared_on: int = 0
    rejected: int = 0
    said: str = ""
    share: float = 0.0
    tried: int = 0
    last: tuple[Drawn, str] | None = field(default=None, repr=False)

    @property
    def runs(self) -> int:
        """How many runs under rounding errors are expected: a glance in either mode."""
        return 2 * PAIRS * self.examples

    def compared(self, comparing: Comparing, found: Comparison) -> Comparison:
        """What was found, or what is found on random inputs, where that is otherwise."""

        def look(drawn: Drawn) -> None:
            if (refused := self._look(comparing, drawn)) is not None:
                self.last = drawn, refused
                raise _Differ

        with contextlib.suppress(_Differ, _Enough, Flaky):
            for_each_example(look, _drawn(self.draws), f"compare/{self.seed}", self.examples)
        if self.last is None:
            return replace(found, random=self._told())
        drawn, refused = self.last
        failed = self.compared_on + self.rejected + 1
        told = replace(self._told(), failed=failed, written=str(drawn), inputs=drawn.arrays, refused=refused)
        if refused:
            return replace(found, random=told)
        again = comparing.on(arrays_of(drawn.arrays, comparing.arithmetic))
        return replace(again.found(again.judgements()), random=told)

    def _told(self) -> OnRandom:
        return OnRandom(self.compared_on, self.rejected, self.said, self.share)

    def _look(self, comparing: Comparing, drawn: Drawn) -> str | None:
        """Whether the two differ on these inputs: why the second refuses them, or "" where it computes something else.

        None where they do not.
        """
        first = self.last is None
        if not first:
            self.tried += 1
            if self.tried > SHRINKING:
                raise _Enough
        other = comparing.on(arrays_of(drawn.arrays, comparing.arithmetic))
        try:
            _answers(comparing, comparing.first, other.inputs, "first ")
        except Unfit as error:
            if first:
                self.rejected, self.said = self.rejected + 1, self.said or str(error)
            return None
        try:
            _answers(comparing, comparing.second, other.there, "second ")
            judgements = other.judgements()
        except Unfit as error:
            return str(error)
        for judgement in judgements.values():
            if judgement.off:
                judgement.look_again()
        if any(judgement.off for judgement in judgements.values()):
            return ""
        if first:
            self.compared_on += 1
            tensors = itertools.chain(*(judgement.tensors for judgement in judgements.values()))
            self.share = max(self.share, max((tensor.share for tensor in tensors), default=0.0))
        return None


def taken_for(draws: Any) -> list[Inputs]:
    """What was declared, as a list; raises `Unfit` where it is something else."""
    given = list(draws) if isinstance(draws, tuple | list) else [draws]
    if not given or not all(isinstance(each, Inputs) for each in given):
        raise Unfit("draws: give a Floats, Integers or Truths of parity.inputs for each input")
    return given


def _answers(comparing: Comparing, model: Model, inputs: Sequence[Array], which: str) -> None:
    """Raise `Unfit` unless the model takes these inputs, in either mode, and answers with numbers."""
    ran = asked_twice(model, inputs, which)
    if not all(np.isfinite(output).all() for output in ran.outputs):
        raise Unfit(f"the {which}model's outputs hold NaN or an infinity")
    if True not in comparing.aligned:
        return
    try:
        model.run(inputs, training=True)
    except Exception as error:  # whatever is raised, it is the model's verdict
        raise Unfit(
            f"the {which}model does not run on inputs of shapes {[values.shape for values in inputs]} in training "
            f"mode: {type(error).__name__}: {error}"
        ) from error


def _drawn(draws: Sequence[Inputs]) -> SearchStrategy[Drawn]:
    """A strategy of inputs."""

    @st.composite
    def strategy(draw: st.DrawFn) -> Drawn:
        sizes = {
            size: draw(st.integers(size.low, size.high))
            for size in dict.fromkeys(size for each in draws for size in each.sizes)
        }
        seeds = st.integers(0, LARGEST_SEED)
        return Drawn(tuple((each.with_sizes(sizes), draw(st.sampled_from(each.kinds)), draw(seeds)) for each in draws))

    return strategy()
