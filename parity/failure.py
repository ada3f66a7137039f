"""What a failure says: where implementations part, who is the odd one out, by how much, and how to see it again."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from numpynet import Array
from parity.pairing import Case
from parity.rungs.judge import Judgement, errors, share_used, shares
from parity.rungs.record import RUNGS, Key


class ParityError(AssertionError):
    """Implementations part; `judgement` holds everything they computed, `key` the first tensor that is off."""

    def __init__(self, judgement: Judgement) -> None:
        self.judgement = judgement
        off = judgement.off()
        self.key: Key | None = off[0][0] if off else None
        super().__init__(describe(judgement))


def describe(judgement: Judgement) -> str:
    """The whole message, ending in a script that shows the difference on its own."""
    if judgement.crashes:
        parts = [_crashes(judgement)]
    else:
        key = judgement.off()[0][0]
        parts = [
            _headline(judgement, key),
            _vote(judgement, key),
            _worst(judgement, key),
            _last_agreed(judgement, key),
        ]
    script = "\n".join(f"    {line}" for line in reproduction(judgement.case).splitlines())
    return "\n".join(filter(None, parts)) + f"\nReproduce:\n\n{script}\n"


def _crashes(judgement: Judgement) -> str:
    lines = [f"{name} refused it: {type(error).__name__}: {error}" for name, error in judgement.crashes.items()]
    accepted = ", ".join(judgement.used) or "none"
    return "\n".join([f"rung 1 (output): {judgement.case.module!r}", *lines, f"accepted by: {accepted}"])


def _headline(judgement: Judgement, key: Key) -> str:
    return f"rung {key.rung} ({RUNGS[key.rung]}): {key}\nof {judgement.case.module!r}{_where(judgement, key)}"


def _where(judgement: Judgement, key: Key) -> str:
    layers = {name: m for name, m in judgement.case.module.named_modules() if name and not m.children()}
    if key.layer not in layers:
        return ""
    names = list(layers)
    # The gradient that comes back to a layer's output is the work of the layer after it.
    name = names[names.index(key.layer) + (key.quantity == "output gradient")]
    return f"\nin layer {name}, {layers[name]!r}"


def odd_ones(judgement: Judgement, key: Key) -> list[str]:
    """Who is outside the allowance; "numpynet" where the others agree with each other and not with its formula."""
    off = [name for name, used in judgement.used.items() if not used[key] <= 1]
    others = [name for name in judgement.records if name != "numpynet"]
    if len(others) > 1 and set(others) <= set(off) and _agree(judgement, key, others):
        return ["numpynet"]
    return off


def _agree(judgement: Judgement, key: Key, names: list[str]) -> bool:
    """Whether the named implementations are within the sum of their allowances of each other."""
    first = judgement.records[names[0]][key]
    allowed = np.sum([judgement.allowed[name][key] for name in names], axis=0)
    return all(
        share_used(judgement.records[name][key], first.astype(allowed.dtype), allowed, first.dtype) <= 1
        for name in names[1:]
    )


def _vote(judgement: Judgement, key: Key) -> str:
    odd = odd_ones(judgement, key)
    if odd == ["numpynet"] and judgement.used["numpynet"][key] <= 1:
        return (
            "odd one out: numpynet. The others agree with each other and not with numpynet's formula, in any precision"
        )
    return f"odd one out: {', '.join(odd)}, against the reference in {judgement.reference[key].dtype}"


def _worst(judgement: Judgement, key: Key) -> str:
    """The worst element: index, every value, the error in ulp and as a fraction of what was allowed."""
    expected = judgement.reference[key]
    lines: list[str] = []
    for name, record in judgement.records.items():
        actual = record.get(key)
        if actual is None:
            lines.append(f"  {name}: nothing of the kind")
        elif actual.shape != expected.shape or actual.dtype != judgement.case.dtype:
            lines.append(f"  {name}: {actual.dtype} of shape {actual.shape}, not {expected.shape}")
    if lines:
        return "\n".join(lines)
    off = [name for name, used in judgement.used.items() if not used[key] <= 1]
    by_element = {
        name: shares(record[key], expected, judgement.allowed[name][key]) for name, record in judgement.records.items()
    }
    worst_of = max(off, key=lambda name: float(np.max(by_element[name])))
    index = np.unravel_index(int(np.argmax(by_element[worst_of])), expected.shape)
    shown = list(map(int, index))
    lines.append(f"worst element {shown}: reference {_number(expected[index])}")
    for name, record in judgement.records.items():
        value, allowed = record[key][index], judgement.allowed[name][key][index]
        error = errors(record[key], expected)[index]
        count = int(np.sum(~(by_element[name] <= 1)))
        lines.append(
            f"  {name:<10} {_number(value)}  error {_number(error)} = {error / _ulp(expected[index], value):.3g} ulp, "
            f"{_fraction(error, allowed)}; {count} of {expected.size} elements off"
        )
    return "\n".join(lines)


def _fraction(error: Any, allowed: Any) -> str:
    if allowed > 0:
        return f"{error / allowed:.3g} of the {_number(allowed)} allowed"
    return "nothing is allowed here" if error else "exact"


def _number(value: Any) -> str:
    return f"{value:.9g}"


def _ulp(expected: Any, value: Any) -> Any:
    """The distance of two neighbouring numbers of the value's format, near the expected one."""
    near = np.asarray(abs(expected)).astype(value.dtype)
    return np.spacing(near if np.isfinite(near) else np.finfo(value.dtype).max)


def _last_agreed(judgement: Judgement, key: Key) -> str:
    keys = list(judgement.reference)
    before = keys[: keys.index(key)]
    return f"last tensor that agreed: {before[-1]}" if before else "nothing agreed before it"


def reproduction(case: Case) -> str:
    """A script without Hypothesis that runs `case` in every implementation and prints what parts."""
    classes = {type(module) for _, module in case.module.named_modules()} | {
        type(value)
        for _, module in case.module.named_modules()
        for value in vars(module).values()
        if type(value).__module__.startswith("numpynet.criteria")
    }
    own = sorted(c.__name__ for c in classes if c.__module__.split(".")[0] == "numpynet")
    lines = ["import numpy as np", "import parity"]
    if own:
        lines.append(f"from numpynet import {', '.join(own)}")
    for stranger in sorted(classes, key=lambda c: c.__name__):
        package = stranger.__module__.split(".")[0]
        if package != "numpynet":
            lines.append(_import_of(stranger))
    lines += ["", f"module = {case.module!r}"]
    if state := case.module.state_dict():
        lines.append("module.load_state_dict({")
        lines += [f"    {name!r}: {_literal(values)}," for name, values in state.items()]
        lines.append("})")
    lines.append("steps = [")
    for step in case.steps:
        lines.append(f"    parity.Step({_literal(step.input)}, {_literal(step.cotangent)}, lr={step.lr!r}),")
    lines.append("]")
    extra = "".join(
        f", {name}={value!r}"
        for name, value in (
            ("training", case.training),
            ("sgd", case.sgd),
            ("frozen", set(case.frozen) or None),
        )
        if value is not None and value is not True
    )
    lines.append(f"print(parity.explain(parity.Case(module, steps{extra})))")
    return "\n".join(lines)


def _import_of(stranger: type) -> str:
    """How a script gets a class that is not ours: imported by name, or from the file that defines it."""
    if not stranger.__module__.startswith("parity_file_") and stranger.__module__ != "__main__":
        return f"from {stranger.__module__} import {stranger.__qualname__.split('.')[0]}"
    return f"{stranger.__name__} = parity.load({inspect.getfile(stranger)!r}).{stranger.__name__}"


def _literal(values: Array) -> str:
    return f"np.array({values.tolist()!r}, {values.dtype.name!r})"
