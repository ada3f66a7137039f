"""What was measured as sheets of text, which are printed as tables and written as a page of the documentation."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.timing import Spread

Found = dict[str, Any]
Row = tuple[str, ...]

PEERS = ("numpynet", "torch", "tensorflow")
PRODUCTS = "matrix products alone"


@dataclass(frozen=True)
class Sheet:
    """A table: its title, the names of its columns and its rows, of which the first column says what the row is of."""

    title: str
    columns: Row
    rows: Sequence[Row]


@dataclass(frozen=True)
class Requirement:
    """A figure that may not be above a limit."""

    what: str
    measured: float
    limit: float

    @property
    def held(self) -> bool:
        return self.measured <= self.limit


def sheets(found: Found) -> Iterator[Sheet]:
    """Yields the sheets of everything in `found`, what was asked for first."""
    yield _asked(found)
    images = dict(found.get("convolution", {}))
    peaks = {"Fashion-MNIST, one epoch": found.get("memory"), "convolution, 20 steps": images.pop("megabytes", None)}
    for title, settings in (("One training step", found.get("step")), ("One step of convolutions", images)):
        if settings:
            yield from _steps(title, settings)
    if "layers" in found:
        yield _layers(found["layers"])
    if any(peaks.values()):
        rows = [
            (what, *(f"{megabytes[name]:.0f}" if name in megabytes else "" for name in PEERS))
            for what, megabytes in peaks.items()
            if megabytes
        ]
        yield Sheet("Peak memory, MB", ("", *PEERS), rows)
    if "ladder" in found:
        yield from _ladder(found["ladder"])
    if "study" in found:
        yield from _study(found["study"])
    if "comparison" in found:
        yield _comparison(found["comparison"])
    if "commands" in found:
        rows = [
            (name, f"{cost['seconds']:.1f}", f"{cost['megabytes']:.0f}") for name, cost in found["commands"].items()
        ]
        yield Sheet("Commands, from start to end", ("", "seconds", "most MB, with workers"), rows)
    if "growth" in found:
        yield _growth(found["growth"])
    if "leaks" in found:
        yield _leaks(found["leaks"])
    if "scheduling" in found:
        yield from _scheduling(found["scheduling"])


def _asked(found: Found) -> Sheet:
    """What was asked for, what is missed first."""
    rows = [
        (each.what, f"{each.measured:.2f}", f"{each.limit:.2f}", "holds" if each.held else "MISSED")
        for each in sorted(requirements(found), key=lambda each: each.held)
    ]
    return Sheet("What was asked for", ("", "measured", "at most", ""), rows)


STEP = {"torch": 0.5, "tensorflow": 0.75, PRODUCTS: 1.2}  # numpynet's time to theirs, at most
IMAGES = {"torch": 1.0, "tensorflow": 1.2}
MEMORY = {"memory": 1.0, "convolution": 0.5}
SECONDS = {"check a layer of one's own": 5.0}  # from the command to its end
SLOWEST = 2.0  # that any layer may take of torch's time


def requirements(found: Found) -> list[Requirement]:
    """The figures of the requirements: medians, each with the most that it may be."""
    rows = [*_of_steps("step", found.get("step", {}), STEP)]
    images = dict(found.get("convolution", {}))
    peaks = {"memory": found.get("memory", {}), "convolution": images.pop("megabytes", {})}
    rows += _of_steps("convolution", images, IMAGES)
    rows += [
        Requirement(f"peak memory, {what}: numpynet / {peer}", megabytes["numpynet"] / value, MEMORY[what])
        for what, megabytes in peaks.items()
        for peer, value in megabytes.items()
        if peer != "numpynet"
    ]
    if "layers" in found:
        rows += _of_layers(found["layers"])
    if "ladder" in found:
        ratio = found["ladder"]["total"]["ratio"]
        rows.append(Requirement("ladder: wall time / time inside implementations", ratio, 1.25))
    if "study" in found:
        speed_up = found["study"]["speed-up"]["ratio"]["median"]
        rows.append(Requirement("study: time on two processes / on one", speed_up, 1 / 1.8))
    for name, seconds in SECONDS.items():
        if name in found.get("commands", {}):
            rows.append(Requirement(f"{name}: seconds", found["commands"][name]["seconds"], seconds))
    rows += [
        Requirement(f"comparison, {name}: time / one plain step of each model", cost["ratio"], 100.0)
        for name, cost in found.get("comparison", {}).items()
    ]
    return rows


def _of_steps(what: str, settings: Found, limits: Mapping[str, float]) -> Iterator[Requirement]:
    """Yields the requirements of a step; its products alone are what one thread is held against."""
    for setting, figures in settings.items():
        for pair, ratio in figures["ratios"].items():
            peer = pair.partition(" / ")[2]
            if peer in limits and not (peer == PRODUCTS and figures["threads"] > 1):
                yield Requirement(f"{what}, {setting}: {pair}", ratio["median"], limits[peer])


def _of_layers(layers: Found) -> Iterator[Requirement]:
    """Yields the requirements of single layers: those above twice torch's time, and the mean of all."""
    found = {
        f"{name}, {size}": figures["ratios"]["torch"]["median"]
        for name, sizes in layers.items()
        for size, figures in sizes.items()
        if "torch" in figures["ratios"]
    }
    slowest = max(found, key=lambda name: found[name])
    for name in [name for name, ratio in found.items() if ratio > SLOWEST] or [slowest]:
        yield Requirement(f"layer, {name}: numpynet / torch", found[name], SLOWEST)
    mean = statistics.geometric_mean(found.values())
    yield Requirement(f"geometric mean of {len(found)} layers and sizes: numpynet / torch", mean, 1.0)


def _spread(values: Spread, form: str) -> str:
    return f"{values['median']:{form}} ({values['min']:{form}} to {values['max']:{form}})"


def _steps(title: str, settings: Found) -> Iterator[Sheet]:
    first = next(iter(settings.values()))
    for what, form, name in (("microseconds", ".0f", "microseconds"), ("ratios within a round", ".2f", "ratios")):
        rows = [
            (contender, *(_spread(figures[name][contender], form) for figures in settings.values()))
            for contender in first[name]
        ]
        yield Sheet(f"{title}, {what}: median (min to max)", ("", *settings), rows)


def _layers(layers: Found) -> Sheet:
    sizes = list(next(iter(layers.values())))
    rows = []
    for name, found in layers.items():
        row = [name]
        for size in sizes:
            ratios = found[size]["ratios"]
            row += [
                f"{found[size]['microseconds']['numpynet']['median']:.0f}",
                _spread(ratios["torch"], ".2f") if "torch" in ratios else "",
                f"{ratios['tensorflow']['median']:.2f}" if "tensorflow" in ratios else "",
            ]
        rows.append(tuple(row))
    columns = ("", *(column for size in sizes for column in (f"{size}, us", "/ torch", "/ TensorFlow")))
    return Sheet("Every layer forward and backward, one thread: median (min to max)", columns, rows)


def _ladder(ladder: Found) -> Iterator[Sheet]:
    def row(key: str, cost: Found) -> Row:
        return (key, f"{cost['examples']}", *(f"{cost[name]:.2f}" for name in ("wall", "inside", "ratio")))

    columns = ("pair", "examples", "wall", "inside", "ratio")
    title = f"Rungs 1 to 3, seconds; {ladder['examples_per_second']:.0f} examples a second"
    yield Sheet(title, columns, [row("all", ladder["total"]), *(row(*each) for each in ladder["pairs"].items())])


def _study(study: Found) -> Iterator[Sheet]:
    runs, tiny = study["speed-up"], study["overhead"]
    title = f"{runs['runs']} runs of the study of digits, seconds: median (min to max)"
    yield Sheet(title, ("workers", ""), [(name, _spread(values, ".0f")) for name, values in runs["seconds"].items()])
    beyond = {"the run itself": tiny["itself"], **{f"beyond it, {name}": ms for name, ms in tiny["beyond"].items()}}
    title = f"{tiny['runs']} tiny runs, milliseconds each"
    yield Sheet(title, ("", ""), [(name, f"{value:.1f}") for name, value in beyond.items()])


def _growth(subjects: Found) -> Sheet:
    rows = []
    for name, found in subjects.items():
        sizes = found["sizes"]
        first, *_, last = sizes
        rows.append(
            (
                name,
                f"{first} to {last}",
                f"{sizes[first]['seconds']:.2g} to {sizes[last]['seconds']:.2g}",
                f"{found['exponent']:.2f}",
                f"{sizes[first]['megabytes']:.0f} to {sizes[last]['megabytes']:.0f}",
            )
        )
    columns = ("", "sizes", "seconds", "exponent", "MB of the process")
    return Sheet("Growth: seconds are as the size to the exponent, over the upper half of the sizes", columns, rows)


def _leaks(leaks: Found) -> Sheet:
    slope, (first, last) = leaks["kilobytes an example"], leaks["megabytes"]
    told = f"{slope['slope']:.2f} ({slope['low']:.2f} to {slope['high']:.2f})"
    rows = [(f"{leaks['examples']}", told, f"{first:.0f} to {last:.0f}")]
    return Sheet("Memory that examples leave behind", ("examples", "kB an example, 95% interval", "MB"), rows)


def _scheduling(found: Found) -> Iterator[Sheet]:
    title = f"{found['runs']} tiny runs on a Dask cluster of {found['workers']} workers, {found['seconds']:.0f} seconds"
    each = found["milliseconds a run"]
    rows = [(name, f"{value:.2f}", f"{value / sum(each.values()):.0%}") for name, value in each.items()]
    yield Sheet(title, ("", "milliseconds of processor a run", "share"), rows)
    million = found["million"]
    numbers = list(next(iter(million.values())))
    yield Sheet(
        "A million runs on a larger cluster, simulated: hours",
        ("workers", *(f"runs of {length} s" for length in million)),
        [(number, *(f"{hours[number]:.2f}" for hours in million.values())) for number in numbers],
    )


def _comparison(models: Found) -> Sheet:
    rows = [
        (
            name,
            f"{cost['parameters'] / 1e6:.1f}",
            *(f"{cost[part]:.2f}" for part in ("torch", "keras", "comparison")),
            f"{cost['ratio']:.0f}",
            f"{cost['megabytes']:.0f}",
            f"{cost['share']:.2f}",
        )
        for name, cost in models.items()
    ]
    columns = ("", "M parameters", "step, torch", "step, Keras", "comparison", "ratio", "peak MB", "share")
    return Sheet("A comparison of two right ports, seconds", columns, rows)


def page(found: Found) -> str:
    """The documentation's page of what was measured, in Markdown."""
    where = found["where"]
    versions = ", ".join(f"{package} {version}" for package, version in where["versions"].items())
    lines = [
        "# Benchmarks",
        "",
        f"Measured by `nox -s bench -- --keep` on {where['processor']} ({where['cores']} cores; {where['blas']}; load "
        f"{found['load']:.1f} at the start) with {versions}. Contenders take turns, and a ratio is formed within each "
        "round. The sections at the end say what is measured, and how.",
    ]
    for sheet in sheets(found):
        lines += ["", f"## {sheet.title}", "", _line(sheet.columns), "|---" + "|--:" * (len(sheet.columns) - 1) + "|"]
        lines += map(_line, sheet.rows)
    return "\n".join([*lines, "", "```{include} ../../benchmarks/README.md", "```", ""])


def _line(row: Row) -> str:
    return f"| {' | '.join(row)} |"
