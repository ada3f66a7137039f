"""Figures as plotly.js takes them: plain dicts of traces and a layout, whose fields are plotly's own.

Reference: https://plotly.com/javascript/reference
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from parity.report.records import Json

INK, MUTED, LINE, BAND = "var(--ink)", "var(--muted)", "var(--line)", "var(--band)"
TEXT = {"size": 13, "color": INK}

_AXIS = {
    "gridcolor": LINE,
    "showline": True,
    "ticks": "outside",
    "zeroline": False,
    "zerolinecolor": MUTED,
    "title": {"font": {"size": 13}, "standoff": 8},
    "linecolor": LINE,
    "tickcolor": LINE,
    "automargin": True,
    "fixedrange": True,
}
_LAYOUT = {
    "template": {"layout": {"xaxis": _AXIS, "yaxis": _AXIS}},
    "margin": {"l": 8, "r": 12, "t": 34, "b": 44},
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "font": {"family": "system-ui, sans-serif", **TEXT},
    "dragmode": False,
    "hoverlabel": {"bgcolor": "var(--paper)", "bordercolor": LINE, "font": {"color": INK}},
    "legend": {"orientation": "h", "x": 0, "y": 1, "yref": "container", "yanchor": "top"}
    | {"itemclick": False, "itemdoubleclick": False},
}


class Figure:
    """Plots below each other, one for each title; a row is named by its number, the uppermost is 1.

    heights: those of the rows, as shares of what the space between them leaves; all alike by default
    spacing: the space between two rows, as a share of the whole
    """

    def __init__(self, *titles: str, heights: Sequence[float] = (), spacing: float = 0.1) -> None:
        rows = max(len(titles), 1)
        heights = heights or [1 / rows] * rows
        self.traces: list[Json] = []
        self.layout: Json = {"shapes": [], "annotations": []}
        top = 1.0
        for row, height in enumerate(heights, start=1):
            bottom = top - height * (1 - spacing * (rows - 1)) / sum(heights)
            self.layout[_axis("x", row)] = {"anchor": _name("y", row)}
            self.layout[_axis("y", row)] = {"anchor": _name("x", row), "domain": [max(bottom, 0.0), top]}
            top_of_row, top = top, bottom - spacing
            if titles:
                place = {"xref": "paper", "yref": "paper", "x": 0, "y": top_of_row}
                self.note(titles[row - 1], **place, xanchor="left", yanchor="bottom")

    def scatter(self, row: int = 1, **fields: Any) -> None:
        """Add a trace of points or lines."""
        self._add("scatter", row, fields)

    def bar(self, **fields: Any) -> None:
        """Add a trace of bars."""
        self._add("bar", 1, fields)

    def axis(self, letter: str, row: int = 1, **fields: Any) -> None:
        """Set fields of the axis "x" or "y" of a row; its title is a text."""
        self.layout[_axis(letter, row)] |= _titled(fields)

    def share_axis(self, letter: str) -> None:
        """Let the axes "x" or "y" of all rows have one range; of x axes the lowest alone has ticks' texts."""
        rows = [name for name in self.layout if name.startswith(f"{letter}axis")]
        for place, name in enumerate(rows):
            self.layout[name] |= {"matches": letter} if place else {}
            self.layout[name] |= {"showticklabels": False} if letter == "x" and place < len(rows) - 1 else {}

    def mark(self, letter: str, value: Any, text: str = "", row: int = 1, **line: Any) -> None:
        """Draw a line across the row where the axis "x" or "y" has this value; a text stands at its end."""
        self.shape(type="line", line=line, **_across(letter, value, value, row))
        if text:
            other = "y" if letter == "x" else "x"
            anchor = "left" if letter == "x" else "right"
            self.note(text, **{letter: value, other: 1}, **_references(letter, row), xanchor=anchor, yanchor="top")

    def band(self, letter: str, low: float, high: float, row: int = 1) -> None:
        """Fill the row between two values of the axis "x" or "y", behind everything."""
        here = _across(letter, low, high, row)
        self.shape(type="rect", fillcolor=BAND, line={"width": 0}, layer="below", **here)

    def shape(self, **fields: Any) -> None:
        """Add a shape."""
        self.layout["shapes"].append(fields)

    def note(self, text: str, **fields: Any) -> None:
        """Add a text without an arrow, in the ink of the page."""
        self.layout["annotations"].append({"text": text, "showarrow": False, "font": TEXT, **fields})

    def _add(self, kind: str, row: int, fields: Json) -> None:
        given = {name: value for name, value in fields.items() if value is not None}
        self.traces.append({"type": kind, "xaxis": _name("x", row), "yaxis": _name("y", row), **given})

    def drawn(self, height: int, layout: Json) -> Json:
        """The figure, so many pixels high; `layout` has what is another than of every figure, axes of the first row."""
        axes = {name: self.layout[name] | _titled(layout[name]) for name in ("xaxis", "yaxis") if name in layout}
        return {"data": self.traces, "layout": _LAYOUT | {"height": height} | self.layout | layout | axes}


def _titled(axis: Json) -> Json:
    """The fields of an axis as plotly.js takes them, to which a title is more than a text."""
    return axis | ({"title": {"text": axis["title"]}} if "title" in axis else {})


def _name(letter: str, row: int) -> str:
    return letter if row == 1 else f"{letter}{row}"


def _axis(letter: str, row: int) -> str:
    return f"{letter}axis" if row == 1 else f"{letter}axis{row}"


def _across(letter: str, low: Any, high: Any, row: int) -> Json:
    """The place of what lies between two values on one axis, and goes across the row."""
    other = "y" if letter == "x" else "x"
    return {f"{letter}0": low, f"{letter}1": high, f"{other}0": 0, f"{other}1": 1} | _references(letter, row)


def _references(letter: str, row: int) -> Json:
    """The references of what has a value on one axis, and goes across the row."""
    other = "y" if letter == "x" else "x"
    return {f"{letter}ref": _name(letter, row), f"{other}ref": f"{_name(other, row)} domain"}
