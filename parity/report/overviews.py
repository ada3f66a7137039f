"""The charts that look at many records at once: shares of allowances, defects, experiments, calibration."""

from __future__ import annotations

from collections.abc import Sequence

from parity.report.figures import DIGITS, Chart, chart, look
from parity.report.plotting import INK, MUTED, Figure
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
    """Draws every pair, dtype and quantity as a point: the largest share of its allowance that an implementation used.

    `allowances` are the largest over all stacks.

    An infinite share stands at the right edge.
    """
    names = list(dict.fromkeys(name for row in allowances for name in row["used"]))
    if not names:
        return None
    known = [use["share"] for row in allowances for use in row["used"].values() if use["share"] is not None]
    edge = 1.1 * max([1.0, *known])
    figure = Figure()
    for y, name in enumerate(reversed(names)):
        rows = [(row["used"][name]["share"], row) for row in allowances if name in row["used"]]
        found = sorted(((edge if share is None else share, row) for share, row in rows), key=lambda pair: pair[0])
        figure.scatter(
            x=[share for share, _ in found],
            y=[y + 0.6 * (place * GOLDEN_RATIO % 1 - 0.5) for place in range(len(found))],
            mode="markers",
            marker={
                "color": ["var(--bad)" if share > 1 else look(name).colour for share, _ in found],
                "symbol": look(name).symbol,
                "size": 7,
                "opacity": 0.75,
            },
            customdata=["∞" if share == edge else f"{share:.9g}" for share, _ in found],
            text=["{pair}, {dtype}, {quantity}<br>".format(**row) + _stack(row["used"][name]) for _, row in found],
            hovertemplate=f"{name}: %{{customdata}} of the allowance<br>%{{text}}<extra></extra>",
        )
    figure.mark("x", 1, "allowed", color="var(--bad)", width=2)
    return chart(
        id,
        "Share of the allowance used, one point for each pair, dtype and quantity, by implementation; 1 is the limit. "
        "The table below has the largest",
        figure,
        70 * len(names) + 80,
        showlegend=False,
        xaxis={"title": "observed / allowed", "range": [-0.01 * edge, 1.03 * edge]},
        yaxis={"tickvals": list(range(len(names))), "ticktext": names[::-1], "showgrid": False},
    )


def _stack(use: Json) -> str:
    """The stack that has the largest share of several; nothing where there is one alone."""
    return str(use.get("stack", ""))


def defects(id: str, caught_by: Json) -> Chart | None:
    """Draws how many planted defects each rung caught, and how many the baseline, as two stacked bars."""
    figure = Figure()
    for way, label in (("baseline", "baseline"), ("ladder", "ladder")):
        for by, count in sorted(caught_by[way].items(), key=lambda item: list(CATCHERS).index(item[0])):
            figure.bar(
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
    if not figure.traces:
        return None
    return chart(
        id,
        "Planted defects by what caught them. "
        + ". ".join(
            f"The {way}: {', '.join(f'{by} {count}' for by, count in caught_by[field].items())}"
            for field, way in (("ladder", "ladder"), ("baseline", "baseline"))
            if caught_by[field]
        ),
        figure,
        190,
        barmode="stack",
        uniformtext={"minsize": 9, "mode": "hide"},
        showlegend=False,
        xaxis={"title": "planted defects", "showgrid": False},
        yaxis={"showgrid": False},
    )


def experiment(id: str, records: Sequence[Json], name: str) -> Chart | None:
    """Draws one curve of an experiment, a line for each implementation."""
    figure = Figure()
    for record in records:
        implementation = record["implementation"]
        if name in record["curves"]:
            figure.scatter(
                **record["curves"][name],
                name=implementation,
                mode="lines",
                line={"color": look(implementation).colour, "dash": look(implementation).dash, "width": 2},
                hovertemplate=f"{implementation}, %{{x}}: %{{y:{DIGITS}}}<extra></extra>",
            )
    if not figure.traces:
        return None
    ends = "; ".join(
        f"{record['implementation']} from {found[0]:.4g} to {found[-1]:.4g}"
        for record in records
        if (found := [y for y in record["curves"].get(name, {"y": []})["y"] if y is not None])
    )
    label = f"{records[0]['title']}: {name}, {ends}"
    return chart(id, label, figure, 280, showlegend=True)


def effects(id: str, records: Sequence[Json]) -> Chart | None:
    """Draws what changing a factor does to each implementation's accuracy, in points, with intervals over seeds."""
    factors = list(dict.fromkeys(effect["factor"] for record in records for effect in record["effects"]))
    if not factors:
        return None
    figure = Figure()
    for place, record in enumerate(records):
        name, found = record["implementation"], record["effects"]
        estimates = [100 * effect["estimate"] for effect in found]
        limits = [[100 * limit for limit in effect["interval"]] for effect in found]
        figure.scatter(
            x=estimates,
            y=[-factors.index(effect["factor"]) - 0.22 * (place - (len(records) - 1) / 2) for effect in found],
            error_x={
                "symmetric": False,
                "array": [high - value for value, (_, high) in zip(estimates, limits, strict=True)],
                "arrayminus": [value - low for value, (low, _) in zip(estimates, limits, strict=True)],
                "color": look(name).colour,
                "thickness": 1.5,
                "width": 3,
            },
            name=name,
            mode="markers",
            marker={"color": look(name).colour, "symbol": look(name).symbol, "size": 8},
            customdata=limits,
            text=[effect["factor"] for effect in found],
            hovertemplate=f"{name}, %{{text}}<br>%{{x:+{DIGITS}}} points<br>%{{customdata[0]:+{DIGITS}}} to "
            f"%{{customdata[1]:+{DIGITS}}}<extra></extra>",
        )
    figure.mark("x", 0, color=MUTED, width=1.5)
    return chart(
        id,
        f"{records[0]['title']}: what changing one factor does to the accuracy of each implementation, with intervals "
        "over seeds. The table below has them",
        figure,
        62 * len(factors) + 90,
        showlegend=True,
        xaxis={"title": "difference in accuracy, points"},
        yaxis={"tickvals": [-place for place in range(len(factors))], "ticktext": factors, "showgrid": False},
    )


def calibration(id: str, cells: Sequence[Json]) -> Chart | None:
    """Draws rates of false claims by procedure and, below, rates of passes less what the power integral says."""
    if not cells:
        return None
    false, passes = ([cell for cell in cells if cell["kind"] == kind] for kind in ("type I", "power"))
    procedures = list(dict.fromkeys(cell["procedure"] for cell in false))
    figure = Figure("rate of false claims", "rate of passes, less power", heights=(0.6, 0.4), spacing=0.2)
    below, above = ([abs(cell[limit] - cell["expected"]) for cell in passes] for limit in ("lowest", "highest"))
    drawn = (
        (1, false, [cell["rate"] for cell in false], [procedures.index(cell["procedure"]) for cell in false], None),
        (
            2,
            passes,
            [cell["expected"] for cell in passes],
            [cell["rate"] - cell["expected"] for cell in passes],
            {"symmetric": False, "array": above, "arrayminus": below, "color": MUTED, "thickness": 1, "width": 0},
        ),
    )
    for row, found, x, y, error in drawn:
        figure.scatter(
            row,
            x=x,
            y=y,
            error_y=error,
            mode="markers",
            marker={"color": [INK if cell["passed"] else "var(--bad)" for cell in found], "size": 7, "opacity": 0.6},
            text=[f"{c['procedure']}, {c['law']}, size {c['size']}, noise {c['noise']:g}" for c in found],
            customdata=[[cell["rate"], cell["expected"]] for cell in found],
            hovertemplate=f"%{{text}}<br>simulated %{{customdata[0]:{DIGITS}}}, promised "
            f"%{{customdata[1]:{DIGITS}}}<extra></extra>",
        )
    for promised in {cell["expected"] for cell in false}:
        figure.mark("x", promised, color=MUTED, width=1.5, dash="dash")
    figure.mark("y", 0, row=2, color=MUTED, width=1)
    figure.axis("x", rangemode="tozero")
    figure.axis("x", 2, title="power", range=[-0.02, 1.02])
    places = list(range(len(procedures)))
    figure.axis("y", tickvals=places, ticktext=procedures, range=[len(places) - 0.5, -0.5])
    label = (
        f"Calibration: {sum(cell['passed'] for cell in cells)} of {len(cells)} simulated rates are within Monte Carlo "
        f"error of what the procedures promise; the largest rate of false claims is "
        f"{max((cell['rate'] for cell in false), default=0):.4f}"
    )
    return chart(id, label, figure, 30 * len(places) + 330, showlegend=False)
