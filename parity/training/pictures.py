"""Pictures of experiments: small PNG files as data URIs, for results and reports.

They need matplotlib; where it is missing, a warning says so and there are no pictures.
"""

from __future__ import annotations

import base64
import functools
import importlib.util
import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np

from numpynet import Array
from numpynet.datasets import Dataset
from parity.discovery import Lazy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

agg: Any = Lazy("matplotlib.backends.backend_agg")
colors: Any = Lazy("matplotlib.colors")
colormaps: Any = Lazy("matplotlib")
figures: Any = Lazy("matplotlib.figure")
images: Any = Lazy("PIL.Image")

Drawing = ParamSpec("Drawing")
Pictures = dict[str, str]
Predict = Callable[[Array], Array]

BLUE, ORANGE, GREY = "#0072b2", "#e69f00", "#767676"  # Okabe and Ito 2008: told apart by the colour-blind
COLOURS = 256  # a palette: a third of the bytes of true colour, and no difference to see
DOTS_PER_INCH = 100


def picture(title: str) -> Callable[[Callable[Drawing, Figure]], Callable[Drawing, Pictures]]:
    """A decorator that makes a function, which draws a figure, return {title: data URI}.

    Where matplotlib is missing the function warns, and returns nothing.
    """

    def decorate(draw: Callable[Drawing, Figure]) -> Callable[Drawing, Pictures]:
        @functools.wraps(draw)
        def drawn(*args: Drawing.args, **kwargs: Drawing.kwargs) -> Pictures:
            if importlib.util.find_spec("matplotlib") is None:
                warnings.warn("no pictures without matplotlib: pip install matplotlib", stacklevel=2)
                return {}
            return {title: _png(draw(*args, **kwargs))}

        return drawn

    return decorate


@picture("decision boundary")
def decision_boundary(dataset: Dataset, predict: Predict) -> Figure:
    """Draws the training points (N, 2) of two classes over the probability of the second class.

    `predict` gives log-probabilities (N, 2) of points (N, 2).
    """
    points, classes = dataset.train.inputs, dataset.train.targets
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.08 * (high - low)
    x, y = (np.linspace(a, b, 200, dtype=np.float32) for a, b in zip(low - margin, high + margin, strict=True))
    grid = np.stack(np.meshgrid(x, y), axis=-1)
    probability = np.exp(predict(grid.reshape(-1, 2))[:, 1]).reshape(grid.shape[:2])
    figure, axes = _figure(4.2, 3.4)
    shades = axes.contourf(x, y, probability, levels=np.linspace(0, 1, 11), cmap=_from_blue_to_orange(), alpha=0.45)
    if probability.min() < 0.5 < probability.max():
        axes.contour(x, y, probability, levels=[0.5], colors="black", linewidths=1.2)
    for index, (name, colour) in enumerate(zip(dataset.classes, (BLUE, ORANGE), strict=True)):
        axes.scatter(*points[classes == index].T, s=5, color=colour, label=f"class {name}")
    figure.legend(loc="outside upper center", ncols=2, fontsize=8, markerscale=2, frameon=False)
    axes.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    figure.colorbar(shades, ax=axes, label=f"probability of class {dataset.classes[1]}", ticks=[0, 0.5, 1])
    return figure


@picture("learning rates")
def learning_rates(curves: Mapping[str, Mapping[float, Sequence[float]]], limit: float) -> Figure:
    """Draws the loss by epoch for each learning rate, one panel for each dataset; the loss should reach `limit`."""
    figure, panels = _figure(7.2, 3.2, 1, len(curves), sharey=True)
    shades = _shades(len(next(iter(curves.values()))))
    for axes, (title, rates) in zip(panels, curves.items(), strict=True):
        for (rate, losses), shade in zip(rates.items(), shades, strict=True):
            axes.plot(range(1, len(losses) + 1), losses, color=shade, label=f"{rate:g}")
        axes.axhline(limit, color=GREY, linestyle="--", linewidth=1)
        axes.set(title=title, xlabel="epoch", yscale="log")
    panels[0].set_ylabel("training loss")
    panels[-1].legend(title="learning rate", fontsize=8, title_fontsize=8)
    return figure


@picture("accuracy against hidden units")
def accuracy_by_units(accuracies: Mapping[int, Sequence[float]]) -> Figure:
    """Draws a dot for each run and a line through the means, the number of hidden units on a logarithmic scale."""
    figure, axes = _figure(5.2, 3.2)
    for units, found in accuracies.items():
        axes.scatter([units] * len(found), found, s=14, color=BLUE, alpha=0.5, linewidths=0)
    axes.plot(list(accuracies), [np.mean(found) for found in accuracies.values()], color=BLUE)
    axes.axhline(2 / 3, color=GREY, linestyle="--", linewidth=1)
    axes.annotate("best half-plane, 2/3", (max(accuracies), 2 / 3), ha="right", va="bottom", color=GREY, fontsize=8)
    axes.set(xlabel="hidden units", ylabel="test accuracy", xscale="log")
    axes.set_xticks(list(accuracies), labels=[str(units) for units in accuracies])
    axes.minorticks_off()
    return figure


@picture("predicted probabilities; orange is the true class")
def images_with_probabilities(images: Array, targets: Array, probabilities: Array, classes: Sequence[str]) -> Figure:
    """Draws images (N, rows, columns) above bars of their class probabilities (N, C); the true class is orange."""
    figure, panels = _figure(9.6, 4.2, 2, len(images), height_ratios=(1, 1.25), sharey="row")
    for column, (image, target, probability) in enumerate(zip(images, targets, probabilities, strict=True)):
        above, below = panels[:, column]
        above.imshow(image, cmap="gray_r")
        above.set_title(classes[target], fontsize=9)
        above.set(xticks=[], yticks=[])
        colours = [ORANGE if index == target else BLUE for index in range(len(classes))]
        below.barh(range(len(classes)), probability, color=colours)
        below.set(xlim=(0, 1), xticks=[0, 0.5, 1])
        guess = int(probability.argmax())
        below.set_xlabel(f"{classes[guess]}, {probability[guess]:.3f}", fontsize=9)
    panels[1, 0].set_yticks(range(len(classes)), labels=classes, fontsize=8)
    panels[1, 0].invert_yaxis()
    return figure


@picture("distributions while it trains")
def distributions(seen: Mapping[str, Any], other: Mapping[str, Any] | None) -> Figure:
    """Draws one panel for each watched tensor, quantities by layers: bands between quantiles over the steps.

    seen, other: records of `parity.training.observing.Watch`; the other's quantiles are dashed lines over the bands
    """
    places = {tag: re.sub("^(pre-)?activations", "outputs", tag).split("/", 1) for tag in seen["quantiles"]}
    rows = list(dict.fromkeys(row for row, _ in places.values()))
    columns = sorted({column for _, column in places.values()})
    figure, _ = _figure(1.5 * len(columns), 1.1 * len(rows), 0, 0)
    figure.set_layout_engine("none")  # to lay out so many panels well would take seconds
    grid = figure.add_gridspec(
        len(rows), len(columns), left=0.04, right=0.99, bottom=0.04, top=0.95, wspace=0.3, hspace=0.6
    )
    for tag, (row, column) in places.items():
        axes = figure.add_subplot(grid[rows.index(row), columns.index(column)])
        axes.set_title(f"{row}, {column}", fontsize=6)
        axes.tick_params(labelsize=5)
        axes.yaxis.offsetText.set_fontsize(5)
        found = np.array(seen["quantiles"][tag], np.float64).T
        for low, alpha in ((0, 0.2), (1, 0.35), (2, 0.5)):
            axes.fill_between(seen["steps"], found[low], found[-1 - low], color=BLUE, alpha=alpha, linewidth=0)
        axes.plot(seen["steps"], found[len(found) // 2], color=BLUE, linewidth=1)
        if other is not None:
            for line in np.array(other["quantiles"][tag], np.float64).T:
                axes.plot(other["steps"], line, color=ORANGE, linewidth=0.6, linestyle="--")
    return figure


@picture("effects, with their intervals")
def effect_intervals(effects: Sequence[Any], others: Sequence[Any]) -> Figure:
    """Draws each effect on the accuracy in points, with a dot for each seed; the others' effects are grey, below."""
    figure, axes = _figure(6.4, 0.9 + 0.42 * len(effects))
    for found, colour, shift in ((others, GREY, 0.22), (effects, BLUE, 0.0)):
        for row, effect in enumerate(found):
            low, high = (100 * limit for limit in effect.interval)
            axes.plot([low, high], [row + shift] * 2, color=colour, linewidth=2)
            seeds = 100 * np.array(effect.differences)
            axes.scatter(seeds, [row + shift] * len(seeds), s=12, color=colour, alpha=0.6, linewidths=0)
            axes.scatter([100 * effect.estimate], [row + shift], s=30, marker="|", color="black", zorder=3)
    axes.axvline(0, color=GREY, linestyle="--", linewidth=1)
    axes.set_yticks(range(len(effects)), labels=[effect.factor for effect in effects], fontsize=8)
    axes.set(xlabel="points of test accuracy against the baseline")
    axes.invert_yaxis()
    return figure


def _figure(width: float, height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, Any]:
    figure = figures.Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")
    return figure, figure.subplots(rows, columns, **options) if rows else None


def _from_blue_to_orange() -> Any:
    return colors.LinearSegmentedColormap.from_list("classes", [BLUE, "white", ORANGE])


def _shades(count: int) -> list[Any]:
    return list(colormaps.colormaps["viridis"](np.linspace(0, 0.85, count)))


def _png(figure: Figure) -> str:
    canvas, small = agg.FigureCanvasAgg(figure), io.BytesIO()
    canvas.draw()  # figure.savefig draws all once before, to lay it out
    full = images.fromarray(np.asarray(canvas.buffer_rgba()))
    full.convert("RGB").quantize(COLOURS).save(small, format="png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(small.getvalue()).decode()
