"""The masks of dropout that both models share in training mode, by the order of their calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from numpynet import Array
from parity.comparison.alignment import Aligned
from parity.comparison.layout import closest
from parity.comparison.model import Call, Model, Run, Unfit

WHOLE_CHANNELS = ("Dropout1d", "Dropout2d", "Dropout3d")
Masks = dict[str, Array]


class Unshared(Unfit):
    """Raised where a model drops at random in a place where the masks cannot be shared."""


def shared(
    model: Model,
    reference: Run,
    other: Sequence[Call],
    pairs: Sequence[Aligned],
    rng: np.random.Generator,
) -> tuple[Masks, Masks]:
    """A mask for each call of a dropout layer in the reference `model`, and the same for the other, by their sites.

    Raises `Unshared` where one of them drops and nothing of the other is known to do so in its place.
    """
    if model.untrained:
        raise Unshared(model.untrained)
    known = [(pair.last, pair.other) for pair in pairs if pair.last.layer.kind == pair.other.layer.kind == "dropout"]
    paired = {id(call) for pair in known for call in pair}
    for call in [*reference.calls, *other]:
        if call.layer.drops and id(call) not in paired:
            raise Unshared(
                f"training mode was not looked at: {call.site} drops at random, and its masks cannot be shared"
            )
    ours: Masks = {}
    theirs: Masks = {}
    for here, there in known:
        values = here.inputs[0]
        layout = closest(values, there.inputs[0], reference.unflattened)
        if layout is None:
            raise Unshared(
                f"training mode was not looked at: what {here.site} drops from lies otherwise in the second model"
            )
        ours[here.site] = model.mask(here, mask_shape(here), rng)
        mask = np.broadcast_to(ours[here.site], values.shape)
        whole = there.layer.settings.get("channels")
        if whole is not None and whole.value != (here.layer.title in WHOLE_CHANNELS):  # another mask, as it would draw
            mask = rng.permutation(mask.ravel()).reshape(values.shape)
        theirs[there.site] = layout.there(mask)
    return ours, theirs


def mask_shape(call: Call) -> tuple[int, ...]:
    """The shape of the mask of a call of a dropout layer, which may drop whole channels."""
    shape = call.inputs[0].shape
    return shape[:2] + (1,) * (len(shape) - 2) if call.layer.title in WHOLE_CHANNELS else shape


def steady(model: Model, inputs: Sequence[Array], kept: Mapping[str, Array]) -> None:
    """Raise `Unshared` where the model answers differently when it is asked again in training mode, with these masks.

    It draws in a place that is no dropout layer, such as a function of dropout.
    """
    ran, again = model.run(inputs, True, kept=kept), model.run(inputs, True, kept=kept)
    pairs = zip(ran.outputs, again.outputs, strict=True)
    if not all(np.array_equal(one, other, equal_nan=True) for one, other in pairs):
        raise Unshared(
            f"training mode was not looked at: the {model.framework} model answers differently when it is asked again "
            "there. It draws at random elsewhere than in a dropout layer: make it one, or set its rate to 0"
        )
