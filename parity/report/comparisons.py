"""The page on one comparison of two models, drawn from its record alone, and its part of the report."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from parity.report.figures import DIGITS, Chart, chart
from parity.report.page import environment, packed, plotly
from parity.report.plotting import INK, MUTED, Figure
from parity.report.records import Json
from parity.results.store import number_of

QUANTITIES = ("output", "output gradient", "parameter gradient", "state")


def comparison_page(record: Json) -> str:
    """The page as one file, which asks the network for nothing; `record` is as the store reads it."""
    charts = {made.id: made for made in (_shares("shares", record), _losses("losses", record)) if made is not None}
    drawn = ",".join(f"{json.dumps(made.id)}:{made.json}" for made in charts.values())
    return (
        environment()
        .get_template("comparison.html")
        .render(
            record=record,
            charts=charts,
            rows=rows(record),
            outside=[tensor for tensor in record["tensors"] if tensor["passed"] is False],
            figures=packed("{" + drawn + "}"),
            data=packed(json.dumps(record, ensure_ascii=False)),
            plotly=plotly(),
        )
    )


def rows(record: Json) -> list[Json]:
    """A row for each call that was compared, in order, and one for the whole model: the worst tensor by quantity.

    A row has the fields of the record's layer, and `used`: by quantity, the worst tensor of either mode.
    """
    tensors = record["tensors"]
    found, told = [], set()
    for layer in record["layers"]:
        held = layer["layer"] not in told  # what a layer holds is told at its first call
        told.add(layer["layer"])
        own = [
            tensor
            for tensor in tensors
            if tensor["layer"] == (layer["site"] if tensor["quantity"].startswith("output") else layer["layer"])
            and (held or tensor["quantity"].startswith("output"))
        ]
        found.append(layer | {"used": _worst(own)})
    whole = [
        tensor | {"quantity": tensor["quantity"].replace("input gradient", "output gradient")}
        for tensor in tensors
        if not tensor["layer"]
    ]
    model = {"called": "the whole model", "title": "its outputs, and the gradients of its inputs"}
    return [*found, model | {"there": "", "title_there": "", "error": "", "used": _worst(whole)}]


WORST = [True, None, False]  # what is not judged in part is worse than what is within, and better than what is not


def _worst(tensors: Iterable[Json]) -> dict[str, Json]:
    def rank(tensor: Json) -> tuple[int, float]:
        return WORST.index(tensor["passed"]), number_of(tensor["share"])

    found: dict[str, Json] = {}
    for tensor in tensors:
        known = found.get(tensor["quantity"])
        if known is None or rank(tensor) > rank(known):
            found[tensor["quantity"]] = tensor | {"module": f"{tensor['name']}, {tensor['mode']} mode"}
    return found


def _shares(id: str, record: Json) -> Chart | None:
    """Draws the share of the allowance that each layer uses, by order of call: where it first leaves 1 is the place."""
    listed = [row for row in rows(record)[:-1] if row["used"]]
    if not listed:
        return None
    figure = Figure()
    for quantity, symbol in zip(QUANTITIES, ("circle", "diamond-open", "square-open", "cross"), strict=True):
        shown = [row for row in listed if quantity in row["used"]]
        figure.scatter(
            x=[row["site"] for row in shown],
            y=[_drawn(row["used"][quantity]["share"]) for row in shown],
            name=quantity,
            mode="markers",
            marker={"color": INK, "size": 8, "symbol": symbol},
            customdata=[row["used"][quantity]["module"] for row in shown],
            hovertemplate=f"%{{customdata}}<br>%{{y:{DIGITS}}} of what is allowed<extra></extra>",
        )
    figure.mark("y", 1, color="var(--bad)", width=1.5, dash="dash")
    figure.note("allowed", xref="paper", x=0, y=0, xanchor="left", yanchor="bottom")  # at 1: the axis is logarithmic
    most = len(listed)
    return chart(
        id,
        f"Share of the allowance that each of {most} layers uses, by order of call, on a logarithmic scale; what is "
        "above 1 is outside. The table above has the numbers",
        figure,
        380,
        showlegend=True,
        xaxis={
            "title": "layer, by order of call",
            "type": "category",
            "categoryarray": [row["site"] for row in listed],
            "categoryorder": "array",
            "nticks": min(most, 40),
        },
        yaxis={"title": "observed / allowed", "type": "log", "exponentformat": "power", "dtick": 1},
        margin={"l": 8, "r": 12, "t": 44, "b": 44},
    )


def _drawn(share: float | None) -> float | None:
    """The share on a logarithmic axis: 0, which is equality to the bit, and infinity have no place there."""
    return share or None


def _losses(id: str, record: Json) -> Chart | None:
    """Draws the losses of both models above, and below what their distance uses of what rounding allows."""
    losses = record["losses"]
    if losses is None:
        return None
    figure = Figure("training loss", "observed / allowed", spacing=0.12)
    figure.share_axis("x")
    named: Sequence[tuple[str, str, dict[str, Any]]] = (
        ("reference", "reference", {"color": MUTED, "width": 5}),
        ("other", "other", {"color": INK, "width": 1.5}),
    )
    for field, name, line in named:
        steps = list(range(1, len(losses[field]) + 1))
        figure.scatter(x=steps, y=losses[field], name=name, mode="lines", line=line)
    steps = list(range(1, len(losses["shares"]) + 1))
    figure.scatter(
        2,
        x=steps,
        y=losses["shares"],
        mode="lines+markers",
        line={"color": INK, "width": 1},
        marker={"size": 4},
        showlegend=False,
    )
    figure.band("y", 0, 1, 2)
    figure.axis("x", 2, title="step")
    for row in (1, 2):
        figure.axis("y", row, rangemode="tozero")
    return chart(
        id,
        f"Training losses of both models over {len(losses['reference'])} steps, and what their distance uses of what "
        "rounding allows, which is judged below 1",
        figure,
        440,
        showlegend=True,
        margin={"l": 8, "r": 12, "t": 72, "b": 44},
    )
