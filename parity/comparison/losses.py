"""What is set of two losses, and which setting it is that parts them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from parity.comparison.causes import Cause
from parity.comparison.model import Setting

Settings = dict[str, Setting]
# Whether torch's classes take logits, or probabilities and their logarithms.
LOGITS = {"CrossEntropyLoss": True, "BCEWithLogitsLoss": True, "NLLLoss": False, "BCELoss": False}
MEANS = {"sum_over_batch_size": "mean", "mean_with_sample_weight": "mean", "auto": "mean"}  # in torch's terms
NAMES = {"label smoothing": "label_smoothing", "delta": "delta"}  # in both


def loss_causes(first: Any, second: Any) -> Iterator[Cause]:
    """Yields the settings in which a Keras loss, the second, differs from torch's."""
    theirs = _of_keras(second)
    for name, ours in _of_torch(first).items():
        setting = theirs.get(name)
        if setting is not None and setting.value != ours.value:
            told = f"{name}: {ours.written(ours.value)} there, {setting.written(setting.value)} here"
            yield Cause(name, told, setting.written(ours.value), setting, ours.value)


def _of_torch(loss: Any) -> Settings:
    title = type(loss).__name__
    found = {name: getattr(loss, own) for name, own in NAMES.items() if hasattr(loss, own)}
    if hasattr(loss, "reduction"):
        found["reduction"] = loss.reduction
    settings = {name: Setting(value, _words(NAMES.get(name, name))) for name, value in found.items()}
    if title in LOGITS:
        settings["logits"] = Setting(LOGITS[title], lambda _: title)
    return settings


def _of_keras(loss: Any) -> Settings:
    kept = getattr(loss, "_fn_kwargs", {})
    names = NAMES | {"logits": "from_logits"}
    settings = {name: _kept(kept, own) for name, own in names.items() if own in kept}
    if hasattr(loss, "reduction"):
        settings["reduction"] = Setting(
            MEANS.get(loss.reduction, loss.reduction),
            lambda value: f"reduction={'sum_over_batch_size' if value == 'mean' else value!r}",
            lambda value: setattr(loss, "reduction", "sum_over_batch_size" if value == "mean" else value),
        )
    return settings


def _words(name: str) -> Callable[[Any], str]:
    return lambda value: f"{name}={value!r}"


def _kept(kept: dict[str, Any], name: str) -> Setting:
    return Setting(kept[name], _words(name), lambda value: kept.update({name: value}))
