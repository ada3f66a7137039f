"""Recording a model: what it computes in both modes, and what rounding allows, for a comparison elsewhere."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from numpynet import Array
from parity.comparison.alignment import Aligned
from parity.comparison.allowing import RUNS, Allowances
from parity.comparison.correspondence import Correspondence
from parity.comparison.feeding import Feeding, Lying
from parity.comparison.flattened import BACK, GRADIENTS, STATES, called_with, flattened, shape_of
from parity.comparison.formats import Arithmetic, judged_format
from parity.comparison.given import arrays_of
from parity.comparison.judging import Judge
from parity.comparison.masks import Masks, Unshared, mask_shape, steady
from parity.comparison.matching import Matching
from parity.comparison.model import ACTIVATIONS, STATE, Call, Layer, Model, Run, Unfit
from parity.comparison.narrowing import NONE_KEPT, Kept, Watch, as_computed, in_single
from parity.comparison.own import Bench, OwnError
from parity.comparison.pairing import asked_twice
from parity.comparison.recipe import Recipe
from parity.comparison.recording import (
    FORMAT,
    VERSION,
    VERSION_NARROW,
    CurvePart,
    Header,
    LayerPart,
    ModePart,
    SettingPart,
    write,
)
from parity.comparison.sides import side
from parity.comparison.sides.recorded import (
    ALLOWED,
    ALLOWED_BESIDE,
    ALONE,
    BEHIND,
    BEYOND,
    COMPUTED,
    CURVE,
    MODES,
    REFERENCE,
    RecordedModel,
)
from parity.ladder.trace import OUTPUT, Key, Trace
from parity.results.packages import installed, machine

Name = TypeVar("Name")
Show = Callable[[int, int], None]
PACKAGES = {"torch": ("torch",), "keras": ("keras", "tensorflow"), "numpynet": ("numpynet-parity",)}


def record(
    model: Any,
    inputs: Any,
    file: str | os.PathLike[str],
    *,
    seed: int = 0,
    beside: str = "keras",
    thorough: bool = False,
    show: Show | None = None,
    optimizer: Any = None,
    batches: Sequence[tuple[Any, Any]] | None = None,
    loss: Callable[..., Any] | None = None,
) -> list[str]:
    """Record what a model computes of `inputs`, and what rounding allows, so that it can be compared elsewhere.

    Returns sentences on what could not be recorded; there are none where all was.

    `parity.compare(file, other)` does so, and needs nothing that this model is written in. docs/reference/recordings.md
    describes the file.

    model: a torch module, a built Keras model or a numpynet module, in any format that is compared; it is left as it is
    inputs: an array or tensor, or a sequence of them
    file: is written, whole or not at all
    seed: draws the random cotangents that gradients are compared under, and the masks of dropout
    beside: the framework that it will be compared with, whose own formulas may round worse: they have allowances too
    thorough: whether to look at the allowances twice, as a comparison does before it accuses a layer: six times as long
    show: is told after each run under rounding errors of the whole model, and each training, how many were made, of how
        many
    optimizer: the framework's own, or a function that makes it (of the parameters, in torch and numpynet)
    batches: pairs of inputs and targets: the model is trained on them, and its losses are recorded for `parity drift`
    loss: a function of output and target in torch, of target and output in Keras; a criterion in numpynet

    Raises `Unfit`, a ValueError, where the model cannot be compared; it says why and what to do.
    """
    if beside not in PACKAGES:
        raise Unfit(f"beside: there is no framework called {beside!r} to compare with, but {', '.join(PACKAGES)}")
    one = side(model, "recorded")
    if isinstance(one, RecordedModel):
        raise Unfit(f"{one.file}: give a model, not a file")
    with one.left_as_it_was():
        arithmetic = judged_format(one, one)
        arithmetic = as_computed(one, arrays_of(inputs, arithmetic), arithmetic)
        arrays = arrays_of(inputs, arithmetic)
        recipe = Recipe.of(one, arithmetic, optimizer, batches, loss)
        recorder = _Recorder(one, arrays, arithmetic, np.random.default_rng(seed), beside, thorough, show)
        recorder.record()
        if recipe is not None:
            recorder.train(recipe)
        header = recorder.header(seed)
        write(Path(file), header, recorder.arrays)
    told = [why for why in dict.fromkeys((header.untrained, header.uncurved)) if why]
    if header.unmodelled:
        told.append(f"no model of rounding: {', '.join(header.unmodelled)}; allowed as much as a function such as tanh")
    return told


@dataclass
class _Recorder:
    """A recording in the making, mode by mode."""

    model: Model
    inputs: list[Array]
    arithmetic: Arithmetic
    rng: np.random.Generator
    beside: str
    thorough: bool
    show: Show | None
    arrays: dict[str, Array] = field(default_factory=dict)
    modes: dict[str, ModePart] = field(default_factory=dict)
    unmodelled: set[str] = field(default_factory=set)
    untrained: str = ""
    curve: CurvePart | None = None
    uncurved: str = ""
    made: int = 0

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.arithmetic.dtype

    def record(self) -> None:
        """Record the model's inputs, weights, and both modes."""
        for name, values in self.model.weights().items():
            if not np.isfinite(values).all():
                raise Unfit(f"{name} of the model holds NaN or an infinity")
        ran = asked_twice(self.model, self.inputs)
        if not all(np.isfinite(output).all() for output in ran.outputs):
            raise Unfit("the model's outputs hold NaN or an infinity from the start")
        self.wide = self.model.wide()
        self.formulas = self.wide.by_formulas(self.beside)
        self._keep("inputs", {str(place): values for place, values in enumerate(self.inputs)})
        for name, layer in self.model.layers.items():
            self._keep(f"weights/{name}", {role: self.model.read(held) for role, held in layer.held.items()})
        evaluation = self._mode(False, {})
        try:
            masks = self._masks(evaluation)
            steady(self.model, self.inputs, masks)
        except Unshared as unshared:
            self.untrained = str(unshared)
        else:
            self._keep("training/masks", masks)
            self._mode(True, masks)

    def train(self, recipe: Recipe) -> None:
        """Record a training, or why there is none."""
        try:
            if self.untrained:
                raise Unshared(self.untrained)
            masks = [self._masks(self.model.run(inputs, False)) for inputs, _ in recipe.batches]
            self.curve, arrays = recipe.recorded(self.model, masks, self.arithmetic, self._count)
            self._keep(CURVE, arrays)
        except Unshared as unshared:
            self.uncurved = str(unshared)

    def header(self, seed: int) -> Header:
        own = self.model.framework
        return Header(
            format=FORMAT,
            version=VERSION if self.arithmetic.narrow is None else VERSION_NARROW,
            framework=own,
            dtype="float64" if self.dtype == np.float64 else "float32",
            narrow="" if self.arithmetic.narrow is None else self.arithmetic.narrow.name,
            mixed=self.arithmetic.mixed,
            made_by=dict(_made_by(own)),
            seed=seed,
            beside="" if self.formulas is None else self.beside,
            asked=[self.beside, *([own] if self.wide.by_formulas(own) is None else [])],
            thorough=self.thorough,
            inputs=len(self.inputs),
            layers=[_layer(self.model, layer) for layer in self.model.layers.values()],
            modes=self.modes,
            untrained=self.untrained,
            unmodelled=sorted(self.unmodelled | self.wide.unmodelled),
            arrays=len(self.arrays),
            installed=installed(),
            machine=machine(),
            curve=self.curve,
            uncurved=self.uncurved,
        )

    def _keep(self, folder: str, arrays: Mapping[str, Array]) -> None:
        self.arrays |= {f"{folder}/{name}": values for name, values in arrays.items()}

    def _masks(self, run: Run) -> Masks:
        """A mask for each call of a dropout layer."""
        for call in run.calls:
            if call.layer.drops and call.layer.kind != "dropout":
                raise Unshared(f"training mode was not recorded: {call.site} drops at random inside")
        dropping = [call for call in run.calls if call.layer.kind == "dropout"]
        return {call.site: self.model.mask(call, mask_shape(call), self.rng) for call in dropping}

    def _mode(self, training: bool, masks: Masks) -> Run:
        mode = MODES[training]
        probe = self.model.run(self.inputs, training, kept=masks)
        cotangents = self.model.cotangents(probe.outputs, training, self.rng)
        cotangents = [self.arithmetic.of(values) for values in cotangents]
        with Watch() as watch:
            run = self.model.run(self.inputs, training, cotangents, masks)
        kept = in_single(watch, watch) if self.model.framework == self.beside == "torch" else NONE_KEPT

        def computed(model: Model) -> dict[str, Array]:
            return flattened(model.run(self.inputs, training, cotangents, masks))

        allowances = self._allowances(functools.partial(computed, self.wide), kept)
        own = flattened(run)
        if any(values.dtype.itemsize > np.dtype(np.float64).itemsize for values in allowances.reference.values()):
            raise Unfit(
                f"a {self.model.framework} model in {self.dtype} has its reference in a format that other machines "
                "lack: record it in float32"
            )
        if self.thorough or self._most(own, allowances) > 1:
            allowances.look_again(lambda: not self.thorough and self._most(own, allowances) <= 1)
        self.modes[mode] = shape_of(run)
        self._keep(f"{mode}/cotangents", {str(place): values for place, values in enumerate(cotangents)})
        self._keep(f"{mode}/{COMPUTED}", own | called_with(run))
        self._keep(f"{mode}/{REFERENCE}", allowances.reference)
        self._keep(f"{mode}/{ALLOWED}", self._bounds(allowances))
        self._keep(f"{mode}/{BEYOND}", _beyond(allowances))
        if self.formulas is not None:
            allowances.widen(self._allowances(functools.partial(computed, self.formulas), kept))
            self._keep(f"{mode}/{ALLOWED_BESIDE}", self._bounds(allowances))
        self.unmodelled |= set(allowances.unmodelled)
        self._layers(run, training)
        return run

    def _allowances(self, run: Callable[[], dict[str, Array]], kept: Kept) -> Allowances[str]:
        allowances = Allowances(run(), run, self.arithmetic, self._count, kept)
        allowances.glance()
        allowances.look()
        allowances.look_at_range()
        return allowances

    def _bounds(self, allowances: Allowances[Name]) -> dict[Name, Array]:
        """The allowances in the model's own format, in which they take half of the place, rounded up."""
        largest = np.finfo(self.dtype).max
        return {
            name: np.nextafter(
                np.minimum(bound, largest).astype(self.dtype),
                self.dtype.type(largest),
                where=bound > 0,
                out=np.zeros(bound.shape, self.dtype),
            )
            for name, bound in allowances.bounds.items()
        }

    def _most(self, own: Mapping[str, Array], allowances: Allowances[str]) -> float:
        """The largest share of its allowance that the model uses in its own format."""
        return max((allowances.share(key, own[key]) for key in allowances.reference), default=0.0)

    def _count(self) -> None:
        self.made += 1
        if self.show is not None:
            self.show(self.made, max(self.made, 2 * RUNS * (1 if self.formulas is None else 2)))

    def _layers(self, run: Run, training: bool) -> None:
        """Record what each layer computes of its input alone, or behind a layer whose activation it may be."""
        for number, call in enumerate(run.calls):
            if call.layer.kind == "dropout":
                continue  # by itself it drops at random
            self._alone(run, (call,), training, f"{ALONE}/{number}")
            before = run.calls[number - 1] if number else None
            if before is not None and before.layer.held and call.layer.kind in ACTIVATIONS:
                self._alone(run, (before, call), training, f"{BEHIND}/{number}")

    def _alone(self, run: Run, calls: tuple[Call, ...], training: bool, place: str) -> None:
        mode = MODES[training]
        itself = Correspondence(self.model, self.model, Matching([]), [], [], swapped=False)
        judge = Judge(run, self.model.state(), self.arithmetic, knows=False)

        def allowances(model: Model) -> Allowances[Key]:
            bench = Bench(model, lambda: None, itself, training, judge, Lying({}))
            own = OwnError(bench, Aligned(calls, calls[-1]), Feeding(calls[-1], []))
            own.allowances.glance()
            own.allowances.look()
            own.allowances.look_at_range()
            return own.allowances

        found = allowances(self.wide)
        self._keep(f"{mode}/{REFERENCE}/{place}", _named(found.reference))
        self._keep(f"{mode}/{ALLOWED}/{place}", _named(self._bounds(found)))
        self._keep(f"{mode}/{BEYOND}/{place}", _named(_beyond(found)))
        if self.formulas is not None:
            found.widen(allowances(self.formulas))
            self._keep(f"{mode}/{ALLOWED_BESIDE}/{place}", _named(self._bounds(found)))


def _beyond(allowances: Allowances[Name]) -> dict[Name, Array]:
    """Of each tensor that has such, which elements the range of the format keeps from being judged."""
    found = {key: allowances.beyond(key) for key in allowances.strayed}
    return {key: where for key, where in found.items() if where.any()}


def _named(trace: Trace) -> dict[str, Array]:
    """The arrays of a layer alone, by the names that they have in a recording."""

    def name(key: Key) -> str:
        if key.layer:
            return f"{STATES if key.tensor in STATE else GRADIENTS}/{key.layer}/{key.tensor}"
        return f"{'outputs' if key.rung == OUTPUT else BACK}/{key.tensor}"

    return {name(key): values for key, values in trace.items()}


def _layer(model: Model, layer: Layer) -> LayerPart:
    return LayerPart(
        name=layer.name,
        title=layer.title,
        kind=layer.kind,
        activation=layer.activation,
        held={role: list(held.names) for role, held in layer.held.items()},
        frozen=[role for role, held in layer.held.items() if model.is_frozen(held)],
        settings={
            name: SettingPart(value=setting.value, written=setting.written(setting.value))
            for name, setting in layer.settings.items()
        },
    )


def _made_by(framework: str) -> Iterator[tuple[str, str]]:
    for name in ("numpynet-parity", "numpy", *PACKAGES[framework]):
        with contextlib.suppress(PackageNotFoundError):  # a checkout, or a build of another name
            yield name, version(name)
    yield "python", platform.python_version()
