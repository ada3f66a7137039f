"""What was measured as sheets of text, which are printed as tables and written as a page of the documentation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    """Yields the sheets of everything in `found`, and last what was asked for."""
    images = dict(found.get("convolution", {}))
    peaks = {"Fashion-MNIST, one epoch": found.get("memory"), "convolution, 20 steps": images.pop("megabytes", None)}
    for title, settings in (("One training step", found.get("step")), ("One step of convolutions", images)):
        if settings:
            yield from _steps(title, settings)
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
    asked = [
        (each.what, f"{each.measured:.2f}", f"{each.limit:.2f}", "holds" if each.held else "MISSED")
        for each in requirements(found)
    ]
    yield Sheet("What was asked for", ("", "measured", "at most", ""), asked)


def requirements(found: Found) -> list[Requirement]:
    """The figures of the requirements: medians, each with the most that it may be."""
    rows: list[Requirement] = []
    for setting, figures in found.get("step", {}).items():
        for pair, ratio in figures["ratios"].items():
            limit = 0.6 if figures["dtype"] == "float32" else 1.0
            if PRODUCTS in pair:
                if figures["threads"] > 1:
                    continue
                limit = 1.2
            rows.append(Requirement(f"step, {setting}: {pair}", ratio["median"], limit))
    images = dict(found.get("convolution", {}))
    peaks = {"peak memory": (found.get("memory", {}), 1.0), "convolution, memory": (images.pop("megabytes", {}), 3.0)}
    rows += [
        Requirement(f"convolution, {setting}: numpynet / torch", figures["ratios"]["numpynet / torch"]["median"], 2.0)
        for setting, figures in images.items()
        if "numpynet / torch" in figures["ratios"]
    ]
    rows += [
        Requirement(f"{what}: numpynet / {peer}", megabytes["numpynet"] / value, limit)
        for what, (megabytes, limit) in peaks.items()
        for peer, value in megabytes.items()
        if peer != "numpynet"
    ]
    if "ladder" in found:
        ratio = found["ladder"]["total"]["ratio"]
        rows.append(Requirement("ladder: wall time / time inside implementations", ratio, 2.0))
    if "study" in found:
        speed_up = found["study"]["speed-up"]["ratio"]["median"]
        rows.append(Requirement("study: time on two processes / on one", speed_up, 1 / 1.8))
    rows += [
        Requirement(f"comparison, {name}: time / one plain step of each model", cost["ratio"], 100.0)
        for name, cost in found.get("comparison", {}).items()
    ]
    return rows


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
