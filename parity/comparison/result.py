"""What a comparison found, and how it is told."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from numpynet import Array
from parity.comparison.alignment import Aligned
from parity.comparison.causes import Cause
from parity.comparison.curves import Curves
from parity.comparison.known import Known
from parity.comparison.updates import Updates
from parity.ladder.failure import ParityError
from parity.ladder.trace import CURVE, OUTPUT, Key

SHOWN = 8  # of the layers that are listed


@dataclass(frozen=True)
class Judged:
    """One tensor of the other model.

    share: the largest share of its allowance that an element uses
    digits: the number of decimal digits in which it agrees with the reference, of its largest element
    known: what is known to differ in it between the two frameworks; then `share` and `digits` are from what it predicts
    beyond: how many of its `size` elements the range of the format keeps from being judged; the others are
    """

    key: Key
    share: float
    digits: float
    known: Known | None = None
    beyond: int = 0
    size: int = 1

    @property
    def name(self) -> str:
        return str(self.key).removesuffix(", step 1")  # there is one

    @property
    def passed(self) -> bool:
        """Tells whether it is within its allowance of the reference, or of what the other is known to compute."""
        return self.share <= 1

    @property
    def held(self) -> bool:
        """Tells whether all of it was judged, and is."""
        return self.passed and not self.beyond


@dataclass(frozen=True)
class Fault:
    """A layer whose own error, given the reference's input, is outside what rounding allows.

    share: of the allowance of its output; None where it has a difference that was proven to do so in other layers
    cause: what it probably is, the error being gone without it; None where nothing that is known removes it
    backward: whether only its gradients are outside, given what came back to it in the reference
    """

    layer: str
    title: str
    beside: str
    share: float | None
    cause: Cause | None
    backward: bool = False


@dataclass(frozen=True)
class Beside:
    """A call of a layer of the reference, or of two of them, and the call in the other model that computes the same.

    called: the reference's calls
    site: the last of them, whose output is compared
    layer: the reference's first layer, whose parameters are compared
    title, title_there: the classes
    there: the call in the other model
    """

    called: str
    site: str
    layer: str
    title: str
    there: str
    title_there: str

    @classmethod
    def of(cls, pair: Aligned) -> Beside:
        titles = " and ".join(call.layer.title for call in pair.reference)
        called = " and ".join(call.site for call in pair.reference)
        layer = pair.reference[0].layer.name
        return cls(called, pair.last.site, layer, titles, pair.other.site, pair.other.layer.title)


@dataclass(frozen=True)
class OnRandom:
    """The findings on random inputs.

    examples: how many were compared, without a difference
    rejected, said: how many more were none that the first model takes, and what it said of one
    share: the largest share of its allowance that some tensor used
    failed: which one the two differ on, from 1; None where they differ on none
    inputs, written: those after shrinking, and the code that makes them
    refused: why the second model does not take them; "" where it does
    """

    examples: int
    rejected: int
    said: str
    share: float
    failed: int | None = None
    inputs: list[Array] = field(default_factory=list)
    written: str = ""
    refused: str = ""


@dataclass
class Comparison:
    """The findings on two models.

    judged: by mode ("evaluation", "training"), the other model's tensors in the order of computation
    itself: the largest share that the reference model uses in its own format
    faults: the layers at fault, in the order in which they are called
    weights: the names of the first model's arrays, and those of the second's that hold the same
    aligned, calls: how many of the other model's calls of layers could be compared, of how many
    alone: the reference's calls of layers that have no counterpart
    unmodelled: operations that nothing is known of the rounding of
    notes: what was assumed, and what was not looked at
    updates: what the two optimizers compute, where they were given
    curves: the losses of both, trained, where batches were given
    layers: the calls that could be compared, in the other model's order
    form: the number format that was judged
    random: what was found on random inputs, where some were asked for; all else is of those on which the two differ, if
        they do
    """

    first: str
    second: str
    reference: str
    judged: dict[str, list[Judged]]
    itself: float
    faults: list[Fault]
    weights: dict[str, str]
    aligned: int
    calls: int
    alone: list[str] = field(default_factory=list)
    unmodelled: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    updates: Updates | None = None
    curves: Curves | None = None
    layers: list[Beside] = field(default_factory=list)
    form: str = "float32"
    random: OnRandom | None = None

    @property
    def fault(self) -> Fault | None:
        """The first layer that is at fault; None where none is."""
        return self.faults[0] if self.faults else None

    @property
    def passed(self) -> bool:
        return self.same_function and self.same_on_random and self.same_updates and self.same_curves

    @property
    def same_function(self) -> bool:
        """Tells whether outputs, states and gradients are within what rounding allows."""
        return all(tensor.passed for tensors in self.judged.values() for tensor in tensors)

    @property
    def same_on_random(self) -> bool:
        """Tells whether they are on random inputs; nothing is said against those that were not asked for."""
        return self.random is None or self.random.failed is None

    @property
    def beyond(self) -> list[tuple[str, Judged]]:
        """The tensors that the range of the format kept from being judged, in whole or part, each with its mode."""
        return [(mode, tensor) for mode, tensors in self.judged.items() for tensor in tensors if tensor.beyond]

    @property
    def same_updates(self) -> bool:
        """Tells whether the updates are; nothing is said against those that were not compared."""
        return self.updates is None or self.updates.passed

    @property
    def same_curves(self) -> bool:
        """Tells whether the losses are; nothing is said against those that were not compared."""
        return self.curves is None or self.curves.parted is None

    def check(self) -> None:
        """Raise ParityError, with all that was found, where the two do not compute the same: a line for a test."""
        if not self.passed:
            raise Differ(self)

    def __str__(self) -> str:
        return describe(self)

    @property
    def worst(self) -> Judged:
        """The tensor that uses most of its allowance."""
        return max(itertools.chain(*self.judged.values()), key=lambda tensor: tensor.share)


class Differ(ParityError):
    """Raised where two models do not compute the same; it holds what was found."""

    def __init__(self, comparison: Comparison) -> None:
        self.comparison, self.module = comparison, None
        outside = [tensor.key for tensors in comparison.judged.values() for tensor in tensors if not tensor.passed]
        if comparison.updates is not None:
            outside += comparison.updates.outside
        if (curves := comparison.curves) is not None and curves.parted is not None:
            outside.append(Key(curves.parted, CURVE, "", "loss"))
        outside = outside or [Key(0, OUTPUT, "", "output")]  # which there is none of where inputs are refused
        self.rung, self.quantity = min(key.rung for key in outside), outside[0].quantity
        super().__init__(describe(comparison))


def describe(found: Comparison) -> str:
    """The text on a comparison: what came out, whose fault it is, what was assumed and what was not looked at."""
    lines = [_headline(found)] if found.random is None else [*_on_random(found, found.random)]
    if found.faults:
        lines += _faults(found.faults)
    elif not found.same_function:
        lines.append(
            "None of the calls that could be compared alone is at fault, given the same input: look at what the models "
            "do between their layers, and at gradients that they define themselves."
        )
    lines += _beyond(found)
    lines += [
        f"known difference, no fault of a port: {tensor.name}: {tensor.known.told} (catalogue: {tensor.known.entry})"
        for tensor in itertools.chain(*found.judged.values())
        if tensor.known is not None
    ]
    if found.aligned < found.calls:
        left = found.calls - found.aligned
        lines.append(f"{left} of {found.calls} calls of layers have no counterpart and were not compared alone")
    if found.alone and not found.same_function:
        lines.append(f"without a counterpart in the other model: {', '.join(found.alone[:SHOWN])}")
    if found.unmodelled:
        lines.append(f"no model of rounding: {', '.join(found.unmodelled)}; allowed as much as a function such as tanh")
    lines += [] if found.updates is None else _updates(found.updates)
    lines += [] if found.curves is None else _curves(found.curves)
    return "\n".join([*lines, *found.notes])


def _on_random(found: Comparison, random: OnRandom) -> Iterator[str]:
    """Yields the headline, and what is said of random inputs."""
    if random.refused:
        yield f"On random inputs the two do not compute the same: {random.refused}"
    else:
        yield _headline(found)
    if random.failed is not None:
        held = f"{random.examples} others held" if random.examples else "it was the first"
        yield f"That is on random inputs, example {random.failed} shrunk ({held}): inputs = {random.written}"
    else:
        yield (
            f"On {random.examples} random inputs the largest share is {random.share:.2g}"
            if random.examples
            else "No random inputs were compared"
        )
    if random.rejected:
        yield f"{random.rejected} random inputs were none that the first model takes: {random.said}"


def _beyond(found: Comparison) -> Iterator[str]:
    """Yields what is said of what the range of the format kept from being judged."""
    if not found.beyond:
        return
    (mode, first), number = found.beyond[0], len(found.beyond)
    yield (
        f"beyond the range of {found.form}: not judged, in whole or part: {number} "
        f"tensor{'' if number == 1 else 's'}. The first, in {mode} mode: {first.name}, {first.beyond} of {first.size} "
        f"elements. In that range the reference itself makes another number of them, or none"
    )


def _updates(found: Updates) -> Iterator[str]:
    """Yields what is said of the two optimizers."""
    worst, share = max(found.shares.items(), key=lambda item: item[1])
    if found.passed:
        yield (
            f"The updates of {found.second} are those of {found.first}, along the same gradients: {len(found.shares)} "
            f"tensors, the largest share of what rounding allows is {share:.2g}, {worst}"
        )
    else:
        first = found.outside[0]
        yield (
            f"The updates of {found.second} are not those of {found.first}, along the same gradients: "
            f"{len(found.outside)} of {len(found.shares)} tensors are outside. The first: {first}, "
            f"{found.shares[first]:.3g} of what rounding allows"
        )
        if found.differences:
            told = "; ".join(difference.told for difference in found.differences)
            mends = "; ".join(difference.mend for difference in found.differences)
            yield f"Probably {told}. Mend: {mends}"
        elif found.settings:
            yield f"They differ in {'; '.join(found.settings)}"
    for entry, told in found.known:
        yield f"known difference, no fault of a port: {told} (catalogue: {entry})"
    if found.beyond:
        elements = sum(found.beyond.values())
        yield (
            f"beyond the range of {found.form}: not judged: {elements} elements of {len(found.beyond)} tensors of the "
            "updates; of gradients as small or large the rule itself makes other numbers in that range, or none"
        )
    if found.form == "float16":
        yield "loss scaling is not judged: the updates are those along gradients as it leaves them"


def _curves(found: Curves) -> Iterator[str]:
    """Yields what is said of the two trainings."""
    step, compared = found.parted, len(found.shares)
    if found.targets:
        yield f"targets lie otherwise in the second model: its {found.targets} are the first's"
    if step is not None:
        yield (
            f"The losses part in step {step + 1} of {found.steps}: {found.other[step]:.9g}, where the reference has "
            f"{found.reference[step]:.9g}; that is {found.shares[step]:.3g} of what rounding allows"
        )
        if found.cause is not None:
            yield f"Probably {found.cause.told}. Mend: {found.cause.mend}"
    elif compared:
        most = max(found.shares)
        yield f"The losses agree for {compared} steps; the largest share of what rounding allows is {most:.2g}"
    if compared < found.steps:
        yield f"Of {found.steps} steps, {compared} were compared: then rounding alone changes the loss too much to tell"


def _headline(found: Comparison) -> str:
    tensors = [(mode, tensor) for mode, judged in found.judged.items() for tensor in judged]
    held, number = sum(tensor.held for _, tensor in tensors), len(tensors)
    counted = f"{number}" if held == number else f"{held} of {number}"
    other = found.first if found.reference == found.second and found.first != found.second else found.second
    if found.same_function:
        return (
            f"{other} computes what {found.reference} computes: {counted} tensors in {' and '.join(found.judged)} "
            f"mode are within what rounding allows; the largest share of it is {found.worst.share:.2g}, "
            f"{found.worst.name} ({found.reference} itself: {found.itself:.2g})"
        )
    outside = [(mode, tensor) for mode, tensor in tensors if not tensor.passed]
    mode, first = outside[0]
    return (
        f"{other} does not compute what {found.reference} computes: {len(outside)} of {len(tensors)} tensors are "
        f"outside what rounding allows. The first, in {mode} mode: {first.name}, {first.share:.3g} of what is allowed, "
        f"{first.digits:.1f} digits agree"
    )


def _faults(faults: Sequence[Fault]) -> Iterator[str]:
    """Yields what is said of the first layer at fault, and of those that have other causes or none."""
    by_cause: dict[str, list[Fault]] = {}
    for fault in faults:
        by_cause.setdefault("" if fault.cause is None else f"{fault.title} {fault.cause.mend}", []).append(fault)
    for alike in by_cause.values():
        fault, more = alike[0], len(alike) - 1
        given, error, heirs = "the same input", "its own error", "after"
        if fault.backward:
            given, error, heirs = "the same from both sides", "the error of its own gradients", "before"
        own = "" if fault.share is None else f"{error} is {fault.share:.3g} of what rounding allows; "
        yield (
            f"At fault: {fault.layer} ({fault.title}), beside {fault.beside}. Given {given}, {own}what comes {heirs} "
            "it inherits it."
        )
        if fault.cause is None:
            yield "None of the known differences of its kind removes the error."
        else:
            yield f"Probably {fault.cause.told}: without this it is within. Mend: {fault.cause.mend}"
        if more:
            yield f"So {'is' if more == 1 else 'are'} {more} more: {', '.join(other.layer for other in alike[1:6])}" + (
                ", ..." if more > 5 else ""
            )
