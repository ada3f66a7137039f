"""Whether two models compute the same outputs, gradients and states and, if not, which layer is at fault."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from numpynet import Array
from parity.comparison.alignment import aligned, unseen
from parity.comparison.allowing import RUNS, Allowances
from parity.comparison.conversion import Misconverted, as_it_came
from parity.comparison.correspondence import Correspondence, key_of, trace_of
from parity.comparison.faults import faults as find_faults
from parity.comparison.feeding import Lying
from parity.comparison.formats import Arithmetic, holding_the_same, judged_format
from parity.comparison.judging import Judge, Judgement
from parity.comparison.layout import closest, turned
from parity.comparison.masks import Masks, Unshared, shared, steady
from parity.comparison.model import Model, Unfit, floats
from parity.comparison.narrowing import NONE_KEPT, Watch, as_computed, in_single, overflown
from parity.comparison.own import Bench
from parity.comparison.pairing import paired
from parity.comparison.result import Beside, Comparison, Fault
from parity.comparison.sides import side
from parity.comparison.sides.recorded import inputs_of
from parity.comparison.training import Batches
from parity.comparison.trainings import Loss, Trainings
from parity.ladder.trace import OUTPUT, Key, Trace

Show = Callable[[int, int], None]
CAME = "as-it-came"  # evaluation with the weights that the second model held
IDLE = ("identity", "dropout", "flatten")  # which compute nothing, or nothing in evaluation mode


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

    first, second: torch modules and built Keras models, two of a kind or one of each, both in float32, float64,
        float16 or bfloat16, or under torch's autocast or a policy of Keras with float32; or one of them in float32, and
        the other in any of these but float64. The second is given the
        first's weights, for good if it is a Keras model; the first is left as it is. Of two Keras models the first is
        also run on Keras' torch backend, in a process of its own. The first may also be the path of a recording
        (`parity.record`), which needs nothing that the recorded model is written in.
    inputs: an array or tensor of the shape that the first takes, or a sequence of them; none for a recording, which has
        its own. How they lie in the second (channels last, time first) is found out.
    weights: names of the first's arrays and of the second's that hold the same, as far as they are known better
    seed: draws the random cotangents that gradients are compared under, and the masks of dropout
    show: is told after each run under rounding errors, and each training, how many were made, of how many
    optimizers: the first model's and the second's, of torch.optim or keras.optimizers, or functions that make them (of
        the parameters, in torch): their updates are compared
    batches: pairs of inputs and targets: both models are trained on them, with `optimizers` and `loss`, and the losses
        are compared
    loss: the first model's and the second's: functions of output and target in torch, of target and output in Keras

    Raises `Unfit`, a ValueError, where the two cannot be compared; it says why and what to do.
    """
    one, other = side(first, "first"), side(second, "second")
    with one.left_as_it_was():
        arithmetic = judged_format(one, other)
        one.judged_in(arithmetic.name)
        if optimizers is not None and arithmetic.name == "float64":
            raise Unfit("optimizers: those of models in float32 are compared, and in 16 bits; these are in float64")
        given = batches and taken(batches, arithmetic)
        trainings = Trainings.of((one, other), optimizers, given, loss)
        rng = np.random.default_rng(seed)
        arrays = arrays_of(inputs_of(one, other, inputs), arithmetic)
        with holding_the_same(one, other, arithmetic):
            return _Comparing(one, other, arrays, weights or {}, rng, show, trainings, arithmetic).done()


def arrays_of(inputs: Any, arithmetic: Arithmetic) -> list[Array]:
    """The arrays that a model is called with, floating ones in this format; raises `Unfit` where they are none."""
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
    return [arithmetic.of(values) if values.dtype.kind == "f" else values for values in found]


def taken(batches: Sequence[tuple[Any, Any]], arithmetic: Arithmetic) -> Batches:
    """Batches of inputs and targets as arrays, inputs in this format."""
    return [(arrays_of(inputs, arithmetic), _array(target)) for inputs, target in batches]


def _array(values: Any) -> Array:
    """A copy of an array or tensor, which may be part of a graph, or of a format that NumPy does not have."""
    values = getattr(values, "detach", lambda: values)()
    return np.array(values.float() if str(getattr(values, "dtype", "")) == "torch.bfloat16" else values)


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
        arithmetic: Arithmetic,
    ) -> None:
        self.trainings = trainings
        self.first, self.second, self.inputs, self.given, self.rng = first, second, inputs, weights, rng
        self.show, self.made, self.arithmetic = show, 0, arithmetic
        for model, which in ((first, "first"), (second, "second")):
            for name, values in model.weights().items():
                if not np.isfinite(values).all():
                    raise Unfit(f"{name} of the {which} model holds NaN or an infinity")
        self.swapped = second.precedence > first.precedence
        self.reference, self.other = (second, first) if self.swapped else (first, second)
        self.notes: list[str] = []

    def done(self) -> Comparison:
        self.arithmetic = as_computed(self.first, self.inputs, self.arithmetic)
        pairing = paired(self.first, self.second, self.inputs, self.given, self.arithmetic.near)
        self.arithmetic = as_computed(self.second, pairing.there, self.arithmetic)
        self.first.judged_in(self.arithmetic.name)
        self.matching, self.layouts, self.there = pairing.matching, pairing.layouts, pairing.there
        self.correspondence = Correspondence(
            self.reference,
            self.other,
            pairing.matching,
            pairing.layouts,
            self.inputs if self.swapped else self.there,
            self.swapped,
        )
        self.notes += [*pairing.notes, *self.correspondence.frozen_alone()]
        wide = self.reference.wide()
        self.formulas = functools.cache(lambda: wide.by_formulas(self.other.framework))
        evaluation = self._judge(wide, False, {}, {})
        judgements = {"evaluation": evaluation}
        if pairing.misconverted and not self.swapped:
            judgements[CAME] = self._judge_as_it_came(wide, evaluation, pairing.misconverted)
        try:
            kept = shared(self.reference, evaluation.reference, evaluation.other, evaluation.pairs, self.rng)
            here, there = (self.there, self.inputs) if self.swapped else (self.inputs, self.there)
            steady(self.reference, here, kept[0])
            steady(self.other, there, kept[1])
        except Unshared as unshared:
            self.notes.append(str(unshared))
        else:
            judgements["training"] = self._judge(wide, True, *kept)
        faults = {one.fault.layer: one.fault for one in reversed(pairing.misconverted) if CAME in judgements}
        for mode in [mode for mode in judgements if mode != CAME]:
            for fault in self._faults(wide, mode == "training", judgements[mode]):
                faults.setdefault(fault.layer, fault)
        if not faults:
            self.notes += unseen(evaluation.pairs)
        tensors = [tensor for judgement in judgements.values() for tensor in judgement.tensors]
        outputs = [tensor for tensor in tensors if not tensor.key.layer and tensor.key.quantity == "output"]
        if all(tensor.beyond == tensor.size for tensor in outputs):
            raise Unfit(
                f"all outputs go beyond the range of {self.arithmetic.name}, and nothing can be told: give smaller "
                "inputs, or take a format of a wider range"
            )
        itself = max(judgement.itself for judgement in judgements.values())
        if itself > 1 and self.reference.framework == "keras":
            raise Unfit(
                f"two {self.first.framework} models: the first is run on Keras' torch backend, where rounding is "
                f"modelled, but computes something else there: it uses {itself:.3g} of what rounding allows itself"
            )
        updates = self.trainings.updates(self.reference, list(judgements.values())[-1].reference)
        curves = None
        if "training" in judgements:
            try:
                curves = self.trainings.curves(self.reference, self.matching, self.layouts, self.arithmetic, self._made)
            except Unshared as unshared:
                self.notes.append(str(unshared))
        elif self.trainings.batches is not None:
            self.notes.append("curves were not looked at, since training mode was not")
        return Comparison(
            self.first.framework,
            self.second.framework,
            self.reference.framework,
            {mode: judgement.tensors for mode, judgement in judgements.items()},
            itself,
            list(faults.values()),
            self.matching.table(),
            sum(len(pair.chain) for pair in evaluation.pairs),
            len(evaluation.other),
            _alone(evaluation),
            sorted({name for each in judgements.values() for name in each.allowances.unmodelled} | wide.unmodelled),
            [*self.notes, *self.reference.untold()],
            updates,
            curves,
            list(map(Beside.of, evaluation.pairs)),
            self.arithmetic.name,
        )

    # The judgement.

    def _judge(self, wide: Model, training: bool, kept: Masks, kept_there: Masks) -> Judgement:
        here, there = (self.there, self.inputs) if self.swapped else (self.inputs, self.there)
        probe = self.reference.run(here, training, kept=kept)
        cotangents = self.reference.cotangents(probe.outputs, training, self.rng)
        cotangents = [self.arithmetic.of(values) for values in cotangents]

        def allowances(model: Model) -> Allowances[Key]:
            def computed() -> Trace:
                return trace_of(model.run(here, training, cotangents, kept))

            return Allowances(computed(), computed, self.arithmetic, self._made, single)

        with Watch() as watch:
            reference = self.reference.run(here, training, cotangents, kept)
        reference.turned = turned(self.layouts)
        plain = self.other.run(there, training, kept=kept_there)
        both = zip(reference.outputs, plain.outputs, strict=False)
        outputs = [closest(*pair, reference.unflattened) for pair in both]
        if len(reference.outputs) != len(plain.outputs) or None in outputs:
            shapes = [[output.shape for output in run.outputs] for run in (reference, plain)]
            raise Unfit(f"the models' outputs are not of the same shapes in any layout: {shapes[0]} and {shapes[1]}")
        placed = [layout for layout in outputs if layout is not None]
        if not training:
            self.notes += [
                f"output {place + 1} lies otherwise in the other model: {layout}, as the reference has them"
                for place, layout in enumerate(placed)
                if layout.before
            ]
        sent = [layout.there(cotangent) for layout, cotangent in zip(placed, cotangents, strict=True)]
        with Watch() as watch_there:
            other = self.other.run(there, training, sent, kept_there)
        single = in_single(watch, watch_there) if self.other.framework == "torch" else NONE_KEPT
        self.notes += overflown(other, self.arithmetic, "training" if training else "evaluation")
        pairs = aligned(reference, other, self.matching, self.swapped, self.arithmetic.near)
        found = self.correspondence.as_reference(reference, other, pairs, placed)
        knows = self.reference.framework == "torch" != self.other.framework
        judge = Judge(reference, self.reference.state(), self.arithmetic, knows)

        def by_formulas() -> Allowances[Key] | None:
            model = self.formulas()
            return None if model is None else allowances(model)

        judgement = Judgement(judge, allowances(wide), by_formulas, found, pairs, other.calls)
        judgement.look()
        return judgement

    def _judge_as_it_came(self, wide: Model, evaluation: Judgement, wrong: list[Misconverted]) -> Judgement:
        """The outputs with the weights that the second model came with, by what rounding allows those of the first."""

        def computed() -> Trace:
            return _outputs(wide.run(self.inputs, training=False).outputs)

        with as_it_came(self.other, wrong):
            outputs = self.other.run(self.there, training=False).outputs
        both = list(zip(evaluation.reference.outputs, outputs, strict=True))
        layouts = [closest(*pair, evaluation.reference.unflattened) for pair in both]
        turned = [layout.back(values) for layout, (_, values) in zip(layouts, both, strict=True) if layout is not None]
        allowances = Allowances(computed(), computed, self.arithmetic, self._made)
        found = Judgement(
            evaluation.judge, allowances, lambda: None, _outputs(turned), evaluation.pairs, evaluation.other
        )
        found.look()
        return found

    def _made(self) -> None:
        """Tell how many runs were made, of those that two modes take."""
        self.made += 1
        if self.show is not None:
            self.show(self.made, max(self.made, 2 * RUNS))

    def _faults(self, wide: Model, training: bool, judgement: Judgement) -> list[Fault]:
        """The layers that are at fault for what is outside; before anybody is accused, there is another look."""
        if judgement.inside:
            return []
        lying = Lying.of(judgement.pairs, judgement.reference.unflattened)
        bench = Bench(wide, self.formulas, self.correspondence, training, judgement.judge, lying)
        found = list(find_faults(bench, judgement.pairs)) if judgement.off else []
        if judgement.itself > 1 or not found:
            judgement.look_again()
        return found if judgement.off else []


def _alone(judgement: Judgement) -> list[str]:
    """The reference's calls of layers that compute something and have no counterpart, with the layers' classes."""
    paired = {id(call) for pair in judgement.pairs for call in pair.reference}
    calls = [call for call in judgement.reference.calls if id(call) not in paired and call.layer.kind not in IDLE]
    return [f"{call.site} ({call.layer.title})" for call in calls]


def _outputs(arrays: Sequence[Array]) -> Trace:
    return {key_of(OUTPUT, "", "output", place, arrays): arrays[place] for place in floats(arrays)}
