"""The charts, drawn from the report's document alone.

Colours are names of CSS variables, which the page resolves, so that a chart follows the reader's light or dark theme
and prints on white. Implementations also differ by dash and symbol.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from parity.frameworks import framework, implementations
from parity.frameworks.framework import Look
from parity.report.plotting import BAND, INK, MUTED, Figure
from parity.report.records import Json

UNKNOWN = Look("var(--other)", "dashdot", "x", 1.2)  # of an implementation that this parity does not know
ROW = 62  # pixels for a row of a forest plot and its label
DIGITS = ".9~g"  # what hovering shows, and what is kept: all that tells anything


class Chart(NamedTuple):
    """A figure as JSON, what it shows in one sentence (read out by screen readers), and its height in pixels."""

    id: str
    label: str
    height: int
    json: str


def chart(id: str, label: str, figure: Figure, height: int, **layout: Any) -> Chart:
    drawn = json.dumps(_rounded(figure.drawn(height, layout)), ensure_ascii=False, separators=(",", ":"))
    return Chart(id, label, height, drawn)


def _rounded(value: Any) -> Any:
    """The value with its numbers as hovering shows them."""
    if isinstance(value, float):
        return float(format(value, ".9g"))
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list | tuple) else value


def pair_name(pair: Json) -> str:
    """The pair as "first − second"; the sign stays with the second name where a line is broken."""
    return f"{pair['first']} −\N{NO-BREAK SPACE}{pair['second']}"


def forest(id: str, studies: Sequence[Json]) -> Chart | None:
    """Draws the intervals of all pairs of a study, in points, in the margin's band.

    The 90% interval, which TOST is about, is thick, the 95% interval thin.
    """
    rows = [(study, pair) for study in studies for pair in study["pairs"] if pair["test"]]
    if not rows:
        return None
    figure = Figure()
    limits = [limit for _, pair in rows for limit in (pair["test"]["margin"], *pair["test"]["interval_95"])]
    reach = 115 * max(map(abs, limits))  # in points, with some air
    stacks = len(studies) > 1
    for y, (study, pair) in enumerate(reversed(rows)):
        test = pair["test"]
        margin, difference = 100 * test["margin"], 100 * test["difference"]
        low, high = y - 0.42, y + 0.02  # the label is above
        place = {"y0": low, "y1": high, "layer": "between"}
        figure.shape(type="rect", x0=-margin, x1=margin, fillcolor=BAND, line={"width": 0}, **place)
        for bound in (-margin, margin):
            figure.shape(type="line", x0=bound, x1=bound, line={"color": MUTED, "width": 1.5}, **place)
        low90, high90, low95, high95 = (100 * limit for limit in (*test["interval_90"], *test["interval_95"]))
        for ends, width in (((low95, high95), 2), ((low90, high90), 8)):
            line = {"color": INK, "width": width}
            figure.scatter(x=list(ends), y=[y - 0.2] * 2, mode="lines", line=line, hoverinfo="skip")
        figure.scatter(
            x=[difference],
            y=[y - 0.2],
            mode="markers",
            marker={"color": "var(--paper)", "size": 11, "symbol": "circle", "line": {"color": INK, "width": 2}},
            hovertemplate=f"{study['stack']}<br>{pair_name(pair)}<br>difference {difference:+.9g} points"
            f"<br>90% {low90:+.9g} to {high90:+.9g}<br>95% {low95:+.9g} to {high95:+.9g}"
            f"<br>margin ±{margin:.9g}<extra></extra>",
        )
        text = f"<b>{pair_name(pair)}</b>: {pair['outcome']}"
        figure.note(
            text + f"<br><span style='font-size: 11px'>{study['stack']}</span>" * stacks,
            xref="paper",
            x=0,
            y=y + 0.06,
            align="left",
            xanchor="left",
            yanchor="bottom",
            bgcolor="var(--paper)",
            borderpad=0,
        )
    said = [f"{pair_name(pair)} {100 * pair['test']['difference']:+.4f}, {pair['outcome']}" for _, pair in rows]
    return chart(
        id,
        f"Forest plot of the study {studies[0]['name']}: difference in accuracy of each pair, in points, with 90% and "
        f"95% intervals against the equivalence margin. {'; '.join(said)}. The table above has the intervals",
        figure,
        (ROW + 14 * stacks) * len(rows) + 60,
        showlegend=False,
        margin={"l": 8, "r": 12, "t": 8, "b": 44},
        xaxis={"title": "difference in accuracy, points", "zeroline": True, "range": [-reach, reach]},
        yaxis={"range": [-0.5, len(rows) - 0.4], "showticklabels": False, "showgrid": False, "ticks": ""},
    )


def seeds(id: str, study: Json) -> Chart | None:
    """Draws the difference of each seed, in points, with Tango's 95% interval over its test examples if it has one."""
    pairs = [pair for pair in study["pairs"] if pair["per_seed"]]
    if not pairs:
        return None
    figure = Figure(*map(pair_name, pairs), spacing=0.24 / len(pairs))
    for letter in "xy":
        figure.share_axis(letter)
    for row, pair in enumerate(pairs, start=1):
        values = [100 * seed["difference"] for seed in pair["per_seed"]]
        tables = [seed["agreement"] for seed in pair["per_seed"]]
        error: Json | None = None
        if all(tables):
            limits = [[100 * limit for limit in table["tango_95"]] for table in tables]
            error = {
                "symmetric": False,
                "array": [high - value for value, (_, high) in zip(values, limits, strict=True)],
                "arrayminus": [value - low for value, (low, _) in zip(values, limits, strict=True)],
                "color": MUTED,
                "thickness": 1,
                "width": 0,
            }
        figure.scatter(
            row,
            x=[str(seed["seed"]) for seed in pair["per_seed"]],
            y=values,
            error_y=error,
            mode="markers",
            marker={"color": INK, "size": 7},
            customdata=[[100 * seed["first"], 100 * seed["second"]] for seed in pair["per_seed"]],
            hovertemplate=f"seed %{{x}}<br>%{{y:+{DIGITS}}} points<br>{pair['first']} %{{customdata[0]:{DIGITS}}}%<br>"
            f"{pair['second']} %{{customdata[1]:{DIGITS}}}%<extra></extra>",
        )
        margin = 100 * study["margin"]
        figure.band("y", -margin, margin, row)
        if pair["test"]:
            figure.mark("y", 100 * pair["test"]["difference"], row=row, color=INK, width=1.5, dash="dash")
        figure.axis("x", row, type="category", showgrid=False)
        figure.axis("y", row, title="points")
    figure.axis("x", len(pairs), title="seed")
    label = (
        f"Paired differences of the study {study['name']}, seed by seed, in the margin band; dashed: their mean. "
        "The table below has them"
    )
    return chart(id, label, figure, 165 * len(pairs) + 50, showlegend=False, margin={"l": 8, "r": 12, "t": 26, "b": 44})


def power(id: str, study: Json) -> Chart | None:
    """Draws power against the number of seeds, for each pair; the study's own size is marked."""
    pairs = [pair for pair in study["pairs"] if pair["power_curve"]]
    if not pairs:
        return None
    figure = Figure()
    for dash, pair in zip(("solid", "dash", "dot", "dashdot", "longdash", "longdashdot"), pairs, strict=False):
        figure.scatter(
            x=pair["power_curve"]["seeds"],
            y=pair["power_curve"]["power"],
            name=pair_name(pair),
            mode="lines",
            line={"color": INK, "width": 2, "dash": dash},
            hovertemplate=f"{pair_name(pair)}<br>%{{x}} seeds: power %{{y:{DIGITS}}}<extra></extra>",
        )
    line: Json = {"color": MUTED, "width": 1, "dash": "dot"}
    figure.mark("x", study["seeds"], f"{study['seeds']} seeds", **line)
    target = study["detectable_power"]
    figure.mark("y", target, f"{target:g}", **line)
    return chart(
        id,
        f"Power of the study {study['name']} to show equivalence, against the number of seeds, at the observed SDs",
        figure,
        320,
        showlegend=True,
        xaxis={"title": "seeds", "rangemode": "tozero"},
        yaxis={"title": "power", "range": [0, 1.05]},
    )


def curve(id: str, record: Json) -> Chart | None:
    """Draws the losses of the implementations above, and below their gap from numpynet's and the one-ulp envelope."""
    steps, losses = record["steps"], record["losses"]
    if not losses:
        return None
    figure = Figure("training loss", "gap from numpynet, one-ulp envelope")
    figure.share_axis("x")
    for name, values in losses.items():
        line = {"color": look(name).colour, "dash": look(name).dash, "width": look(name).width}
        of = {"x": steps, "mode": "lines", "legendgroup": name}
        of["hovertemplate"] = f"{name}, step %{{x}}: %{{y:{DIGITS}}}<extra></extra>"
        figure.scatter(**of, y=values, name=name, line=line)
        if name != "numpynet" and "numpynet" in losses:
            gaps = _positive(_gap(a, b) for a, b in zip(values, losses["numpynet"], strict=False))
            line |= {"width": 1.5, "dash": "solid"}
            of |= {"mode": "lines+markers", "showlegend": False}
            figure.scatter(2, **of, y=gaps, line=line, marker={"size": 4, "symbol": look(name).symbol})
    for field, text, dash in (("envelope", "one-ulp envelope", "solid"), ("allowed", "allowed", "dash")):
        if record[field]:
            figure.scatter(
                2,
                x=steps,
                y=_positive(record[field]),
                name=text,
                mode="lines",
                line={"color": MUTED, "width": 1.5, "dash": dash},
                hovertemplate=f"{text}, step %{{x}}: %{{y:{DIGITS}}}<extra></extra>",
            )
    if record["compared"] is not None and record["compared"] < len(steps):
        for row in (1, 2):
            figure.mark("x", steps[record["compared"]], row=row, color=MUTED, width=1.5, dash="dot")
    figure.axis("y", 2, type="log", exponentformat="power", dtick=1, nticks=6)
    figure.axis("y", rangemode="tozero")
    figure.axis("x", 2, title="step")
    label = (
        f"{record['title'] or record['key']}: training losses, and the gaps between them against the one-ulp envelope. "
        + "; ".join(f"{name} from {ends[0]:.4g} to {ends[-1]:.4g}" for name, ends in _finite(losses).items())
        + ". The table above has the shares of what is allowed"
    )
    return chart(id, label, figure, 480, showlegend=True, margin={"l": 8, "r": 12, "t": 72, "b": 44})


def look(implementation: str) -> Look:
    """How an implementation is drawn. Curves that agree lie on each other: those drawn first are wider."""
    return framework(implementation).look if implementation in implementations() else UNKNOWN


def _finite(losses: Json) -> dict[str, list[float]]:
    found = {name: [value for value in values if value is not None] for name, values in losses.items()}
    return {name: values for name, values in found.items() if values}


def _gap(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else abs(first - second)


def _positive(values: Iterable[float | None]) -> list[float | None]:
    """The values with None for zeros, which become gaps in the line: a logarithmic axis has no place for them."""
    return [value or None for value in values]
