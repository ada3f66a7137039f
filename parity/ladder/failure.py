"""Failure messages: where implementations part, who is the odd one out, by how much, and how to see it again."""

from __future__ import annotations

import inspect
import traceback
from typing import Any

import numpy as np

from numpynet import SGD, Graph, Module
from parity.case import Case, computing
from parity.ladder.judge import Judgement, errors, shares
from parity.ladder.trace import OUTPUT, RUNGS, Key, rung_after
from parity.layout import spread, step_of
from parity.rounding.errors import SLACK


class ParityError(AssertionError):
    """Raised where implementations part by more than rounding allows; its message ends in a script that shows it.

    rung: the lowest rung on which they part; None where it did not come so far
    quantity: what was computed there; "refusal" where an implementation raised, "repetition" where one answered
        otherwise when it was asked again, "crash" where the example could not be judged at all
    module: the module of the example; None where none was drawn
    """

    rung: int | None
    quantity: str
    module: Module | None


class Parted(ParityError):
    """Raised for one judgement, which holds everything that the implementations computed."""

    def __init__(self, judgement: Judgement) -> None:
        self.judgement = judgement
        self.rung, self.module = judgement.rung, judgement.case.module
        if judgement.unsteady:
            self.quantity = "repetition"
        else:
            off = judgement.off()
            self.quantity = off[0][0].quantity if off else "refusal"
        super().__init__(describe(judgement))


class Unjudged(ParityError):
    """Raised where something that is no implementation raised: a pair, the drawing, the judging, or what it found."""

    rung = None
    quantity = "crash"

    def __init__(self, doing: str, reason: BaseException, case: Case | None = None) -> None:
        self.reason = reason
        self.module = None if case is None else case.module
        lines = [f"{doing} raised {type(reason).__name__}: {reason}".removesuffix(": ")]
        lines += [f"  {frame.filename}, line {frame.lineno}, in {frame.name}" for frame in _innermost(reason)]
        if case is not None:
            lines += [f"of {case.module!r}", _indented(case)]
        super().__init__("\n".join(lines))


FRAMES = 3  # of a traceback that are told


def _innermost(error: BaseException) -> list[traceback.FrameSummary]:
    return traceback.extract_tb(error.__traceback__)[: -FRAMES - 1 : -1]


def _indented(case: Case) -> str:
    """The script that shows an example again, below its headline."""
    try:
        script = reproduction(case)
    except Exception as error:  # a module whose repr raises, say
        return f"it cannot be reproduced: {type(error).__name__}: {error}"
    return "Reproduce:\n\n" + "\n".join(f"    {line}" for line in script.splitlines()) + "\n"


def describe(judgement: Judgement) -> str:
    """The whole failure message, ending in a script that shows the difference on its own."""
    with np.errstate(all="ignore"):
        parts = _parts(judgement)
    return "\n".join([*filter(None, parts), _indented(judgement.case)])


def _parts(judgement: Judgement) -> list[str]:
    if judgement.unsteady:
        return [_unsteady(judgement)]
    if judgement.crashes:
        return [_crashes(judgement)]
    key = judgement.off()[0][0]
    return [_headline(judgement, key), _vote(judgement, key), _worst(judgement, key), _last_agreed(judgement, key)]


def _unsteady(judgement: Judgement) -> str:
    lines = [f"rung {judgement.rung} ({RUNGS[judgement.rung or OUTPUT]}): {judgement.case.module!r}"]
    for name, key in judgement.unsteady.items():
        found = "it raises once and once not" if key is None else f"the first that is another one: {key}"
        lines.append(f"{name} answers otherwise when it is asked again, from the same weights: {found}")
    return "\n".join(lines)


def _crashes(judgement: Judgement) -> str:
    rung = {name: rung_after(judgement.case, judgement.traces[name]) for name in judgement.crashes}
    lowest = min(rung.values())
    lines = [
        f"{name} refused it on rung {rung[name]} ({RUNGS[rung[name]]}): {type(error).__name__}: {error}"
        for name, error in judgement.crashes.items()
    ]
    accepted = ", ".join(judgement.used) or "none"
    return "\n".join(
        [f"rung {lowest} ({RUNGS[lowest]}): {judgement.case.module!r}", *lines, f"accepted by: {accepted}"]
    )


def _headline(judgement: Judgement, key: Key) -> str:
    return f"rung {key.rung} ({RUNGS[key.rung]}): {key}\nof {judgement.case.module!r}{_where(judgement, key)}"


def _where(judgement: Judgement, key: Key) -> str:
    module = judgement.case.module
    layers = {name: layer for name, layer in module.named_call_sites() if name}
    if key.layer not in layers:
        return ""
    names, name, where = list(layers), key.layer, "in layer"
    if key.quantity == "output gradient":  # the work of what comes after it
        if any(isinstance(part, Graph) for _, part in module.named_modules()):
            where = "in what takes the output of layer"
        else:
            name = names[names.index(name) + 1]
    first = next(other for other in names if layers[other] is layers[name])
    again = f", which is {first} once more" if first != name else ""
    return f"\n{where} {name}, {layers[name]!r}{again}"


def odd_ones(judgement: Judgement, key: Key) -> list[str]:
    """The implementations outside the allowance, or "numpynet" alone where the others agree among themselves.

    They agree if they are far closer to each other than to numpynet's formula.
    """
    off = [name for name, used in judgement.used.items() if not used[key] <= 1]
    others = [name for name in judgement.traces if name != "numpynet"]
    if len(others) > 1 and set(others) <= set(off) and _agree(judgement, key, others):
        return ["numpynet"]
    return off


def _agree(judgement: Judgement, key: Key, names: list[str]) -> bool:
    """Tells whether the named implementations are far closer to each other than to the reference, at the worst element.

    How far rounding may part them is unknown here: the allowance is that of the reference's formula, not of theirs.
    """
    expected = judgement.reference[key]
    found = [judgement.traces[name].get(key) for name in names]
    if any(values is None or values.shape != expected.shape for values in found):
        return len({None if values is None else values.shape for values in found}) == 1
    index = _worst_index(judgement, key, names)
    first, *rest = (values[index].astype(expected.dtype) for values in found if values is not None)
    return all(errors(other, first) * SLACK <= errors(other, expected[index]) for other in rest)


def _worst_index(judgement: Judgement, key: Key, names: list[str]) -> tuple[int, ...]:
    """The index of the element where one of the named implementations uses most of its allowance.

    Where several use the most, it is the one with the largest error.
    """
    expected = judgement.reference[key]
    values = {name: judgement.traces[name][key] for name in names}
    used = np.max([shares(found, expected, judgement.allowed[name][key]) for name, found in values.items()], axis=0)
    error = np.max([errors(found, expected) for found in values.values()], axis=0)
    worst = np.argmax(np.where(used == np.max(used), error, -1))
    return tuple(map(int, np.unravel_index(int(worst), expected.shape)))


def undecided(judgement: Judgement, key: Key) -> list[str]:
    """The others that agree with each other and not with numpynet, where it is near the threshold; else none.

    Some of them are within their allowance still, and the rest are hardly outside: what parts them from numpynet is the
    same in all, and numpynet's formula is as likely wrong as theirs.
    """
    others = [name for name in judgement.traces if name != "numpynet"]
    off = [name for name in others if not judgement.used[name][key] <= 1]
    if len(others) < 2 or not off or len(off) == len(others) or not judgement.used["numpynet"][key] <= 1:
        return []
    near = all(judgement.used[name][key] <= NEAR for name in off)
    return others if near and _agree(judgement, key, others) else []


NEAR = 4  # times the allowance: what one of two that agree uses where the other is within its own


def _vote(judgement: Judgement, key: Key) -> str:
    if together := undecided(judgement, key):
        return (
            f"nobody is accused: {' and '.join(together)} agree with each other and not with numpynet's formula, "
            "near the threshold"
        )
    odd = odd_ones(judgement, key)
    if odd == ["numpynet"] and judgement.used["numpynet"][key] <= 1:
        return (
            "odd one out: numpynet. The others agree with each other and not with numpynet's formula, in any precision"
        )
    if len(judgement.traces) == 2 and "numpynet" not in odd:
        return f"numpynet and {odd[0]} part by more than rounding; of two alone, neither is the odd one"
    return f"odd one out: {', '.join(odd)}, against the reference in {judgement.reference[key].dtype}"


def _worst(judgement: Judgement, key: Key) -> str:
    """The lines on the worst element: its index, every value, the error in ulp and as a share of the allowance."""
    expected = judgement.reference[key]
    lines: list[str] = []
    for name, record in judgement.traces.items():
        actual = record.get(key)
        if actual is None:
            lines.append(f"  {name}: nothing of the kind")
        elif actual.shape != expected.shape or actual.dtype != judgement.case.dtype:
            wanted = f"{judgement.case.dtype} of shape {expected.shape}"
            lines.append(f"  {name}: {actual.dtype} of shape {actual.shape}, not {wanted}")
    if lines:
        return "\n".join(lines)
    off = [name for name, used in judgement.used.items() if not used[key] <= 1]
    index = _worst_index(judgement, key, off)
    lines.append(f"worst element {list(index)}: reference {_number(expected[index])}")
    for name, record in judgement.traces.items():
        value, allowed = record[key][index], judgement.allowed[name][key][index]
        error = errors(record[key], expected)[index]
        count = int(np.sum(~(shares(record[key], expected, judgement.allowed[name][key]) <= 1)))
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
    """The distance of two neighbouring numbers of the value's format, near the larger one that is finite."""
    sizes = np.abs(np.array([expected, value], value.dtype))
    return np.spacing(np.max(sizes, where=np.isfinite(sizes), initial=0))


def _last_agreed(judgement: Judgement, key: Key) -> str:
    keys = list(judgement.reference)
    before = keys[: keys.index(key)]
    return f"last tensor that agreed: {before[-1]}" if before else "nothing agreed before it"


def reproduction(case: Case) -> str:
    """A script without Hypothesis that runs `case` in every implementation and prints what parts."""
    lines = ["import numpy as np", "import parity", *_imports(case), "", f"module = {case.module!r}"]
    generators = {name: vars(module).get("rng") for name, module in case.module.named_modules()}
    if states := {name: rng.bit_generator.state for name, rng in generators.items() if rng is not None}:
        lines.append(f"for name, state in {states!r}.items():")
        lines.append("    dict(module.named_modules())[name].rng.bit_generator.state = state")
    if state := case.module.state_dict():
        lines.append("module.load_state_dict({")
        lines += [f"    {name!r}: {_literal(values)}," for name, values in state.items()]
        lines.append("})")
    lines.append("steps = [")
    for step in case.steps:
        more = "" if step.zero_grad else ", zero_grad=False"
        more += "" if step.training is None else f", training={step.training}"
        more += "" if step.rehearsal is None else f", rehearsal={_literal(step.rehearsal)}"
        more += "" if step.backwards == 1 else f", backwards={step.backwards}"
        lines.append(f"    parity.Step({_literal(step.input)}, {_literal(step.cotangent)}, lr={step.lr!r}{more}),")
    lines.append("]")
    extra = "".join(
        f", {name}={value}"
        for name, value, default in (
            ("training", case.training, True),
            ("arguments", case.arguments, None),
            ("frozen", set(case.frozen), set()),
            ("optimizer", case.optimizer.__name__, SGD.__name__),
            ("beside", case.beside, False),
            ("apart", set(case.apart), set()),
        )
        if value != default
    )
    lines.append(f"print(parity.explain(parity.Case(module, steps{extra})))")
    return "\n".join(lines)


def _imports(case: Case) -> list[str]:
    """The lines that import the classes of the case's modules, criteria and optimizer."""
    clips = [clip for clip in [(case.arguments or {}).get("clip")] if clip is not None]
    classes = {type(value) for value in [*computing(case.module), *clips]} | ({case.optimizer} - {SGD})
    own = sorted(c.__name__ for c in classes if c.__module__.split(".")[0] == "numpynet")
    strangers = sorted((c for c in classes if c.__name__ not in own), key=lambda c: c.__name__)
    return [f"from numpynet import {', '.join(own)}"] * bool(own) + [_import_of(stranger) for stranger in strangers]


def _import_of(stranger: type) -> str:
    """The line by which a script gets a class that is not ours: imported by name, or from the file that defines it."""
    if not stranger.__module__.startswith("parity_file_") and stranger.__module__ != "__main__":
        return f"from {stranger.__module__} import {stranger.__qualname__.split('.')[0]}"
    try:
        return f"{stranger.__name__} = parity.load({inspect.getfile(stranger)!r}).{stranger.__name__}"
    except (OSError, TypeError):  # of a notebook or of an interactive session
        return f"# here goes the definition of {stranger.__name__}, which is in no file"


def _literal(values: Any) -> str:
    if isinstance(values, tuple):
        return f"({', '.join(map(_literal, values))})"
    if (step := step_of(values)) != 1:
        return f"{_literal(spread(values, step))}[..., ::{step}]"
    order = ", order='F'" if values.flags.f_contiguous and not values.flags.c_contiguous else ""
    return f"np.array({values.tolist()!r}, {values.dtype.name!r}{order})"
