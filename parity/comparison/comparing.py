"""Whether two models compute the same outputs, gradients and states and, if not, which layer is at fault."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from numpynet import Array
from parity.comparison.alignment import Aligned, aligned
from parity.comparison.allowing import RUNS, Allowances
from parity.comparison.faults import Bench, StateShare
from parity.comparison.faults import faults as find_faults
from parity.comparison.known import known
from parity.comparison.layout import Layout, closest
from parity.comparison.masks import Masks, Unshared, shared, steady
from parity.comparison.model import STATE, Call, Model, Run, Unfit, floats
from parity.comparison.pairing import paired
from parity.comparison.result import Beside, Comparison, Fault, Judged
from parity.comparison.sides import side
from parity.comparison.sides.recorded import inputs_of
from parity.comparison.trainings import Loss, Trainings
from parity.ladder.judge import errors, share_used
from parity.ladder.trace import GRADIENT, OUTPUT, Key, Trace

Show = Callable[[int, int], None]
NEARLY = 0.5  # of the allowance: the other's own formulas cost as much again, and are consulted beyond it
IDLE = ("identity", "dropout", "flatten")  # which compute nothing, or nothing in evaluation mode
SINGLE = np.dtype(np.float32)  # the format that is judged: torch has no wider one than float64 for a reference


def compare(
    first: Any,
    second: Any,
    inputs: Any = None,
    *,
    weights: Mapping[str, str] | None = None,
    seed: int = 0,
    show: Show | None = None,
    optimizers: tuple[Any, Any] | None = None,
    batches: Sequence[tuple[Any, Any]] | None = None,
    loss: tuple[Loss, Loss] | None = None,
) -> Comparison:
    """Tell whether two models compute the same function, with the weights of the first copied into the second.

    first, second: torch modules and built Keras models, two of a kind or one of each, in float32. The second is given
        the first's weights, for good if it is a Keras model; the first is left as it is. Of two Keras models the first
        is also run on Keras' torch backend, in a process of its own. The first may also be the path of a recording
        (`parity.record`), which needs nothing that the recorded model is written in.
    inputs: an array or tensor of the shape that the first takes, or a sequence of them; none for a recording, which has
        its own. How they lie in the second (channels last, time first) is found out.
    weights: names of the first's arrays and of the second's that hold the same, as far as they are known better
    seed: draws the random cotangents that gradients are compared under, and the masks of dropout
    show: is told after each run under rounding errors how many were made, of how many
    optimizers: the first model's and the second's, of torch.optim or keras.optimizers, or functions that make them (of
        the parameters, in torch): their updates are compared
    batches: pairs of inputs and targets: both models are trained on them, with `optimizers` and `loss`, and the losses
        are compared
    loss: the first model's and the second's: functions of output and target in torch, of target and output in Keras

    Raises `Unfit`, a ValueError, where the two cannot be compared; it says why and what to do.
    """
    one, other = side(first, "first"), side(second, "second")
    with one.left_as_it_was():
        given = batches and [(arrays_of(x), _array(y)) for x, y in batches]
        trainings = Trainings.of((one, other), optimizers, given, loss)
        rng = np.random.default_rng(seed)
        arrays = arrays_of(inputs_of(one, other, inputs))
        return _Comparing(one, other, arrays, weights or {}, rng, show, trainings).done()


def arrays_of(inputs: Any) -> list[Array]:
    """The arrays that a model is called with, floating ones in float32; raises `Unfit` where they are none."""
    given = list(inputs) if isinstance(inputs, tuple | list) else [inputs]
    if isinstance(inputs, Mapping) or not given:
        raise Unfit(
            "inputs: give an array, or a sequence of the arrays that the model is called with, one after another"
        )
    found = list(map(_array, given))
    for place, values in enumerate(found):
        if not values.size:
            raise Unfit(f"inputs: the {place + 1}. holds nothing, from which nothing can be told")
        if values.dtype.kind not in "fiub":
            raise Unfit(
                f"inputs: the {place + 1}. is of {values.dtype}; only real numbers, integers and truth values are taken"
            )
        if not np.isfinite(values).all():
            raise Unfit(f"inputs: the {place + 1}. holds NaN or an infinity, from which nothing can be told")
    return [values.astype(SINGLE) if values.dtype.kind == "f" else values for values in found]


def _array(values: Any) -> Array:
    """A copy of an array or tensor, which may be part of a graph."""
    return np.array(getattr(values, "detach", lambda: values)())


class _Comparing:
    """The steps of a comparison, each of which knows what the ones before found out."""

    def __init__(
        self,
        first: Model,
        second: Model,
        inputs: list[Array],
        weights: Mapping[str, str],
        rng: np.random.Generator,
        show: Show | None,
        trainings: Trainings,
    ) -> None:
        self.trainings = trainings
        self.first, self.second, self.inputs, self.given, self.rng = first, second, inputs, weights, rng
        self.show, self.made = show, 0
        for model, which in ((first, "first"), (second, "second")):
            for name, values in model.weights().items():
                if values.dtype != SINGLE:
                    raise Unfit(
                        f"{name} of the {which} model is {values.dtype}: only models in float32 are judged so far"
                    )
                if not np.isfinite(values).all():
                    raise Unfit(f"{name} of the {which} model holds NaN or an infinity")
        self.swapped = second.precedence > first.precedence
        self.reference, self.other = (second, first) if self.swapped else (first, second)
        self.notes: list[str] = []

    def done(self) -> Comparison:
        pairing = paired(self.first, self.second, self.inputs, self.given)
        self.matching, self.layouts, self.there = pairing.matching, pairing.layouts, pairing.there
        self.notes += pairing.notes
        wide = self.reference.wide()
        self.formulas = wide.by_formulas(self.other.framework)
        evaluation = self._judge(wide, False, {}, {})
        judgements = {"evaluation": evaluation}
        try:
            kept = shared(self.reference, evaluation.reference, evaluation.other, evaluation.pairs, self.rng)
            here, there = (self.there, self.inputs) if self.swapped else (self.inputs, self.there)
            steady(self.reference, here, kept[0])
            steady(self.other, there, kept[1])
        except Unshared as unshared:
            self.notes.append(str(unshared))
        else:
            judgements["training"] = self._judge(wide, True, *kept)
        faults: dict[str, Fault] = {}
        for mode, judgement in judgements.items():
            off = [tensor for tensor in judgement.tensors if not tensor.passed]
            bench = Bench(
                wide,
                self.formulas,
                self.other,
                mode == "training",
                judgement.reference.unflattened,
                SINGLE,
                self._state_share(judgement.reference),
            )
            found = list(find_faults(bench, judgement.pairs)) if off else []
            if judgement.itself > 1 or (off and not found):  # before anybody is accused, there is another look
                judgement.allowances.look_again(self._made)
                judgements[mode] = self._judged_by(judgement)
            faults |= {fault.layer: fault for fault in found if fault.layer not in faults}
        itself = max(judgement.itself for judgement in judgements.values())
        if itself > 1 and self.reference.framework == "keras":
            raise Unfit(
                f"two {self.first.framework} models: the first is run on Keras' torch backend, where rounding is "
                f"modelled, but computes something else there: it uses {itself:.3g} of what rounding allows itself"
            )
        updates = self.trainings.updates(self.reference, list(judgements.values())[-1].reference)
        try:
            curves = self.trainings.curves(self.reference, self.matching, self.layouts)
        except Unshared as unshared:
            curves = None
            self.notes.append(str(unshared))
        return Comparison(
            self.first.framework,
            self.second.framework,
            self.reference.framework,
            {mode: judgement.tensors for mode, judgement in judgements.items()},
            itself,
            list(faults.values()),
            self.matching.table(),
            len(evaluation.pairs),
            len(evaluation.other),
            _alone(evaluation),
            sorted({name for one in judgements.values() for name in one.allowances.unmodelled} | wide.unmodelled),
            [*self.notes, *self.reference.untold()],
            updates,
            curves,
            list(map(Beside.of, evaluation.pairs)),
        )

    # The judgement.

    def _judge(self, wide: Model, training: bool, kept: Masks, kept_there: Masks) -> _Judgement:
        here, there = (self.there, self.inputs) if self.swapped else (self.inputs, self.there)
        probe = self.reference.run(here, training, kept=kept)
        cotangents = self.reference.cotangents(probe.outputs, training, self.rng)

        def computed() -> Trace:
            return _trace(wide.run(here, training, cotangents, kept))

        reference = self.reference.run(here, training, cotangents, kept)
        allowances = Allowances(computed(), computed, SINGLE)
        allowances.look(self._made)
        plain = self.other.run(there, training, kept=kept_there)
        outputs = [closest(*pair) for pair in zip(reference.outputs, plain.outputs, strict=False)]
        if len(reference.outputs) != len(plain.outputs) or None in outputs:
            shapes = [[output.shape for output in run.outputs] for run in (reference, plain)]
            raise Unfit(f"the models' outputs are not of the same shapes in any layout: {shapes[0]} and {shapes[1]}")
        placed = [layout for layout in outputs if layout is not None]
        sent = [layout.there(cotangent) for layout, cotangent in zip(placed, cotangents, strict=True)]
        other = self.other.run(there, training, sent, kept_there)
        pairs = aligned(reference, other, self.matching, self.swapped)
        found = self._as_reference(reference, other, pairs, placed)
        judgement = self._judged_by(_Judgement(allowances, reference, found, pairs, other.calls))
        nearest = max([judgement.itself, *(tensor.share for tensor in judgement.tensors)])
        if (formulas := self.formulas) is not None and not nearest <= NEARLY:

            def computed_so() -> Trace:
                return _trace(formulas.run(here, training, cotangents, kept))

            beside = Allowances(computed_so(), computed_so, SINGLE)
            beside.look(self._made)
            allowances.widen(beside)
            judgement = self._judged_by(judgement)
        return judgement

    def _made(self) -> None:
        """Tell how many runs were made, of those that two modes take."""
        self.made += 1
        if self.show is not None:
            self.show(self.made, max(self.made, 2 * RUNS))

    def _judged_by(self, judgement: _Judgement) -> _Judgement:
        """The judgement by what its allowances are now."""
        expected, bounds, own = judgement.allowances.reference, judgement.allowances.bounds, _trace(judgement.reference)
        tensors = [
            self._judged(key, judgement.found[key], value, bounds[key], judgement.reference)
            for key, value in expected.items()
            if key in judgement.found
        ]
        itself = max((share_used(own[key], value, bounds[key], SINGLE) for key, value in expected.items()), default=0.0)
        return replace(judgement, tensors=tensors, itself=itself)

    def _judged(self, key: Key, found: Array, expected: Array, bound: Array, reference: Run) -> Judged:
        """One tensor, judged by the reference or, where it is outside, by what is known to differ."""
        judged = Judged(key, share_used(found, expected, bound, SINGLE), _digits(found, expected))
        if (
            not judged.passed
            and key.quantity == "state"
            and self.reference.framework == "torch" != self.other.framework
        ):
            before = self.reference.state()[key.layer, key.tensor]
            for difference in known(reference, key.layer, key.tensor):
                predicted = difference.predicted(before.astype(expected.dtype), expected)
                share = share_used(found, predicted, bound, SINGLE)
                if share <= 1:
                    return Judged(key, share, _digits(found, predicted), difference)
        return judged

    def _as_reference(self, reference: Run, other: Run, pairs: Sequence[Aligned], outputs: Sequence[Layout]) -> Trace:
        """The other model's tensors, by the reference's keys and in its layout."""
        found: Trace = {}
        earlier = reference.unflattened
        for pair in pairs:
            for place, values in enumerate(pair.other.outputs):
                if place >= len(pair.last.outputs) or place not in floats(pair.last.outputs):
                    continue
                layout = closest(pair.last.outputs[place], values, earlier)
                if layout is None:
                    continue
                gradient = _or_zero(pair.other.gradients[place], values)
                found[_key(OUTPUT, pair.last.site, "output", place, pair.last.outputs)] = layout.back(values)
                found[_key(GRADIENT, pair.last.site, "output gradient", place, pair.last.outputs)] = layout.back(
                    gradient
                )
        for place, (layout, values) in enumerate(zip(outputs, other.outputs, strict=True)):
            found[_key(OUTPUT, "", "output", place, other.outputs)] = layout.back(values)
        there = self.inputs if self.swapped else self.there
        for place, (layout, values) in enumerate(zip(self.layouts, there, strict=True)):
            gradient = _or_zero(other.input_gradients[place], values)
            turned = layout.there(gradient) if self.swapped else layout.back(gradient)
            found[_key(GRADIENT, "", "input gradient", place, there)] = turned
        for match in self.matching.matches:
            ours, theirs = (match.second, match.first) if self.swapped else (match.first, match.second)
            turn = match.there if self.swapped else match.back
            for role, second in match.roles.items():
                own, name = (second, role) if self.swapped else (role, second)
                if name in STATE:
                    key, values = Key(0, OUTPUT, ours.name, "state", own), other.state[theirs.name, name]
                else:
                    key = Key(0, GRADIENT, ours.name, "parameter gradient", own)
                    values = _or_zero(
                        other.parameter_gradients.get((theirs.name, name)), self.other.read(theirs.held[name])
                    )
                found[key] = turn(role, values)
        return found

    def _state_share(self, reference: Run) -> StateShare:
        return lambda key, found, expected, bound: self._judged(key, found, expected, bound, reference).share


@dataclass
class _Judgement:
    """One mode's: what was found of the other model, and how it is judged by the allowances."""

    allowances: Allowances[Key]
    reference: Run
    found: Trace
    pairs: list[Aligned]
    other: list[Call]
    tensors: list[Judged] = field(default_factory=list)
    itself: float = 0.0


def _alone(judgement: _Judgement) -> list[str]:
    """The reference's calls of layers that compute something and have no counterpart, with the layers' classes."""
    paired = {id(call) for pair in judgement.pairs for call in pair.reference}
    calls = [call for call in judgement.reference.calls if id(call) not in paired and call.layer.kind not in IDLE]
    return [f"{call.site} ({call.layer.title})" for call in calls]


def _or_zero(gradient: Array | None, of: Array) -> Array:
    """The gradient of an array; zeros where nothing came back to it, which is what that means."""
    return np.zeros_like(of, SINGLE) if gradient is None else gradient


def _key(rung: int, layer: str, quantity: str, place: int, of: Sequence[Any]) -> Key:
    return Key(0, rung, layer, quantity, f"[{place}]" if len(of) > 1 else "")


def _trace(run: Run) -> Trace:
    """Everything floating that a run computed, in the order in which it did."""
    found: Trace = {}
    for call in run.calls:
        for place in floats(call.outputs):
            found[_key(OUTPUT, call.site, "output", place, call.outputs)] = call.outputs[place]
    for place in floats(run.outputs):
        found[_key(OUTPUT, "", "output", place, run.outputs)] = run.outputs[place]
    for (layer, role), values in run.state.items():
        found[Key(0, OUTPUT, layer, "state", role)] = values
    for call in reversed(run.calls):
        for place, gradient in enumerate(call.gradients):
            if gradient is not None:
                found[_key(GRADIENT, call.site, "output gradient", place, call.outputs)] = gradient
    for (layer, role), values in run.parameter_gradients.items():
        found[Key(0, GRADIENT, layer, "parameter gradient", role)] = values
    for place, gradient in enumerate(run.input_gradients):
        if gradient is not None:
            found[_key(GRADIENT, "", "input gradient", place, run.input_gradients)] = gradient
    return found


def _digits(actual: Array, expected: Array) -> float:
    """The decimal digits in which two arrays agree, of the largest element's; those of float32 where they are equal."""
    most = -math.log10(np.finfo(SINGLE).eps)
    size = float(np.max(np.abs(expected), initial=0))
    if actual.shape != expected.shape or not size:
        return 0.0 if actual.shape != expected.shape else most
    error = float(np.max(errors(actual, expected), initial=0)) / size
    return most if not error else min(most, max(0.0, -math.log10(error))) if math.isfinite(error) else 0.0
