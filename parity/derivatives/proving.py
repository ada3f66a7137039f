"""The reference's gradients against exact derivatives, so that a wrong formula cannot hide by being its own reference.

    L(t) = sum(cotangent * f(point + t * direction))

is differentiated at t = 0 along a random direction of each input and of each parameter, by forward-mode differentiation
in longdouble (`parity.derivatives.duals`), and compared with <gradient, direction>. There is no step size, and nothing
is left out: the two differ by rounding alone, which `parity.rounding` measures for both. No tolerance is chosen.

Where a comparison, a selection or a rounding meets a tie at the point that parts beside it, the derivative to the other
side is computed too. Where both sides have the same value and the same derivative, up to their rounding, f is smooth
there, and the gradient is judged. Where they do not, f has a kink: there is no derivative to compare with, and the
direction is counted and left out. So is a direction along which the derivative is infinite, as a root's at 0. Rounding
must not turn one side into the other for that: ties that are exact at the point stay decided as they are. A value that
is only nearly at a kink may be on either side, and what is allowed contains the jump, as on every rung.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from numpynet import Array, Module
from numpynet.module import each
from parity.case import Case
from parity.derivatives.duals import FORMAT, Side, differentiating, dual, lifted
from parity.ladder.cases import first_failure
from parity.ladder.failure import Unjudged
from parity.layout import as_in
from parity.results.records.ladder import DerivativeRecord
from parity.rounding.allowance import Perturb, deviations
from parity.rounding.noisy import Noisy

Point = dict[str, Array]  # every input and parameter by name


@dataclass(frozen=True)
class Derivative:
    """One directional derivative of a case: `gradient` as the module's backward has it, and the `exact` one.

    Both are along a direction of `tensor`, an input or a parameter. `allowed` is what rounding may make of their
    difference; `kink` says that there is no derivative to compare with.
    """

    tensor: str
    gradient: Any
    exact: Any
    allowed: Any
    kink: bool = False

    @property
    def used(self) -> float:
        """The difference as a share of what is allowed; infinite where there is one and nothing is allowed."""
        if self.gradient == self.exact or (np.isnan(self.gradient) and np.isnan(self.exact)):
            return 0.0
        difference = np.abs(self.gradient - self.exact)
        return float(difference / self.allowed) if self.allowed > 0 else float("inf")


class DerivativeError(AssertionError):
    """Raised where a module's backward is not the derivative of its forward."""

    def __init__(self, module: Module, derivative: Derivative) -> None:
        self.module, self.derivative = module, derivative
        super().__init__(
            f"{module!r}: the gradient of the {derivative.tensor} is not the derivative of the output\n"
            f"  along a random direction: backward gives {derivative.gradient:.18g}, "
            f"exact forward-mode differentiation {derivative.exact:.18g}\n"
            f"  they are {abs(derivative.gradient - derivative.exact):.3g} apart, {derivative.allowed:.3g} is allowed"
        )


class BackwardError(AssertionError):
    """Raised where a module's forward or backward raises and should return a gradient."""

    def __init__(self, module: Module, reason: Exception) -> None:
        super().__init__(f"{module!r}: no gradient, {type(reason).__name__}: {reason}")


class NotDifferentiable(TypeError):
    """Raised where a module's forward does something of which `parity.derivatives.duals` knows no derivative."""

    def __init__(self, module: Module, reason: Exception) -> None:
        super().__init__(
            f"{module!r}: its gradients were not compared with its derivatives\n  {reason}\n"
            "  it can be differentiated if it keeps array subclasses (np.asanyarray(x) without a dtype, not np.asarray "
            "nor np.array) and makes its buffers by np.empty_like or np.zeros_like of an input"
        )


@dataclass
class DerivativeReport:
    """The findings of checking one pair's gradients; `measured` is whether the module could be differentiated."""

    pair: str
    examples: int = 0
    derivatives: int = 0
    kinks: int = 0
    used: float = 0.0
    resolution: list[float] = field(default_factory=list)
    message: str = ""
    measured: bool = True
    shares: list[float] = field(default_factory=list, repr=False)  # of every derivative judged; not in the record

    @property
    def passed(self) -> bool:
        return not self.message

    def count(self, found: list[Derivative]) -> None:
        self.examples += 1
        self.kinks += sum(derivative.kink for derivative in found)
        for derivative in found:
            if not derivative.kink:
                self.derivatives += 1
                self.shares.append(derivative.used)
                self.used = max(self.used, derivative.used)
                if derivative.gradient != 0:
                    self.resolution.append(float(derivative.allowed / abs(derivative.gradient)))

    def as_record(self) -> DerivativeRecord:
        """The report as a record of the results store, without its `shares`."""
        found = {name: value for name, value in vars(self).items() if name not in ("resolution", "shares")}
        resolution = float(np.median(self.resolution)) if self.resolution else None
        return DerivativeRecord(key=self.pair, passed=self.passed, resolution=resolution, **found)


def derivatives(case: Case, alter: Callable[[Module], Module] | None = None) -> list[Derivative]:
    """The directional derivatives of the case's first step, for each input and for each parameter.

    Raises NotDifferentiable where forward leaves what `parity.derivatives.duals` can follow, BackwardError where
    backward raises.
    """
    case = (case if alter is None else case.with_module(alter(case.module))).astype(FORMAT)
    point = {name: values for name, values in _inputs(case.steps[0].input).items() if values.dtype.kind == "f"}
    point |= {name: parameter.value for name, parameter in case.module.named_parameters().items()}
    rng = np.random.default_rng(0)
    directions = {name: np.asarray(rng.standard_normal(values.shape), FORMAT) for name, values in point.items()}

    def backward(perturb: Perturb) -> Point:
        return _backward(case, directions, perturb)

    with np.errstate(all="ignore"):
        try:
            gradients = backward(np.asarray)
        except Exception as error:
            raise BackwardError(case.module, error) from error
        try:
            rounding = deviations(gradients, backward, FORMAT)
        except TypeError as error:
            raise NotDifferentiable(case.module, error) from error
        return [
            _judged(case, name, along, (gradients[""], rounding[""]), (gradients[name], rounding[name]))
            for name, along in directions.items()
        ]


def _judged(case: Case, name: str, along: Array, centre: Rounded, gradient: Rounded) -> Derivative:
    """The module's <gradient, along> beside the exact derivative; a kink where the derivatives on the two sides differ.

    The derivative's own rounding, which costs most of the time, is measured only where the gradient's does not explain
    the difference, and where something is tied.
    """
    ahead = OneSided(case, name, along)
    exact, tied = ahead.found["slope"][()], ahead.side.tied
    found = Derivative(name, gradient[0][()], exact, gradient[1])
    if not tied and np.isfinite(exact) and found.used <= 1:
        return found
    kink = not np.isfinite(exact)
    if tied:
        behind = OneSided(case, name, -along)
        smooth = same(ahead.slope, behind.slope, -1) and same(ahead.value, behind.value) and same(ahead.value, centre)
        kink = kink or not smooth
    return replace(found, allowed=gradient[1] + ahead.slope[1], kink=kink)


Rounded = tuple[Any, Any]  # a number, and how far rounding may move it


def same(first: Rounded, second: Rounded, sign: int = 1) -> bool:
    """Tells whether two numbers differ by rounding alone; with sign=-1, whether one and the other's negative do."""
    other = sign * second[0]
    return bool(first[0] == other or np.abs(first[0] - other) <= first[1] + second[1])


class OneSided:
    """L and its one-sided derivative at the point, as the input or parameter `name` moves along `along`."""

    def __init__(self, case: Case, name: str, along: Array) -> None:
        self.case, self.name, self.along = case, name, along
        self.side = Side()
        self.found = _forward(case, name, along, self.side)

    @functools.cached_property
    def rounding(self) -> Point:
        """The amounts by which rounding may move both, with what is tied at the point decided as it is on this side."""

        def run(_: Perturb) -> Point:
            return _forward(self.case, self.name, self.along, Side(Noisy, like=self.side))

        return deviations(self.found, run, FORMAT, together=False)

    @property
    def value(self) -> Rounded:
        return self.found["value"], self.rounding["value"]

    @property
    def slope(self) -> Rounded:
        return self.found["slope"], self.rounding["slope"]


def _forward(case: Case, name: str, along: Array, side: Side) -> Point:
    """L and its derivative, under "value" and "slope", as `name` moves along `along`; `side` decides the ties.

    The module starts afresh, so that it draws the same masks.
    """
    module = case.fresh()
    parameters = module.named_parameters()
    module.map_state(lambda key, values: dual(values, along if key == name and key in parameters else 0))
    moved = (
        dual(values, along if key == name and key not in parameters else 0) if values.dtype.kind == "f" else values
        for key, values in _inputs(case.steps[0].input).items()
    )
    input = each(lambda _: next(moved), case.steps[0].input)
    with differentiating(side):
        try:
            # A plain output is constant: whatever else leaves the class, raises.
            total = lifted(_total(case.steps[0].cotangent, module(input)))
        except (
            Exception
        ) as error:  # forward did without the class: it is what the module does with it that is not known
            raise NotDifferentiable(case.module, error) from error
        return {"value": total.value, "slope": total.tangent}


def _total(cotangent: Any, output: Any) -> Any:
    """L: the sum of cotangent * output, over all outputs."""
    products = zip(_inputs(cotangent).values(), _inputs(output).values(), strict=True)
    return np.asanyarray(sum(np.sum(sent * found) for sent, found in products))


def _inputs(values: Any, name: str = "input") -> Point:
    """The array under the name "input"; the arrays of a tuple under "input[0]", "input[1]", ...; None is left out."""
    if not isinstance(values, tuple):
        return {} if values is None else {name: values}
    found: Point = {}
    for index, part in enumerate(values):
        found |= _inputs(part, f"{name}[{index}]")
    return found


def _backward(case: Case, directions: Point, perturb: Perturb) -> Point:
    """L under the name "", and <gradient, direction> under the name of each direction."""
    module = case.fresh()
    module.map_state(lambda _, values: perturb(values))
    step = each(
        lambda array: as_in(perturb(array), array) if array.dtype.kind == "f" else array,
        (case.steps[0].input, case.steps[0].cotangent),
    )
    output = module(step[0])
    module.zero_grad()
    gradients = _inputs(module.backward(step[1]))
    gradients |= {name: parameter.grad for name, parameter in module.named_parameters().items()}
    for name, along in directions.items():
        if gradients[name].shape != along.shape:
            raise ValueError(f"the gradient of the {name}, of shape {along.shape}, has shape {gradients[name].shape}")
    found = {name: np.asanyarray(np.sum(gradients[name] * along)) for name, along in directions.items()}
    return {"": _total(step[1], output)} | found


def prove_derivative(target: type, *, examples: int = 50) -> DerivativeRecord:
    """The record of `check_derivatives`, for a class that has a pair: one of numpynet's, or a stranger's."""
    return check_derivatives(target, examples=examples).as_record()


def check_derivatives(
    target: type,
    *,
    examples: int = 50,
    alter: Callable[[Module], Module] | None = None,
    random_seed: int | None = None,
    shrink: bool = True,
) -> DerivativeReport:
    """Check the gradients of `examples` random cases of the pair of `target`; a failure is shrunk and reported.

    `alter` replaces the module in every case, as a planted defect does.
    """
    report = DerivativeReport(target.__name__)

    def look(case: Case, failed: Exception | None) -> Exception | None:
        try:
            found = derivatives(case, alter)
        except (BackwardError, NotDifferentiable) as error:
            return error
        except Exception as error:
            return Unjudged("differentiating an example", error, case)
        if failed is None:
            report.count(found)
        off = next((one for one in found if not one.kink and not one.used <= 1), None)
        return None if off is None else DerivativeError(case.module if alter is None else alter(case.module), off)

    error = first_failure(look, target, "float64", examples=examples, random_seed=random_seed, shrink=shrink)
    report.message, report.measured = str(error or ""), not isinstance(error, NotDifferentiable)
    return report
