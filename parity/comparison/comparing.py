"""Whether two models compute the same outputs, gradients and states and, if not, which layer is at fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from parity.comparison.allowing import RUNS
from parity.comparison.conducting import Comparing
from parity.comparison.formats import holding_the_same, judged_format
from parity.comparison.given import arrays_of, taken
from parity.comparison.model import Unfit
from parity.comparison.randomly import RandomInputs, taken_for
from parity.comparison.result import Comparison
from parity.comparison.sides import side
from parity.comparison.sides.recorded import inputs_of
from parity.comparison.trainings import Loss, Trainings
from parity.inputs import largest

Show = Callable[[int, int], None]
EXAMPLES = 20


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
    draws: Any = None,
    examples: int = EXAMPLES,
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
    draws: of `parity.inputs`, a `Floats`, `Integers` or `Truths` for each input: where the two compute the same of
        `inputs`, or of the largest of these where none are given, they are compared on random ones, too, and those on
        which they differ are shrunk
    examples: how many random inputs

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
        random = None if draws is None else RandomInputs(taken_for(draws), examples, seed)
        if inputs is None and random is not None:
            inputs = largest(random.draws).arrays
        arrays = arrays_of(inputs_of(one, other, inputs), arithmetic)
        made = _counted(show, 2 * RUNS + (0 if random is None else random.runs))
        with holding_the_same(one, other, arithmetic):
            comparing = Comparing(one, other, arrays, weights or {}, seed, made, trainings, arithmetic)
            found = comparing.done()
            return found if random is None or not found.passed else random.compared(comparing, found)


def _counted(show: Show | None, expected: int) -> Callable[[], None]:
    """A function that tells `show` how often it was called, of how many times that are expected."""
    made = 0

    def count() -> None:
        nonlocal made
        made += 1
        if show is not None:
            show(made, max(made, expected))

    return count
