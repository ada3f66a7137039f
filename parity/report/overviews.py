"""The charts that look at many records at once: shares of allowances, defects, experiments, calibration."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from parity.report.figures import DASHES, INK, MUTED, SYMBOLS, Chart, chart, colour
from parity.report.records import Json

# Lightest for what catches a defect first; "nobody" has the colour of a failure.
CATCHERS = {
    "rung 1": "var(--rung1)",
    "rung 2": "var(--rung2)",
    "rung 3": "var(--rung3)",
    "rung 4": "var(--rung4)",
    "rung 5": "var(--rung5)",
    "output": "var(--rung1)",
    "gradient": "var(--rung2)",
    "parameters": "var(--rung3)",
    "nobody": "var(--bad)",
}

GOLDEN_RATIO = 0.618  # its multiples spread evenly: points of like share lie apart


def shares(id: str, allowances: Sequence[Json]) -> Chart | None:
    """Every pair, dtype and quantity as a point: the largest share of its allowance that an implementation used."""
    names = list(dict.fromkeys(name for row in allowances for name in row["used"]))
    figure = go.Figure()
    for y, name in enumerate(reversed(names)):
        found = [(row, row["used"][name]["share"]) for row in allowances if name in row["used"]]
        finite = sorted((pair for pair in found if pair[1] is not None), key=lambda pair: pair[1])
        spread = [0.6 * (place * GOLDEN_RATIO % 1 - 0.5) for place in range(len(finite))]
        figure.add_scatter(
            x=[share for _, share in finite],
            y=[y + shift for shift in spread],
            mode="markers",
            marker={"color": colour(name), "symbol": SYMBOLS.get(name, "x"), "size": 7, "opacity": 0.75},
            text=[f"{row['pair']}, {row['dtype']}, {row['quantity']}<br>{row['stack']}" for row, _ in finite],
            hovertemplate=f"{name}: %{{x:.4g}} of the allowance<br>%{{text}}<extra></extra>",
        )
    if not figure.data:
        return None
    figure.add_vline(1, line={"color": "var(--bad)", "width": 2}, annotation_text="allowed", annotation_position="top")
    return chart(
        id,
        "Share of the allowance used, one point for each pair, dtype and quantity, by implementation; 1 is the limit",
        figure,
        70 * len(names) + 80,
        showlegend=False,
        xaxis={"title": "observed / allowed", "rangemode": "tozero"},
        yaxis={"tickvals": list(range(len(names))), "ticktext": names[::-1], "showgrid": False},
    )


def defects(id: str, caught_by: Json) -> Chart | None:
    """How many planted defects each rung caught, and how many the usual way, as two stacked bars."""
    figure = go.Figure()
    for way, label in (("usual", "usual way"), ("ladder", "ladder")):
        for by, count in sorted(caught_by[way].items(), key=lambda item: list(CATCHERS).index(item[0])):
            figure.add_bar(
                x=[count],
                y=[label],
                orientation="h",
                text=f"{by}: {count}",
                textposition="inside",
                insidetextanchor="middle",
                textangle=0,
                insidetextfont={"color": "var(--on-bar)"},
                marker={"color": CATCHERS[by], "line": {"color": "var(--paper)", "width": 1}},
                hovertemplate=f"{label}: {count} caught by {by}<extra></extra>",
            )
    if not figure.data:
        return None
    return chart(
        id,
        "Planted defects by what caught them: the rungs of the ladder, and the usual way of comparing",
        figure,
        190,
        barmode="stack",
        uniformtext={"minsize": 9, "mode": "hide"},
        showlegend=False,
        xaxis={"title": "planted defects", "showgrid": False},
        yaxis={"showgrid": False},
    )


def experiment(id: str, records: Sequence[Json], name: str) -> Chart | None:
    """One curve of an experiment, a line for each implementation."""
    figure = go.Figure()
    for record in records:
        implementation = record["implementation"]
        if name in record["curves"]:
            figure.add_scatter(
                **record["curves"][name],
                name=implementation,
                mode="lines",
                line={"color": colour(implementation), "dash": DASHES.get(implementation, "dashdot"), "width": 2},
                hovertemplate=f"{implementation}, %{{x}}: %{{y:.6g}}<extra></extra>",
            )
    if not figure.data:
        return None
    return chart(id, f"{records[0]['title']}: {name}", figure, 280, showlegend=True, yaxis={"title": name})


def calibration(id: str, cells: Sequence[Json]) -> Chart | None:
    """Simulated rates minus what theory says, with the limits that Monte Carlo error sets."""
    figure = go.Figure()
    for kind, symbol in (("type I", "circle"), ("power", "diamond-open")):
        of_kind = [cell for cell in cells if cell["kind"] == kind]
        figure.add_scatter(
            x=[cell["expected"] for cell in of_kind],
            y=[cell["rate"] for cell in of_kind],
            name=kind,
            mode="markers",
            marker={"color": [INK if cell["passed"] else "var(--bad)" for cell in of_kind], "symbol": symbol},
            text=[
                f"{cell['procedure']}, {cell['law']}, size {cell['size']}, noise {cell['noise']:g}" for cell in of_kind
            ],
            hovertemplate="%{text}<br>simulated %{y:.5f}, expected %{x:.5f}<extra></extra>",
        )
    if not cells:
        return None
    figure.add_shape(type="line", x0=0, x1=1, y0=0, y1=1, line={"color": MUTED, "width": 1, "dash": "dash"})
    return chart(
        id,
        "Calibration: simulated rates of false claims and of passes, against what the procedures promise",
        figure,
        380,
        showlegend=True,
        xaxis={"title": "promised rate", "range": [-0.02, 1.02]},
        yaxis={"title": "simulated rate", "range": [-0.02, 1.02]},
    )
