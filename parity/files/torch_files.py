"""torch's files: a state_dict, or a checkpoint that has one beside the state of an optimizer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from numpynet import Module, Optimizer
from parity.case import dtype_of
from parity.files.checks import State, compare, held, nearest, opened, shapes
from parity.files.torch_module import OrdinaryTorch
from parity.frameworks import framework
from parity.frameworks.counterpart import Counterpart, TensorView
from parity.frameworks.lazy import torch, torch_optimizers
from parity.mapping.convert import convert
from parity.mapping.pair import pairs_of

# Where checkpoints keep the two; the first ones are written.
WEIGHTS = ("model_state_dict", "state_dict", "model")
OPTIMIZER = ("optimizer_state_dict", "optimizer")


def write(path: Path, model: Module, optimizer: Optimizer | None) -> None:
    """Write a state_dict, or a checkpoint where an optimizer is given."""
    built = _ordinary(model)
    document = built.layer.state_dict()
    if optimizer is not None:
        holding = held(built, model, optimizer)
        rule, slots = _rule(optimizer, holding)
        for position, view in holding.items() if optimizer.steps else ():
            kept = {slots[slot]: view.to_framework(values) for slot, values in optimizer.state[position].items()}
            tensors = {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in kept.items()}
            rule.state[view.tensor] = {"step": torch.tensor(float(optimizer.steps)), **tensors}
        document = {WEIGHTS[0]: document, OPTIMIZER[0]: rule.state_dict()}
    torch.save(document, path)


def read(path: Path, model: Module, optimizer: Optimizer | None) -> tuple[State, State]:
    """The weights in the file, and the state of the optimizer if one is given; nothing but tensors is unpickled."""
    document = opened(
        path,
        "torch file of tensors alone",
        lambda: torch.load(path, map_location="cpu", weights_only=True),
        _refused,
    )
    found = _state_dict(document)
    if not found:
        raise ValueError(f"{path} holds no state_dict, but a {type(document).__name__}")
    candidates = [_ordinary(model), convert(model, "torch")]
    built = candidates[nearest(found, *(one.layer.state_dict() for one in candidates))]
    found = _counted(found, built)
    compare(path, shapes(built.layer.state_dict()), shapes(found))
    built.layer.load_state_dict(found)
    saved = next(filter(_of_optimizer, map(document.get, OPTIMIZER)), None)
    state = _optimizer_state(path, saved, built, model, optimizer) if optimizer and saved else {}
    return framework("torch").arrays(built), state


def _ordinary(model: Module) -> Counterpart:
    return framework("torch").convert(model, dtype_of(model), OrdinaryTorch())


def _refused(error: Exception) -> str:
    """Returns what a file would have made besides tensors; torch's own words end in the advice to let it."""
    named = re.search(r"Unsupported (?:global: GLOBAL|class) ([\w.]+)", str(error))
    return f"it would call {named[1]}; a state_dict alone is read" if named else ""


def _state_dict(document: Any) -> dict[str, Any]:
    """The state_dict that the document is, or that it holds by one of the usual names; empty if there is none."""
    if not isinstance(document, dict):
        return {}
    found = next((document[name] for name in WEIGHTS if isinstance(document.get(name), dict)), document)
    return found if all(isinstance(tensor, torch.Tensor) for tensor in found.values()) else {}


def _of_optimizer(found: Any) -> bool:
    """Tells whether it is the state_dict of an optimizer of torch."""
    return isinstance(found, dict) and {"state", "param_groups"} <= found.keys()


def _counted(found: dict[str, Any], built: Counterpart) -> dict[str, Any]:
    """Returns what was found, with the counts of batches that older files lack, which torch does not insist on."""
    counts = {name: count for name, count in built.layer.state_dict().items() if name.endswith("num_batches_tracked")}
    return counts | found


def _optimizer_state(path: Path, saved: Any, built: Counterpart, model: Module, optimizer: Optimizer) -> State:
    holding = held(built, model, optimizer)
    ours = {theirs: slot for slot, theirs in _rule(optimizer, holding)[1].items()}
    count = sum(len(group["params"]) for group in saved["param_groups"])
    if count != len(holding):
        raise ValueError(f"{path} holds the state of an optimizer of {count} parameters, not of {len(holding)}")
    state: State = {}
    steps = 0
    for index, (position, view) in enumerate(holding.items()):
        kept = {name: value for name, value in saved["state"].get(index, {}).items() if value is not None}
        steps = int(kept.pop("step", 0))
        if unknown := sorted(kept.keys() - ours.keys()):
            raise ValueError(f"{path} holds the state of another optimizer than {optimizer!r}: {', '.join(unknown)}")
        state |= {f"{ours[name]}.{position}": view.to_numpynet(value.numpy()) for name, value in kept.items()}
    return {"steps": np.array(steps), **state}


def _rule(optimizer: Optimizer, holding: Mapping[int, TensorView]) -> tuple[Any, dict[str, str]]:
    """torch's optimizer of these tensors, and its names for numpynet's slots."""
    translation = pairs_of("torch").optimizer(optimizer)
    made = torch_optimizers.Rule(optimizer, translation, {str(position): view for position, view in holding.items()})
    return made.optimizer, dict(translation.slots["torch"])
