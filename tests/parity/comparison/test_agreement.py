"""The two models of rounding, on NumPy's operations and on torch's, allow the same computation much the same."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest
from zoo import allowed

from numpynet import Array
from parity.case import Case
from parity.formats import format_of
from parity.frameworks.framework import Subject
from parity.frameworks.numpynet.framework import NumPySubject
from parity.ladder.cases import for_all
from parity.ladder.proving import targets
from parity.ladder.trace import GRADIENT, Trace, run
from parity.mapping.convert import subject
from parity.rounding.allowance import Perturb, deviations
from parity.rounding.errors import LOST, SLACK, forward_pass

pytestmark = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="one of the two models is of torch")
F32 = np.dtype(np.float32)
EXAMPLES = 2
FACTOR = 16


class InForwardPass:
    """A subject of torch whose forward passes are within `forward_pass`, as numpynet's are."""

    def __init__(self, case: Case) -> None:
        self.subject: Subject = subject(case, "torch")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.subject, name)

    def forward(self, input: Any) -> Any:
        with forward_pass():
            return self.subject.forward(input)


def in_torch(case: Case) -> Trace:
    return run(case, InForwardPass(case), beside=InForwardPass(case) if case.beside else None)


def in_numpy(case: Case, perturb: Perturb = np.asarray) -> Trace:
    return run(case, NumPySubject(case, perturb), beside=NumPySubject(case, perturb) if case.beside else None)


def largest(values: Array) -> float:
    return float(np.max(np.abs(values), initial=0))


@pytest.mark.parametrize("target", targets(), ids=lambda target: target.__name__)
def test_both_models_of_rounding_allow_much_the_same(target: type) -> None:
    """The largest allowances of a tensor are within `FACTOR` of each other, outputs and gradients.

    Measured: 0.3 to 5 in nearly all, 0.09 to 7.3 in 12 examples a class. Both models add the same errors, where the two
    implementations have other operations: numpynet adds a convolution's products tap by tap, which err each on its own,
    and a loss's terms with the zeros that its target masks; torch adds as one sum what it adds. And the largest of 12
    errors, of which few elements take part in a scalar, is a random number itself. Two kinds of tensors are left out:
    those of which rounding alone decides; and those that torch selects where numpynet computes (the positive part of
    PReLU, the gradients of a pooling's only window): numpynet's allowance is a few roundings there, and torch's none.
    """
    compared = 0

    def agree(case: Case) -> None:
        nonlocal compared
        wide = case.astype(format_of(F32).wider)
        with np.errstate(all="ignore"):
            ours, theirs = in_numpy(wide), in_torch(wide)
        keys = [key for key in ours if key in theirs and key.step == 0 and key.rung <= GRADIENT]
        by_numpy = deviations({key: ours[key] for key in keys}, lambda perturb: in_numpy(wide, perturb), F32)
        by_torch, unmodelled = allowed({key: theirs[key] for key in keys}, lambda: in_torch(wide), F32)
        assert not unmodelled
        for key in keys:
            numpy, torch, size = largest(by_numpy[key]), largest(by_torch[key]), largest(ours[key])
            if max(numpy, torch) > size:
                continue
            few = 2 * LOST * SLACK * format_of(F32).unit * size
            assert torch <= FACTOR * numpy, key
            assert numpy <= max(FACTOR * torch, few), key
            compared += 1

    for_all(agree, target, "float32", examples=EXAMPLES, shrink=False)
    assert compared
