"""The reference's gradients against numerical differentiation, so that a wrong formula cannot hide by being its own
reference.

    L(t) = sum(cotangent * f(point + t * direction))

is differentiated at t = 0 along a random direction of the input and of each parameter, in longdouble, and compared with
<gradient, direction>. The slopes to the right and to the left are extrapolated to a step of zero separately:

    Ridders, Adv. Eng. Softw. 4 (1982) 75-76: Richardson's extrapolation, each entry of the table with its own error.

An entry of the table may be off by three things, and the entry whose sum is smallest is taken:

- its change against the two entries that it was made from (Ridders' estimate of what the extrapolation leaves out);
- rounding: what `parity.allowance` measures for L at 0 and, in proportion to t, at the first step, over the step;
- the jump between the two slopes: a derivative is what both have in common.

Where the jump is more than the other two explain, f has a kink at the point: there is no derivative to compare with,
and the direction is counted and left out. A kink at a distance only makes the steps beyond it useless. To the sum comes
the rounding of <gradient, direction> itself, measured alike. No tolerance is chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from numpynet import Array, Module
from numpynet.graph import packed
from numpynet.module import each
from parity.allowance import Noisy, deviations
from parity.pairing import Case
from parity.strategies import for_all

FORMAT = np.dtype(np.longdouble)
REDUCTION = 4  # each step is a quarter of the one before: exact, and few evaluations
STEPS = REDUCTION ** -np.arange(1, 21, dtype=FORMAT)  # from a quarter of the point's size to 1e-12 of it

Point = dict[str, Array]  # every input and parameter by name


@dataclass(frozen=True)
class Slope:
    """A derivative found numerically: its value, and how far off it may be; `kink` where there is none."""

    value: Any
    error: Any
    kink: bool


@dataclass(frozen=True)
class Derivative:
    """One directional derivative of a case: along a direction of `tensor`, as the module and as the slopes have it."""

    tensor: str
    gradient: Any
    slope: Slope
    allowed: Any

    @property
    def used(self) -> float:
        """Share of what the numerical derivative may be off."""
        difference = np.abs(self.gradient - self.slope.value)
        return 0.0 if difference == 0 else float(difference / self.allowed) if self.allowed > 0 else float("inf")


class DerivativeError(AssertionError):
    """A module's backward is not the derivative of its forward."""

    def __init__(self, module: Module, derivative: Derivative) -> None:
        self.module, self.derivative = module, derivative
        super().__init__(
            f"{module!r}: the gradient of the {derivative.tensor} is not the derivative of the output\n"
            f"  along a random direction: backward gives {derivative.gradient:.18g}, "
            f"numerical differentiation {derivative.slope.value:.18g}\n"
            f"  they are {abs(derivative.gradient - derivative.slope.value):.3g} apart, "
            f"{derivative.allowed:.3g} is allowed"
        )


@dataclass
class DerivativeReport:
    """What checking one pair's gradients found."""

    pair: str
    examples: int = 0
    derivatives: int = 0
    kinks: int = 0
    used: float = 0.0
    resolution: list[float] = field(default_factory=list)
    message: str = ""

    @property
    def holds(self) -> bool:
        return not self.message

    def count(self, found: list[Derivative]) -> None:
        self.examples += 1
        self.kinks += sum(derivative.slope.kink for derivative in found)
        for derivative in found:
            if not derivative.slope.kink:
                self.derivatives += 1
                self.used = max(self.used, derivative.used)
                if derivative.gradient != 0:
                    self.resolution.append(float(derivative.allowed / abs(derivative.gradient)))

    def as_record(self) -> dict[str, Any]:
        """For the results store; `resolution` is the median relative error that would have been noticed."""
        resolution = float(np.median(self.resolution)) if self.resolution else None
        return {**asdict(self), "key": self.pair, "resolution": resolution, "holds": self.holds}


def extrapolate(slopes: Array, noise: Array) -> Slope:
    """The limit of one-sided slopes, of shape (2, steps), as the step goes to zero; `noise` is their rounding."""
    best = Slope(np.nan, np.inf, False)
    for column in range(1, len(noise)):
        weight = REDUCTION**column  # a slope's error is a series in the step: this column removes one more term
        finer = (weight * slopes[:, 1:] - slopes[:, :-1]) / (weight - 1)
        noise = (weight * noise[1:] + noise[:-1]) / (weight - 1)
        change = np.maximum(np.abs(finer - slopes[:, 1:]), np.abs(finer - slopes[:, :-1])).max(axis=0)
        explained = change + noise
        jump = np.abs(finer[0] - finer[1])
        at = int(np.argmin(explained + jump))
        if explained[at] + jump[at] < best.error:
            best = Slope(finer[:, at].mean(), explained[at] + jump[at], bool(jump[at] > 2 * explained[at]))
        slopes = finer
    return best


def derivatives(case: Case, alter: Callable[[Module], Module] | None = None) -> list[Derivative]:
    """The directional derivatives of the case's first step, for its input and for each parameter."""
    case = (case if alter is None else case.with_module(alter(case.module))).astype(FORMAT)
    point = _inputs(case.steps[0].input)
    point |= {name: parameter.value for name, parameter in case.module.named_parameters().items()}
    rng = np.random.default_rng(0)
    directions = {name: _direction(rng, values) for name, values in point.items()}

    def at(step: Any, array_class: type[np.ndarray[Any, Any]]) -> dict[str, Array]:
        moved = {name: step * along for name, along in directions.items()}
        value, gradients = _evaluate(case, point, moved, array_class)
        return {"": value} | {
            name: np.asanyarray(np.sum(gradients()[name] * along)) for name, along in directions.items()
        }

    with np.errstate(all="ignore"):
        centre, aside = at(0, np.ndarray), at(STEPS[0], np.ndarray)
        rounding = deviations(centre, lambda: at(0, Noisy), FORMAT)
        farther = deviations({"": aside[""]}, lambda: at(STEPS[0], Noisy), FORMAT)
        noise = 2 * (rounding[""] + farther[""] * STEPS / STEPS[0]) / STEPS
        found = []
        for name, along in directions.items():
            slope = extrapolate(_one_sided(case, point, name, along, centre[""]), noise)
            found.append(Derivative(name, centre[name][()], slope, slope.error + rounding[name]))
    return found


def _inputs(values: Any) -> Point:
    """The array by its name; of a tuple, each by its index."""
    return {f"input[{i}]": array for i, array in enumerate(values)} if isinstance(values, tuple) else {"input": values}


def _direction(rng: np.random.Generator, values: Array) -> Array:
    """Random, as large as the values are."""
    size = np.max(np.abs(values), initial=0) or 1
    return np.asarray(size * rng.standard_normal(values.shape), FORMAT)


def _one_sided(case: Case, point: Point, name: str, along: Array, centre: Array) -> Array:
    """The slopes of L to the right and to the left, for every step."""
    slopes = np.empty((2, len(STEPS)), FORMAT)
    for index, step in enumerate(STEPS):
        for side, t in enumerate((step, -step)):
            slopes[side, index] = (_evaluate(case, point, {name: t * along})[0] - centre) / t
    return slopes


def _evaluate(
    case: Case, point: Point, moved: Point, array_class: type[np.ndarray[Any, Any]] = np.ndarray
) -> tuple[Array, Callable[[], Point]]:
    """L at `point + moved`, and what computes its gradients there. The module starts afresh: same masks, same state."""
    module = case.fresh()
    for name, parameter in module.named_parameters().items():
        if name in moved:
            parameter.map(lambda value, name=name: value.view(array_class) + moved[name])  # type: ignore[misc]
    inputs = {name: point[name].view(array_class) for name in _inputs(case.steps[0].input)}
    output = module(packed([array + moved[name] if name in moved else array for name, array in inputs.items()]))
    cotangent = each(lambda array: array.view(array_class), case.steps[0].cotangent)

    def gradients() -> Point:
        module.zero_grad()
        of_inputs = _inputs(module.backward(cotangent))
        return of_inputs | {name: p.grad for name, p in module.named_parameters().items()}

    products = zip(_inputs(cotangent).values(), _inputs(output).values(), strict=True)
    return np.asanyarray(sum(np.sum(sent * found) for sent, found in products)), gradients


def prove_derivative(target: type, *, examples: int = 50) -> dict[str, Any]:
    """The record of `check_derivatives`."""
    return check_derivatives(target, examples=examples).as_record()


def check_derivatives(
    target: type,
    *,
    examples: int = 50,
    alter: Callable[[Module], Module] | None = None,
    random_seed: int | None = None,
) -> DerivativeReport:
    """Check the gradients of `examples` random cases of the pair of `target`; a failure is shrunk and reported.

    `alter` replaces the module in every case (a planted defect).
    """
    report = DerivativeReport(target.__name__)
    failed = False

    def property_(case: Case) -> None:
        nonlocal failed
        found = derivatives(case, alter)
        if not failed:
            report.count(found)
        for derivative in found:
            if not derivative.slope.kink and not derivative.used <= 1:
                failed = True
                raise DerivativeError(case.module if alter is None else alter(case.module), derivative)

    try:
        for_all(property_, target, "float64", examples=examples, random_seed=random_seed)
    except DerivativeError as error:
        report.message = str(error)
    return report
