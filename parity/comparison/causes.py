"""What an error probably is: each known difference of the layer at fault is tried, and what removes it is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from parity.comparison.model import ACTIVATIONS, Call, Layer, Setting


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
    setting: Setting
    value: object

    def removes(self, own: Callable[[], float | None]) -> bool:
        """Tells whether the layer's own error is within what rounding allows once this is changed."""
        if self.setting.change is None:
            return False
        self.setting.change(self.value)
        try:
            share = own()
        except Exception:  # the layer does not take the value: it is not this
            return False
        finally:
            self.setting.change(self.setting.value)
        return share is not None and share <= 1


def causes(reference: Sequence[Call], other: Layer) -> Iterator[Cause]:
    """Yields the settings in which the other layer differs from the reference's, which are one layer or two."""
    applied = other.settings.get("activation")
    if applied is not None and not any(call.layer.kind in ACTIVATIONS for call in reference):
        yield Cause(
            "activation",
            f"activation: none there, {applied.written(applied.value)} here",
            applied.written(""),
            applied,
            "",
        )
    for call in reference:
        kind = call.layer.kind
        if applied is not None and kind in ACTIVATIONS and applied.value != kind:
            told = f"activation: {call.layer.title} there, {applied.written(applied.value)} here"
            yield Cause("activation", told, applied.written(kind), applied, kind)
        for name, ours in call.layer.settings.items():
            theirs = other.settings.get(name)
            if theirs is not None and theirs.value != ours.value:
                yield Cause(
                    name,
                    f"{name}: {ours.written(ours.value)} there, {theirs.written(theirs.value)} here",
                    theirs.written(ours.value),
                    theirs,
                    ours.value,
                )
