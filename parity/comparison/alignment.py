"""Which call of a layer of one model is which of the other: by what the layers hold, and by kind in between."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np

from parity.comparison.causes import Cause, causes
from parity.comparison.formats import NEAR
from parity.comparison.layout import closest
from parity.comparison.likeness import alike
from parity.comparison.matching import Matching
from parity.comparison.model import ACTIVATIONS, NOT_PREPARED, PREPARING, Call, Layer, Run, Setting

WINDOWS = ("convolution", "max pooling", "average pooling")  # which pad in torch, and may have it done in Keras
# What is there of a layer that only the other model has.
NOTHING = Layer("", "nothing", "identity", settings={"preprocessing": Setting(NOT_PREPARED, str)})
POOLINGS = ("max pooling", "average pooling", "global average pooling", "global max pooling")


@dataclass(frozen=True)
class Aligned:
    """A call in the other model, and the calls in the reference that compute the same, one after another.

    They are two where the other model's layer applies an activation that is a layer of its own in the reference, or
    where it should, and nothing does. A layer that only the other model has goes with a call of `NOTHING`.

    ahead: the call of a layer that pads ahead of the other model's, where the reference pads itself
    behind: that of a layer that crops behind it, where the reference's transposed convolution pads, or that activates
        what the reference's layer activates itself
    """

    reference: tuple[Call, ...]
    other: Call
    ahead: Call | None = None
    behind: Call | None = None

    @property
    def last(self) -> Call:
        return self.reference[-1]

    @property
    def chain(self) -> list[Call]:
        """The calls in the other model, one after another."""
        return [call for call in (self.ahead, self.other, self.behind) if call is not None]

    @property
    def entered(self) -> Call:
        """The first of the calls in the other model."""
        return self.ahead or self.other

    @property
    def left(self) -> Call:
        """The last of the calls in the other model."""
        return self.behind or self.other

    def causes(self) -> Iterator[tuple[Call, Cause]]:
        """Yields the settings in which the two differ, with the call of whose layer it is one."""
        reference = [call.layer for call in self.reference]
        beside = [call for call in (self.ahead, self.behind) if call is not None]
        for call in [*beside, self.other]:
            for cause in causes(reference, call.layer):
                if call in beside or not any(cause.name in one.layer.settings for one in beside):
                    yield call, cause


def aligned(reference: Run, other: Run, found: Matching, swapped: bool, near: float = NEAR) -> list[Aligned]:
    """The calls that compute the same, in the other model's order.

    `swapped` says that the reference is the second of the models that were matched. What is nearer than `near`, of its
    size, is taken for equal. Calls that nothing is known of are left out; so is one that applies an activation which
    the reference computes in no layer.
    """
    of_layer = {
        (match.first if swapped else match.second).name: (match.second if swapped else match.first).name
        for match in found.matches
    }
    places = _anchors(reference.calls, other.calls, of_layer)
    known: set[int] = set()  # the calls of either model that have been considered, by `id`
    anchored = {here: _anchored(reference, start, other.calls[here], known) for here, start in sorted(places.items())}
    known |= {id(call) for call in other.calls if _in_hard_sigmoid(call, other)}
    apart = _following([pair for found in anchored.values() for pair in found], reference, other)
    known |= _ids(apart)
    left, left_there = ([call for call in run.calls if id(call) not in known] for run in (reference, other))
    apart += [Aligned((call,), there) for call, there in alike(left, left_there, reference.unflattened, near)]
    known |= _ids(apart)
    pairs = list(apart)
    bounds = [*sorted(places), len(other.calls)]
    for here, after in zip([-1, *bounds[:-1]], bounds, strict=True):
        start, end = places.get(here, -1), places.get(after, len(reference.calls))
        pairs += anchored.get(here, [])
        left, left_there = (
            [call for call in calls if id(call) not in known]
            for calls in (reference.calls[start + 1 : end], other.calls[here + 1 : after])
        )
        pairs += _between(left, left_there, reference, other)
    order = {id(call): place for place, call in enumerate(other.calls)}
    pairs.sort(key=lambda pair: order[id(pair.other)])
    pairs = _with_what_is_beside(pairs, other)
    pairs = [_without_its_activation(pair, pairs, reference, other) for pair in pairs]
    return _with_what_is_there_alone(pairs, reference, other)


def aligned_again(pairs: Sequence[Aligned], reference: Run, other: Run) -> list[Aligned] | None:
    """The same pairs in other runs of the two models; None where other layers are called."""
    here, there = ({call.site: call for call in run.calls} for run in (reference, other))
    try:
        again = [
            Aligned(
                tuple(here[call.site] for call in pair.reference),
                there[pair.other.site],
                pair.ahead and there[pair.ahead.site],
                pair.behind and there[pair.behind.site],
            )
            for pair in pairs
            if pair.last.layer is not NOTHING
        ]
    except KeyError:
        return None
    return _with_what_is_there_alone(again, reference, other)


def _with_what_is_there_alone(pairs: Sequence[Aligned], reference: Run, other: Run) -> list[Aligned]:
    """The pairs, and the layers that only the other model has, each beside a call of `NOTHING`."""
    return [*_prepared(pairs, reference, other), *pairs, *_too_many(pairs, reference, other)]


def _ids(pairs: Sequence[Aligned]) -> set[int]:
    return {id(call) for pair in pairs for call in (pair.last, pair.other)}


def _prepared(pairs: Sequence[Aligned], reference: Run, other: Run) -> Iterator[Aligned]:
    """Yields the layers at the head of the other model that prepare inputs which the reference takes as they are."""
    known = {id(pair.other) for pair in pairs}
    if not reference.calls or not other.calls or not reference.calls[0].inputs:
        return
    taken = reference.calls[0].inputs[0]
    layout = closest(taken, other.calls[0].inputs[0])
    if layout is None or not np.array_equal(layout.there(taken), other.calls[0].inputs[0]):
        return
    for call in itertools.takewhile(lambda call: call.layer.kind in PREPARING and id(call) not in known, other.calls):
        yield Aligned((Call("the input as it is", NOTHING, None, [taken], [taken], [None]),), call)


def _with_what_is_beside(pairs: Sequence[Aligned], other: Run) -> list[Aligned]:
    """The pairs, with what pads ahead of a layer, crops or activates behind one, as the reference's does by itself."""
    known = {id(pair.other) for pair in pairs}
    places = {id(call): place for place, call in enumerate(other.calls)}

    def free(place: int, *kinds: str) -> Call | None:
        call = other.calls[place] if 0 <= place < len(other.calls) else None
        return call if call is not None and call.layer.kind in kinds and id(call) not in known else None

    found = []
    for pair in pairs:
        place, kind = places[id(pair.other)], pair.reference[0].layer.kind
        if kind in WINDOWS:
            pair = replace(pair, ahead=free(place - 1, "padding"))
        elif kind == "transposed convolution":
            pair = replace(pair, behind=free(place + 1, "cropping"))
        if pair.behind is None and pair.last.layer.activation and not pair.other.layer.activation:
            pair = replace(pair, behind=free(place + 1, *ACTIVATIONS))
        found.append(pair)
    return found


def _without_its_activation(pair: Aligned, pairs: Sequence[Aligned], reference: Run, other: Run) -> Aligned:
    """The pair, with the reference's activation behind it where the other model hands on what is not activated.

    What goes unchanged into a layer that activates, or into one that nothing is known of, may be activated there.
    """
    here = next(place for place, call in enumerate(reference.calls) if call is pair.last)
    behind = reference.calls[here + 1] if here + 1 < len(reference.calls) else None
    known = {id(call) for one in pairs for call in one.reference}
    known |= reference.parts
    if behind is None or behind.layer.kind not in ACTIVATIONS or id(behind) in known or pair.other.layer.activation:
        return pair
    ours, theirs = pair.last.outputs[0], pair.other.outputs[0]
    takers = [call for call in other.calls if any(np.array_equal(values, theirs) for values in call.inputs[:1])]
    aligned_with = {id(call) for one in pairs for call in one.chain}
    hands_on = takers or any(np.array_equal(output, theirs) for output in other.outputs)
    # In place, it has changed what it took.
    takes = any(np.array_equal(behind.inputs[0], values) for values in (ours, np.maximum(ours, 0)))
    activated = any(taker.layer.kind in ACTIVATIONS for taker in takers)
    if not takes or not hands_on or activated or any(id(taker) not in aligned_with for taker in takers):
        return pair
    return replace(pair, reference=(*pair.reference, behind))


def _too_many(pairs: Sequence[Aligned], reference: Run, other: Run) -> Iterator[Aligned]:
    """Yields the activations that only the other model has, behind a call whose output the reference hands on."""
    known = {id(call) for pair in pairs for call in (pair.other, pair.behind)}
    for call in other.calls:
        if id(call) in known or call.layer.kind not in ACTIVATIONS or id(call) in other.parts:
            continue
        for pair in pairs:
            handed_on = [values for one in reference.calls if id(one) not in reference.parts for values in one.inputs]
            handed_on += reference.outputs
            of_it = [values for values in handed_on if np.array_equal(values, pair.last.outputs[0])]
            if of_it and np.array_equal(call.inputs[0], pair.other.outputs[0]):
                outputs = pair.last.outputs[:1]
                yield Aligned((Call(f"{pair.last.site}, as it is", NOTHING, None, outputs, outputs, [None]),), call)
                break


def unseen(pairs: Sequence[Aligned]) -> Iterator[str]:
    """Yields what is said of activations that are others, where the inputs may not have told them apart."""
    for pair in pairs:
        one, other = pair.last.layer, pair.other.layer
        if one.kind in ACTIVATIONS and other.kind in ACTIVATIONS and one.kind != other.kind:
            yield f"{pair.other.site} is {other.kind}, and {pair.last.site} is {one.kind}: these inputs do not tell"


def _anchors(reference: Sequence[Call], other: Sequence[Call], of_layer: dict[str, str]) -> dict[int, int]:
    """The place of the reference's call for the place of each call of a layer that holds arrays, first to last."""
    by_layer: dict[str, list[int]] = {}
    for place, call in enumerate(reference):
        by_layer.setdefault(call.layer.name, []).append(place)
    found = {}
    for place, call in enumerate(other):
        if (name := of_layer.get(call.layer.name)) and by_layer.get(name):
            found[place] = by_layer[name].pop(0)
    return found


def _following(pairs: Sequence[Aligned], reference: Run, other: Run) -> list[Aligned]:
    """Calls of layers that hold nothing, of one kind, that in both models take what the calls of one pair hand on.

    Or that hand on what these take. So branches that one model computes one after another, and the other side by side,
    are not mixed up.
    """
    found: list[Aligned] = []
    known = {id(call) for pair in pairs for call in (*pair.reference, pair.other)}
    left = list(pairs)
    while left:
        pair = left.pop(0)
        first, last = (pair.reference[0], reference), (pair.last, reference)
        behind = [_unknown(_taking(call, run), call, known) for call, run in (last, (pair.other, other))]
        ahead = [_unknown(_making(call, run), call, known) for call, run in (first, (pair.other, other))]
        for ours, theirs in (behind, ahead):
            for kind in {call.layer.kind for call in ours} & {call.layer.kind for call in theirs}:
                here, there = ([call for call in calls if call.layer.kind == kind] for calls in (ours, theirs))
                if len(here) == len(there) == 1:
                    found.append(Aligned((here[0],), there[0]))
                    left.append(found[-1])
                    known |= {id(here[0]), id(there[0])}
    return found


def _taking(call: Call, run: Run) -> list[Call]:
    """The calls that take what a call hands on."""
    return run.taking(call.outputs[0]) if call.outputs else []


def _making(call: Call, run: Run) -> list[Call]:
    """The calls that hand on what a call takes."""
    return run.making(call.inputs[0]) if call.inputs else []


def _unknown(calls: Sequence[Call], beside: Call, known: Set[int]) -> list[Call]:
    """Those of layers that hold nothing and take one array, none of them known, nor the call that they are beside."""
    return [
        one
        for one in calls
        if one is not beside and id(one) not in known and not one.layer.held and len(one.inputs) == 1
    ]


def _between(calls: Sequence[Call], others: Sequence[Call], reference: Run, other: Run) -> list[Aligned]:
    """Calls of layers that hold nothing, between two that do: by kind, then activations and poolings in order."""
    left, pairs = list(calls), {}
    for place, call in enumerate(others):
        if same := [one for one in left if one.layer.kind == call.layer.kind]:
            pairs[place] = same[0]
            left.remove(same[0])
    for kinds in (ACTIVATIONS, POOLINGS):
        rest = [place for place, call in enumerate(others) if place not in pairs and call.layer.kind in kinds]
        alike = [one for one in left if one.layer.kind in kinds]
        parts = [id(others[place]) in other.parts for place in rest] + [id(one) in reference.parts for one in alike]
        if len(rest) == len(alike) and not any(parts):
            pairs |= dict(zip(rest, alike, strict=True))
    return [Aligned((pairs[place],), others[place]) for place in sorted(pairs)]


def _in_hard_sigmoid(call: Call, run: Run) -> bool:
    """Tells whether a ReLU6 is a part of a hard sigmoid that is written out: it takes 3 more than what came out."""
    if call.layer.kind != "relu6":
        return False
    given = call.inputs[0]
    outputs = (output for one in run.calls for output in one.outputs if output.shape == given.shape)
    return any(np.array_equal(given, output + output.dtype.type(3)) for output in outputs)


def _anchored(run: Run, place: int, call: Call, known: set[int]) -> list[Aligned]:
    """A call of a layer that holds arrays, with the activation behind it if the other model's applies one as well."""
    first = run.calls[place]
    known |= {id(first), id(call)}
    activation = call.layer.activation
    if not activation or activation == first.layer.activation:
        return [Aligned((first,), call)]
    following = run.calls[place + 1] if place + 1 < len(run.calls) else None
    if following is not None and following.layer.kind != activation and id(following) in run.parts:
        following = next((one for one in run.calls[place + 2 :] if not one.layer.is_function), None)
    elif following is not None and following.layer.kind in ACTIVATIONS:
        known.add(id(following))
        return [Aligned((first, following), call)]
    after = following.inputs if following else run.outputs
    # What comes next is what came out: no function in between has activated it, and the other's activation is too many.
    if after and np.array_equal(after[0], first.outputs[0]):
        return [Aligned((first,), call)]
    return []
