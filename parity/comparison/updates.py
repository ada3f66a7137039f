"""Rung 3 of two optimizers: the same updates? Both step along the same gradients, from the same parameters.

What one of them is expected to compute is numpynet's rule of its settings, in float64; rounding allows it what that
rule, and the framework's own formula of it, deviate by under rounding errors (`parity.rounding.allowance`). Rules move
each element by itself: `ELEMENTS` of an array tell as much as all.

Parameters in 16 bits are moved by optimizers whose state is in 16 bits, too, and judged by what that allows;
under autocast or a policy both are in float32. Loss scaling is no part of a rule: gradients are what is left behind it.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from numpynet import SGD, Adagrad, Adam, Array, Optimizer, RMSprop
from parity.comparison.allowed import Allowed, Granted
from parity.comparison.allowing import Allowances
from parity.comparison.formats import NARROW, Arithmetic
from parity.comparison.model import Unfit
from parity.comparison.rules import PLACES, Rule, Stepper, Steps
from parity.ladder.trace import STEP, Key, Trace
from parity.rounding.allowance import Perturb, deviations
from parity.rounding.noisy import as_noisy

ELEMENTS = 512
# Octaves that gradients are larger than the model's own, by step: small ones tell where eps is and how large, the last
# are so large that what clips does.
OCTAVES = ((0, 0), (-30, 0), (-30, 0), (0, 20))
SINGLE = np.dtype(np.float32)
EPS: dict[type[Optimizer], tuple[str, str]] = {
    Adam: ("adam-eps", "Keras adds eps to the root before its bias is corrected, torch after"),
    RMSprop: ("rmsprop-eps", "Keras adds eps beneath the root, torch to the root"),
    Adagrad: ("adagrad-eps", "Keras adds eps beneath the root, torch to the root"),
}
CORRECTION = (
    "adam-bias-correction",
    "Keras raises the betas to the power of the step in the format of the parameters, of 16 bits here: of 0.999, 1 is "
    "left in bfloat16, so that they do not move",
)
DECAY: dict[type[Optimizer], str] = {SGD: "sgd-weight-decay", Adam: "adam-weight-decay"}


@dataclass(frozen=True)
class Difference:
    """Something that two rules differ in, without which the updates are within what rounding allows.

    name: of the setting, or "decoupled"
    """

    name: str
    told: str
    mend: str


@dataclass
class Updates:
    """The findings on two optimizers.

    shares: of what is allowed, by tensor: the largest that an element uses
    itself: the largest that the reference's optimizer uses
    differences: what is probably the cause where something is outside; empty where nothing that is known removes it
    known: entries of the catalogue, with what frameworks do differently in a right port
    settings: what the two rules differ in, where that does not explain it
    beyond: of each tensor that the range of the format keeps from being judged, how many elements; the others are
    form: the format that was judged
    """

    first: str
    second: str
    shares: dict[Key, float]
    itself: float
    differences: list[Difference] = field(default_factory=list)
    known: list[tuple[str, str]] = field(default_factory=list)
    settings: list[str] = field(default_factory=list)
    beyond: dict[Key, int] = field(default_factory=dict)
    form: str = "float32"

    @property
    def outside(self) -> list[Key]:
        """The tensors that use more than is allowed, in the order of computation."""
        return [key for key, share in self.shares.items() if not share <= 1]

    @property
    def passed(self) -> bool:
        return not self.outside


def compare_updates(
    reference: Stepper,
    other: Stepper,
    start: Mapping[tuple[str, str], Array],
    gradients: Mapping[tuple[str, str], Array],
) -> Updates:
    """Compare two optimizers on these parameters; `gradients` are the model's own, as large as such are."""
    narrow = next((NARROW[one.form] for one in (reference, other) if one.form in NARROW), None)
    judging = _Judging(list(gradients), start, gradients, Arithmetic(SINGLE, narrow))
    expected = reference.rule
    found = other.rule
    titles = f"{reference.title} of {reference.framework}", f"{other.title} of {other.framework}"
    itself = judging.share(reference, expected)
    if itself > 1:
        raise Unfit(
            f"optimizers: {titles[0]} does not do what its settings say: it uses {itself:.3g} of what is allowed"
        )
    if found.kind is not expected.kind:
        told = f"the optimizer: {reference.title} there, {other.title} here"
        mend = f"{reference.title} in both"
        return judging.updates(titles, itself, other, expected, [Difference("optimizer", told, mend)])
    unequal = _unequal(reference, other)
    for names, decoupled, place in _attempts(unequal, expected, found):
        try:
            changed = other.changed({name: expected.settings.get(name) for name in names})
            share = judging.share(changed, replace(expected, decoupled=decoupled, eps_inside=place))
        except (KeyError, ValueError):  # it has no such setting, or not with the others
            continue
        if share <= 1:
            known = [EPS[expected.kind]] if place != expected.eps_inside else []
            if expected.kind is Adam and any(
                one.form in NARROW and one.framework != "torch" for one in (reference, other)
            ):
                known.append(CORRECTION)
            causes = [_difference(reference, other, name) for name in names]
            if decoupled != expected.decoupled:
                causes.append(_decay(reference, other))
            by = replace(expected, eps_inside=place)
            return judging.updates(titles, itself, other, by, causes, known)
    settings = [_difference(reference, other, name).told for name in unequal]
    return judging.updates(titles, itself, other, expected, settings=settings)


def _unequal(reference: Stepper, other: Stepper) -> list[str]:
    """The settings of the two rules that differ, a learning rate by more than float32 does."""
    ours, theirs = reference.rule.settings, other.rule.settings
    return [name for name in {**ours, **theirs} if np.float32(ours.get(name) or 0) != np.float32(theirs.get(name) or 0)]


def _attempts(unequal: Sequence[str], expected: Rule, found: Rule) -> Iterator[tuple[list[str], bool, bool]]:
    """Yields what may explain it, the least first: settings to change, and whose decay and place of eps to expect."""
    places = dict.fromkeys((expected.eps_inside, found.eps_inside)) if expected.kind in PLACES else [False]
    subsets = [[], *([name] for name in unequal), *([list(unequal)] if len(unequal) > 1 else [])]
    for names, decoupled in itertools.product(subsets, dict.fromkeys((expected.decoupled, found.decoupled))):
        for place in places:
            yield names, decoupled, place


def _difference(reference: Stepper, other: Stepper, name: str) -> Difference:
    there, here = reference.rule.settings.get(name), other.rule.settings.get(name)
    told = f"{name}: {reference.written(name, there)} there, {other.written(name, here)} here"
    return Difference(name, told, other.written(name, there))


def _decay(reference: Stepper, other: Stepper) -> Difference:
    words = ("joins the gradient", "is decoupled")
    told = f"weight decay: it {words[reference.rule.decoupled]} there, and {words[other.rule.decoupled]} here"
    entry = DECAY.get(reference.rule.kind, "")
    if reference.rule.decoupled:
        mend = "AdamW" if reference.rule.kind is Adam else "weights that shrink by lr * weight_decay before each step"
    else:
        mend = (
            "Adam"
            if other.framework == "torch"
            else "a regularizer, keras.regularizers.L2(weight_decay / 2), for weight_decay"
        )
    return Difference("decoupled", told + (f" (catalogue: {entry})" if entry else ""), mend)


class _Judging:
    """The parameters and gradients that optimizers are judged on, and what each rule is expected to make of them."""

    def __init__(
        self,
        names: Sequence[tuple[str, str]],
        start: Mapping[tuple[str, str], Array],
        gradients: Mapping[tuple[str, str], Array],
        arithmetic: Arithmetic,
    ) -> None:
        self.names, self.arithmetic = names, arithmetic
        self.start = [start[name].ravel()[:ELEMENTS] for name in names]
        rng = np.random.default_rng(0)
        own = [gradients[name].ravel()[:ELEMENTS] for name in names]
        own = [np.where(np.isfinite(values), values, 0).astype(SINGLE) for values in own]  # in 16 bits some overflow
        size = float(np.sqrt(np.mean(np.concatenate([values.ravel() for values in own]) ** 2))) or 1.0
        self.gradients = [own] + [
            [
                (size * rng.standard_normal(values.shape) * 2 ** rng.uniform(*octaves, values.shape)).astype(SINGLE)
                for values in own
            ]
            for octaves in OCTAVES[1:]
        ]
        if narrow := arithmetic.narrow:
            self.gradients = [
                [np.clip(narrow.nearest(values), -narrow.largest, narrow.largest) for values in step]
                for step in self.gradients
            ]

    def updates(
        self,
        titles: tuple[str, str],
        itself: float,
        stepper: Stepper,
        rule: Rule,
        differences: Sequence[Difference] = (),
        known: Sequence[tuple[str, str]] = (),
        settings: Sequence[str] = (),
    ) -> Updates:
        """The findings on an optimizer that is expected to follow `rule`."""
        found, allowed = self._found(stepper, rule)
        beyond = {key: int(np.sum(allowed.out_of_range(key, values))) for key, values in found.items()}
        return Updates(
            *titles,
            {key: allowed.share(key, values) for key, values in found.items()},
            itself,
            list(differences),
            list(known),
            list(settings),
            {key: number for key, number in beyond.items() if number},
            self.arithmetic.name,
        )

    def share(self, stepper: Stepper, rule: Rule) -> float:
        """The largest share of its allowance that an optimizer uses, if it is expected to follow `rule`."""
        found, allowed = self._found(stepper, rule)
        return max((allowed.share(key, values) for key, values in found.items()), default=0.0)

    def _found(self, stepper: Stepper, rule: Rule) -> tuple[Trace, Allowed[Key]]:
        """What an optimizer computes, of that which is expected of the rule, and the allowances of that."""
        found = self._trace(stepper.steps(self.start, self.gradients))
        allowed = self._allowed(rule, stepper.framework)
        return {key: found[key] for key in allowed.reference if key in found}, allowed

    def _allowed(self, rule: Rule, framework: str) -> Allowed[Key]:
        """What the rule computes in float64, and what rounding allows an optimizer of this framework."""
        wide = [values.astype(np.float64) for values in self.start]
        gradients = [[values.astype(np.float64) for values in step] for step in self.gradients]

        def computed(formula: str, perturb: Perturb) -> Trace:
            return self._trace(rule.steps(wide, gradients, perturb, formula))

        def allowed(formula: str) -> Allowed[Key]:
            by_formula = functools.partial(computed, formula)
            with np.errstate(all="ignore"):
                reference = by_formula(np.asarray)
            if self.arithmetic.narrow is None:
                return Granted(reference, SINGLE, deviations(reference, by_formula, SINGLE))
            allowances = Allowances(reference, functools.partial(by_formula, as_noisy), self.arithmetic)
            for _ in allowances.looked():
                pass
            allowances.look_at_range()
            return allowances

        rules, own = allowed(""), allowed(framework)
        bounds = {key: np.maximum(rules.bound(key), own.bound(key)) for key in rules.reference}
        strayed = {key: np.maximum(far, own.strayed[key]) for key, far in rules.strayed.items()}
        return Granted(rules.reference, SINGLE, bounds, strayed)

    def _trace(self, steps: Steps) -> Trace:
        found: Trace = {}
        for index, step in enumerate(steps):
            for (layer, role), (value, slots) in zip(self.names, step, strict=True):
                found[Key(index, STEP, layer, "parameter", role)] = value
                for slot, held in slots.items():
                    found[Key(index, STEP, layer, slot.replace("_", " "), role)] = held
        return found
