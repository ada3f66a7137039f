"""The steps of a comparison of two models, from how they go together to what was found."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from numpynet import Array
from parity.comparison.alignment import Aligned, aligned, aligned_again, unseen
from parity.comparison.allowing import Allowances
from parity.comparison.conversion import Misconverted, as_it_came
from parity.comparison.correspondence import Correspondence, key_of, trace_of
from parity.comparison.faults import faults as find_faults
from parity.comparison.feeding import Lying
from parity.comparison.formats import Arithmetic
from parity.comparison.judging import Judge, Judgement
from parity.comparison.layout import closest, turned
from parity.comparison.masks import Masks, Unshared, shared, steady
from parity.comparison.model import Model, Unfit, floats
from parity.comparison.narrowing import NONE_KEPT, Watch, as_computed, in_single, overflown
from parity.comparison.own import Bench
from parity.comparison.pairing import paired
from parity.comparison.result import Beside, Comparison, Fault
from parity.comparison.trainings import Trainings
from parity.ladder.trace import OUTPUT, Key, Trace

CAME = "as-it-came"  # evaluation with the weights that the second model held
IDLE = ("identity", "dropout", "flatten")  # which compute nothing, or nothing in evaluation mode


class Comparing:
    """The steps of a comparison, each of which knows what the ones before found out.

    made: is called after each run under rounding errors, and each training
    """

    def __init__(
        self,
        first: Model,
        second: Model,
        inputs: list[Array],
        weights: Mapping[str, str],
        seed: int,
        made: Callable[[], None],
        trainings: Trainings,
        arithmetic: Arithmetic,
    ) -> None:
        self.trainings = trainings
        self.first, self.second, self.inputs, self.given = first, second, inputs, weights
        self.seed, self.rng = seed, np.random.default_rng(seed)
        self.made, self.arithmetic = made, arithmetic
        self.aligned: dict[bool, list[Aligned]] = {}  # the calls that compute the same, by whether in training mode
        self.misconverted: list[Misconverted] = []
        for model, which in ((first, "first"), (second, "second")):
            for name, values in model.weights().items():
                if not np.isfinite(values).all():
                    raise Unfit(f"{name} of the {which} model holds NaN or an infinity")
        self.swapped = second.precedence > first.precedence
        self.reference, self.other = (second, first) if self.swapped else (first, second)
        self.notes: list[str] = []

    def done(self) -> Comparison:
        """Find out how the two go together, and compare them."""
        self.arithmetic = as_computed(self.first, self.inputs, self.arithmetic)
        pairing = paired(self.first, self.second, self.inputs, self.given, self.arithmetic.near)
        self.arithmetic = as_computed(self.second, pairing.there, self.arithmetic)
        self.first.judged_in(self.arithmetic.name)
        self.matching, self.layouts, self.there = pairing.matching, pairing.layouts, pairing.there
        self.misconverted = [] if self.swapped else pairing.misconverted
        self.correspondence = Correspondence(
            self.reference,
            self.other,
            pairing.matching,
            pairing.layouts,
            self.inputs if self.swapped else self.there,
            self.swapped,
        )
        self.notes += [*pairing.notes, *self.correspondence.frozen_alone()]
        self.wide = self.reference.wide()
        self.formulas = functools.cache(lambda: self.wide.by_formulas(self.other.framework))
        return self.found(self.judgements())

    def on(self, inputs: list[Array]) -> Comparing:
        """The same comparison on other inputs of the first model, knowing what goes with what; of no training."""
        other = copy.copy(self)
        other.inputs = inputs
        other.there = [layout.there(values) for layout, values in zip(self.layouts, inputs, strict=True)]
        other.correspondence = replace(self.correspondence, inputs=inputs if self.swapped else other.there)
        other.rng, other.notes, other.misconverted = np.random.default_rng(self.seed), [], []
        other.trainings = Trainings((self.first, self.second))
        return other

    def judgements(self) -> dict[str, Judgement]:
        """The judgements by mode."""
        evaluation = self._judge(False, {}, {})
        judgements = {"evaluation": evaluation}
        if self.misconverted:
            judgements[CAME] = self._judge_as_it_came(evaluation, self.misconverted)
        try:
            kept = shared(self.reference, evaluation.reference, evaluation.other, evaluation.pairs, self.rng)
            here, there = (self.there, self.inputs) if self.swapped else (self.inputs, self.there)
            steady(self.reference, here, kept[0])
            steady(self.other, there, kept[1])
        except Unshared as unshared:
            self.notes.append(str(unshared))
        else:
            judgements["training"] = self._judge(True, *kept)
        return judgements

    def found(self, judgements: dict[str, Judgement]) -> Comparison:
        """What comes of the judgements, and of the trainings."""
        evaluation = judgements["evaluation"]
        faults = {one.fault.layer: one.fault for one in reversed(self.misconverted) if CAME in judgements}
        for mode in [mode for mode in judgements if mode != CAME]:
            for fault in self._faults(mode == "training", judgements[mode]):
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
                curves = self.trainings.curves(self.reference, self.matching, self.layouts, self.arithmetic, self.made)
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
            sorted(
                {name for each in judgements.values() for name in each.allowances.unmodelled} | self.wide.unmodelled
            ),
            [*self.notes, *self.reference.untold()],
            updates,
            curves,
            list(map(Beside.of, evaluation.pairs)),
            self.arithmetic.name,
        )

    # The judgement.

    def _judge(self, training: bool, kept: Masks, kept_there: Masks) -> Judgement:
        here, there = (self.there, self.inputs) if self.swapped else (self.inputs, self.there)
        probe = self.reference.run(here, training, kept=kept)
        cotangents = self.reference.cotangents(probe.outputs, training, self.rng)
        cotangents = [self.arithmetic.of(values) for values in cotangents]

        def allowances(model: Model) -> Allowances[Key]:
            def computed() -> Trace:
                return trace_of(model.run(here, training, cotangents, kept))

            return Allowances(computed(), computed, self.arithmetic, self.made, single)

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
        known = self.aligned.get(training)
        pairs = None if known is None else aligned_again(known, reference, other)
        if pairs is None:
            pairs = aligned(reference, other, self.matching, self.swapped, self.arithmetic.near)
            self.aligned.setdefault(training, pairs)
        found = self.correspondence.as_reference(reference, other, pairs, placed)
        knows = self.reference.framework == "torch" != self.other.framework
        judge = Judge(reference, self.reference.state(), self.arithmetic, knows)

        def by_formulas() -> Allowances[Key] | None:
            model = self.formulas()
            return None if model is None else allowances(model)

        judgement = Judgement(judge, allowances(self.wide), by_formulas, found, pairs, other.calls)
        judgement.look()
        return judgement

    def _judge_as_it_came(self, evaluation: Judgement, wrong: list[Misconverted]) -> Judgement:
        """The outputs with the weights that the second model came with, by what rounding allows those of the first."""

        def computed() -> Trace:
            return _outputs(self.wide.run(self.inputs, training=False).outputs)

        with as_it_came(self.other, wrong):
            outputs = self.other.run(self.there, training=False).outputs
        both = list(zip(evaluation.reference.outputs, outputs, strict=True))
        layouts = [closest(*pair, evaluation.reference.unflattened) for pair in both]
        turned = [layout.back(values) for layout, (_, values) in zip(layouts, both, strict=True) if layout is not None]
        allowances = Allowances(computed(), computed, self.arithmetic, self.made)
        found = Judgement(
            evaluation.judge, allowances, lambda: None, _outputs(turned), evaluation.pairs, evaluation.other
        )
        found.look()
        return found

    def _faults(self, training: bool, judgement: Judgement) -> list[Fault]:
        """The layers that are at fault for what is outside; before anybody is accused, there is another look."""
        if judgement.inside:
            return []
        lying = Lying.of(judgement.pairs, judgement.reference.unflattened)
        bench = Bench(self.wide, self.formulas, self.correspondence, training, judgement.judge, lying)
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
