"""What changed between two recordings of the same models: a maintainer's own, before an upgrade and after it.

A folder holds a recording for each model, `NAME.parity`. Where a model could not be recorded, `NAME.txt` holds what was
said instead. Nothing that the models are written in is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

import numpy as np

from numpynet import Array
from parity.comparison.flattened import STATES
from parity.comparison.formats import NARROW, Arithmetic
from parity.comparison.recording import Header, read
from parity.comparison.sides.recorded import ALLOWED, BEYOND, COMPUTED, REFERENCE
from parity.drift import curves
from parity.drift.change import change
from parity.drift.document import Change, Compared, Drift, Missing, Step, Versions
from parity.drift.machine import in_parts
from parity.drift.numbers import Value, changed, moved
from parity.drift.origins import PYTHON, differing, in_words, suspects
from parity.drift.packing import unit_in_the_last_place
from parity.drift.recordings import Found, Recording
from parity.drift.verdict import EXIT_CODES, details, headline, status_of
from parity.ladder.judge import errors, share_used
from parity.releases.installing import PACKAGES
from parity.results.store import ResultsError, number_of

SUFFIX, SAID = ".parity", ".txt"
# What has to be the same for anything to be compared, by the folder in a recording, and what to do where it is not.
GIVEN = {
    "inputs": "record the same inputs, drawn by a seed or read from a file",
    "weights": "an initialiser or its seed draws otherwise: read the weights from a file",
    "evaluation/cotangents": "record both with the same seed",
    "training/cotangents": "record both with the same seed",
    "training/masks": "record both with the same seed",
}
PROVIDED = {name: package for package, known in PACKAGES.items() for name in known}  # the package of a distribution
NAMED = 4  # packages in a title, where none of them is a framework
SCRIPT = """import numpy

for file in ({before!r}, {after!r}):
    print(numpy.load(file)[{name!r}][{element}])
"""


def holds(folder: Path) -> bool:
    """Tells whether a folder holds recordings of models."""
    return any(folder.glob(f"*{SUFFIX}"))


def drift(before: Path, after: Path) -> Drift:
    """Returns what changed from the recordings in one folder to those in another.

    Raises ResultsError where one of the two has none, nor says why, and `Unfit` for what is no recording.
    """
    for folder in (before, after):
        if not (folder.is_dir() and (holds(folder) or any(folder.glob(f"*{SAID}")))):
            raise ResultsError(
                f"{folder} holds no recording: `parity record FILE.py -o {folder}/NAME.parity` makes one"
            )
    names = sorted({path.stem for folder in (before, after) for path in folder.glob(f"*{SUFFIX}")})
    pairs = {name: tuple(_recording(folder / f"{name}{SUFFIX}") for folder in (before, after)) for name in names}
    origins = [_Origin.of(each for pair in pairs.values() if (each := pair[side])) for side in (0, 1)]
    packages, others, machine = (differing(*each) for each in zip(*origins, strict=True))
    unlike = bool((packages or others) and machine)
    found = Found()
    for name, (old, new) in pairs.items():
        if old and new:
            _compare(name, old, new, found, unlike)
        else:
            _absent(name, before if new else after, bool(new), found)
    if unlike:
        why = f"the machine changed with the packages ({in_words(machine)}): what moves may be due to either"
        found.missing.append(Missing(what="tensors", why=why))
    step = _step((before.name, after.name), packages, others, machine, found)
    return Drift(
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        status=step.status,
        exit_code=EXIT_CODES[step.status],
        stacks=[before.name, after.name],
        steps=[step],
        floors=[],
        history=[],
        unmoved=0,
    )


def _recording(file: Path) -> Recording | None:
    return Recording(file, *read(file)) if file.exists() else None


class _Origin(NamedTuple):
    """The versions, those of the other packages, and the machine that recordings were made by.

    Of what they have several, all are told.
    """

    packages: dict[str, str]
    others: dict[str, str]
    machine: dict[str, str]

    @classmethod
    def of(cls, recordings: Iterable[Recording]) -> _Origin:
        found = cls({}, {}, {})
        for header in (recording.header for recording in recordings):
            versions = {PYTHON if name == "python" else name: at for name, at in header.made_by.items()}
            versions |= {PROVIDED[name]: at for name, at in header.installed.items() if name in PROVIDED}
            others = {name: at for name, at in header.installed.items() if name not in PROVIDED}
            for known, told in zip(found, (versions, others, in_parts(header.machine)), strict=True):
                for name, value in told.items():
                    if value not in known.setdefault(name, value).split(" and "):
                        known[name] += f" and {value}"
        return found


def _absent(name: str, folder: Path, began: bool, found: Found) -> None:
    """Tell of a model that one folder has no recording of: it is refused there if that is said, else missing."""
    file = folder / f"{name}{SAID}"
    if not file.exists():
        found.missing.append(Missing(what="recordings", why=f"{folder.name} has none of this model", keys=[name]))
        return
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    refused = lines[-1] if lines else "it cannot be recorded"
    said = (refused, "recorded") if began else ("recorded", refused)
    found.behaviour.append(change("recordings", name, "", said, harmless=began))


def _compare(name: str, old: Recording, new: Recording, found: Found, unlike: bool) -> None:
    """Add what changed in one model; its tensors count unless the machines are `unlike`."""
    found.behaviour += _settings(name, old.header, new.header)
    found.settings += sum(len(layer.settings) for layer in old.header.layers)
    if why := _otherwise(old, new):
        found.missing.append(Missing(what="tensors", why=why, keys=[name]))
        return
    if old.header.untrained != new.header.untrained:
        said = new.header.untrained or old.header.untrained
        found.missing.append(Missing(what="tensors", why=f"training mode, in one of the two: {said}", keys=[name]))
    elif old.header.untrained:
        found.notes.append(f"{name}: {old.header.untrained}")
    if unlike:
        return
    curves.compare(name, old, new, found)
    of, arithmetic = old.header.framework, _arithmetic(old.header)
    grouped: dict[str, dict[str, tuple[Value, Value]]] = {}
    unjudged = []
    for tensor in _tensors(old, new):
        values, beyond = tensor.values(arithmetic)
        grouped.setdefault(_quantity(tensor.name), {})[tensor.name] = values
        unjudged += [_told(old.header, tensor.name)] if beyond else []
        found.tensors += 1
    if unjudged:
        why = f"of {name}, elements beyond the range of {arithmetic.name} moved, which nothing can be judged of"
        found.missing.append(Missing(what="tensors", why=why, keys=unjudged))

    def script(tensor: str, element: tuple[int, ...]) -> str:
        return SCRIPT.format(
            before=old.file.as_posix(), after=new.file.as_posix(), name=_in_file(tensor), element=element
        )

    for quantity, pairs in grouped.items():
        kind, _, mode = quantity.partition(", ")
        if move := moved((of, f"{kind} of {name}, {mode}", arithmetic.name), pairs, script):
            found.numbers.append(replace(move, tensor=_told(old.header, move.tensor)))


def _settings(name: str, old: Header, new: Header) -> Iterator[Change]:
    """Yields the hyper-parameters of layers that are others, and the layers that are new or gone."""
    layers = [{layer.name: layer for layer in header.layers} for header in (old, new)]
    for layer in dict.fromkeys([*layers[0], *layers[1]]):
        here, there = (known.get(layer) for known in layers)
        if here is None or there is None:
            said = ("", there.title) if there else (here.title if here else "", "")
            yield change("layers", f"{name}, {layer}", new.framework, said)
            continue
        written = ({key: value.written for key, value in known.settings.items()} for known in (here, there))
        for each in differing(*written):
            yield change("settings", f"{name}, {layer}.{each.name}", new.framework, (each.before, each.after))


def _otherwise(old: Recording, new: Recording) -> str:
    """Why the tensors of two recordings cannot be compared; empty where they can."""
    for part in ("framework", "dtype", "narrow", "mixed", "seed"):
        if getattr(old.header, part) != getattr(new.header, part):
            return f"the {part} of the two is not the same"
    if old.header.modes["evaluation"] != new.header.modes["evaluation"]:
        return "the model calls other layers, or in another order"
    for given, what_to_do in GIVEN.items():
        names = [name for name in old.arrays if name.startswith(f"{given}/") and _both_have(name, old, new)]
        if any(name not in new.arrays or not np.array_equal(old.arrays[name], new.arrays[name]) for name in names):
            return f"the {given.rpartition('/')[2]} are not the same: {what_to_do}"
    return ""


def _both_have(name: str, old: Recording, new: Recording) -> bool:
    """Tells whether an array has to be in both: training mode may be in one alone."""
    return name in new.arrays or name.partition("/")[0] in ("inputs", "weights", *new.header.modes)


def _arithmetic(header: Header) -> Arithmetic:
    return Arithmetic(np.dtype(header.dtype), NARROW.get(header.narrow), header.mixed)


@dataclass(frozen=True)
class _Tensor:
    """What both recordings have under one name, and what the first says of it.

    beyond: which elements the range of the format keeps from being judged; empty where there are none
    """

    name: str
    computed: tuple[Array, Array]
    expected: Array
    allowed: Array
    beyond: Array | None

    def values(self, arithmetic: Arithmetic) -> tuple[tuple[Value, Value], bool]:
        """Both with their errors and shares, and whether elements moved that cannot be judged: these are left out."""
        computed, kept, moved_beyond = list(self.computed), np.ones(self.expected.shape, bool), False
        if self.beyond is not None:
            kept = ~self.beyond | np.all([errors(each, self.expected) <= self.allowed for each in computed], axis=0)
            moved_beyond = bool(changed(*computed)[~kept].any())
            computed = [np.where(kept, each, each.dtype.type(np.nan)) for each in computed]
        old, new = (_value(each, each[kept], self.expected[kept], self.allowed[kept], arithmetic) for each in computed)
        return (old, new), moved_beyond


def _tensors(old: Recording, new: Recording) -> Iterator[_Tensor]:
    """Yields what both computed, by its mode and name, with what the first says of it."""
    for mode in old.header.modes:
        for name, values in old.arrays.items():
            tensor = name.removeprefix(f"{mode}/{COMPUTED}/")
            if tensor == name or "/inputs/" in tensor or name not in new.arrays:
                continue
            expected, allowed, beyond = (old.arrays.get(f"{mode}/{of}/{tensor}") for of in (REFERENCE, ALLOWED, BEYOND))
            if expected is None or allowed is None or values.shape != new.arrays[name].shape:
                continue
            yield _Tensor(f"{mode}/{tensor}", (values, new.arrays[name]), expected, allowed, beyond)


def _value(values: Array, judged: Array, expected: Array, allowed: Array, arithmetic: Arithmetic) -> Value:
    rounding = float(np.max(allowed, initial=0)) >= float(np.max(np.abs(expected), initial=0))
    unit = None if rounding else _unit(expected, arithmetic)
    distance = float(np.max(errors(judged, expected), initial=0))
    used = share_used(judged, expected, allowed, arithmetic.dtype)
    return Value(values, unit, used, distance / unit if unit else float("nan"))


def _unit(values: Array, arithmetic: Arithmetic) -> float:
    if arithmetic.narrow:
        return arithmetic.narrow.unit_in_the_last_place(values)
    return unit_in_the_last_place(values, arithmetic.dtype)


def _quantity(tensor: str) -> str:
    """The kind of a tensor and its mode: "outputs, evaluation"."""
    mode, kind, *rest = tensor.split("/")
    if kind == "calls":
        kind = "layers' outputs" if rest[1] == "outputs" else "layers' gradients"
    return f"{'running statistics' if kind == STATES else kind}, {mode}"


def _in_file(tensor: str) -> str:
    mode, _, name = tensor.partition("/")
    return f"{mode}/{COMPUTED}/{name}"


def _told(header: Header, tensor: str) -> str:
    """A tensor as a reader knows it: "evaluation, encoder.0, outputs/0"."""
    mode, kind, *rest = tensor.split("/")
    if kind == "calls":
        return f"{mode}, {header.modes[mode].calls[int(rest[0])].site}, {'/'.join(rest[1:])}"
    return f"{mode}, {kind}/{'/'.join(rest)}"


def _step(
    names: tuple[str, str], packages: list[Versions], others: list[Versions], machine: list[Versions], found: Found
) -> Step:
    def due(of: str) -> list[str]:
        return suspects(of, packages) if packages else [each.name for each in others]

    numbers = sorted(found.numbers, key=lambda move: -number_of(move.ulps))
    step = Step(
        before=names[0],
        after=names[1],
        title=in_words(packages or others[:NAMED] or machine) or "the same packages",
        status="safe",
        headline="",
        details="",
        packages=packages,
        others=others,
        machine=machine,
        behaviour=[replace(each, suspects=due(each.of)) for each in found.behaviour],
        numbers=[replace(each, suspects=due(each.of)) for each in numbers],
        curves=[replace(each, suspects=due(each.of)) for each in found.moved],
        studies=[],
        compared=Compared(tensors=found.tensors, of_tensors=found.tensors, facts=found.settings, curves=found.curves),
        missing=found.missing,
        notes=found.notes,
    )
    step = replace(step, status=status_of(step))
    return replace(step, headline=headline(step), details=details(step))
