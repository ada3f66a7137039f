"""What an error probably is: each known difference of the layer at fault is tried, and what removes it is named."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from parity.comparison.model import ACTIVATIONS, Layer, Setting

PAIRS = 12  # of causes that are tried together
AXES = (-1, 1, 2, 3)  # that a layer may compute along: where the channels lie otherwise, torch's number is another one


@dataclass(frozen=True)
class Cause:
    """A difference between two layers, and the change that mends it.

    name: of the setting
    told: the difference, in words
    mend: the change to the other model's code
    """

    name: str
    told: str
    mend: str
    setting: Setting | None = None
    value: object = None

    def removes(self, own: Callable[[], float | None]) -> bool:
        """Tells whether the layer's own error is within what rounding allows once this is changed."""
        if self.setting is None or self.setting.change is None:
            return False
        self.setting.change(self.value)
        try:
            share = own()
        except Exception:  # the layer does not take the value: it is not this
            return False
        finally:
            self.setting.change(self.setting.value)
        return share is not None and share <= 1


def together(found: Sequence[Cause]) -> Iterator[Cause]:
    """Yields two causes at a time as one: of settings that were exchanged, neither alone removes the error."""
    tried = [cause for cause in found if cause.setting is not None and cause.setting.change is not None]
    for both in itertools.islice(itertools.combinations(tried, 2), PAIRS):
        name = " and ".join(cause.name for cause in both)
        told = "; ".join(cause.told for cause in both)
        mend = ", ".join(cause.mend for cause in both)
        yield Cause(name, told, mend, Setting(False, str, functools.partial(_change, both)), True)


def _change(both: Sequence[Cause], to: bool) -> None:
    for cause in both:
        if cause.setting is not None and cause.setting.change is not None:
            cause.setting.change(cause.value if to else cause.setting.value)


def causes(reference: Sequence[Layer], other: Layer) -> Iterator[Cause]:
    """Yields the settings in which the other layer differs from the reference's, which are one layer or two."""
    applied = other.settings.get("activation")
    activations = [layer for layer in reference if layer.kind in ACTIVATIONS]
    if applied is not None and applied.value and not activations:
        told = f"activation: none there, {applied.written(applied.value)} here"
        yield Cause("activation", told, applied.written(""), applied, "")
    for layer in activations:
        if applied is not None and applied.value != layer.kind:
            told = f"activation: {layer.title} there, {applied.written(applied.value)} here"
            yield Cause("activation", told, applied.written(layer.kind), applied, layer.kind)
    for layer in reference:
        for name, ours in layer.settings.items():
            theirs = other.settings.get(name)
            if name != "activation" and theirs is not None and theirs.value != ours.value:
                yield from _settings_apart(name, ours, theirs)


def _settings_apart(name: str, ours: Setting, theirs: Setting) -> Iterator[Cause]:
    axes = [axis for axis in AXES if axis != theirs.value] if name == "axis" and isinstance(ours.value, int) else []
    for value in dict.fromkeys([ours.value, *axes]):
        mend = theirs.written(value)
        told = f"{name}: {ours.written(ours.value)} there, {theirs.written(theirs.value)} here"
        yield Cause(name, told if value == ours.value else f"{told} ({mend})", mend, theirs, value)
