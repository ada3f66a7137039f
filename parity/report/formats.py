"""Formats: how numbers and names are written in the report; none is computed here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from markupsafe import Markup, escape

from parity.frameworks import implementations
from parity.report.absent import in_words
from parity.report.figures import look, pair_name
from parity.report.records import Json, shortened
from parity.report.study import GREEN
from parity.statistics import Outcome, points

TONES = (
    dict.fromkeys(GREEN, "held")
    | {
        Outcome.INCONCLUSIVE.value: "inconclusive",
        Outcome.DIFFERENT.value: "different",
        Outcome.INVALID.value: "invalid",
        "agrees": "held",
        "finding": "inconclusive",
        "off": "different",
        "failed": "different",
        "different": "different",
        "crashed": "incomplete",
        "incomplete": "incomplete",
    }
    | dict.fromkeys(("held", "passed", "green", "ok"), "held")
)
NOTHING = "–"
# What follows the decimal point of the longest number of a column, so that shorter ones can be filled up to it.
FRACTION = {"fixed": ".0000", "share": ".000", "percent": ".000%", "scientific": ".0000e−", "whole": ""}


def number(value: float | None, form: str) -> str:
    return NOTHING if value is None else format(value, form).replace("-", "−")


def in_points(value: float | None) -> str:
    """A difference of accuracies in points, with its sign; "0" stands for exactly 0 alone."""
    return "0" if value == 0 else number(None if value is None else 100 * value, "+.4f")


def size(value: float | None) -> str:
    """The size of a difference or its standard deviation, in points."""
    return in_points(value).lstrip("+")


def bound(value: float | None) -> str:
    return NOTHING if value is None else f"±{size(value)}"


def interval(limits: Iterable[float]) -> str:
    return " to ".join(map(in_points, limits))


def probability(value: float | None) -> str:
    """A probability to four decimals, never written as a certainty that it is not."""
    if value is None or value in (0, 1):
        return number(value, "g")
    return "< 0.0001" if value < 1e-4 else "> 0.9999" if value > 1 - 1e-4 else f"{value:.4f}"


def share(value: float | None) -> str:
    """The observed error over the allowance; "∞" stands for None, "0" for exactly 0 alone."""
    if value is None or value == 0:
        return "∞" if value is None else "0"
    return "< 0.001" if value < 1e-3 else f"{value:.3f}" if value < 1e3 else f"{value:.2e}"


def percent(value: float | None, digits: int = 3) -> str:
    return number(value, f".{digits}%")


def scientific(value: float | None) -> str:
    """A number to three significant digits."""
    if value is None or value == 0:
        return number(value, "g")
    size = abs(value)
    return number(value, ".0f" if 1e3 <= size < 1e5 else ".3g" if 1e-2 <= size < 1e3 else ".2e")


def aligned(text: str, column: str) -> Markup:
    """The text with invisible digits added: a right-aligned column then has its decimal points below each other."""
    whole, point, fraction = text.rpartition(".")
    missing = FRACTION[column][len(point + fraction) if whole else 0 :]
    return escape(text) + (Markup('<i aria-hidden="true">{}</i>').format(missing) if missing else "")


def plainly(value: Any) -> str:
    """Nested settings, written in one line."""
    if isinstance(value, dict):
        return "; ".join(f"{name}: {plainly(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(plainly, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def sentence(text: str) -> str:
    """The text with a full stop, a true minus before numbers, and a capital letter.

    There is no capital where it begins with the name of an implementation or of a stack.
    """
    text = re.sub(r"(?<![\w.])-(?=\d)", "−", text)
    word = text.split(" ")[0].rstrip(":;,")
    start = text[:1].upper() if word.isalpha() and word not in implementations() else text[:1]
    return f"{start}{text[1:].rstrip('.')}."


def keys_of(records: Iterable[Json], field: str) -> list[str]:
    """All keys of the objects in this field, in the order of first mention."""
    return list(dict.fromkeys(key for record in records for key in record[field]))


def columns_of(table: Json) -> list[str]:
    """The titles of an experiment's own table, those of numbers marked as macros.html asks."""
    first = table["rows"][0] if table["rows"] else []
    numeric = [isinstance(cell, int | float) for cell in first] or [False] * len(table["columns"])
    return [f"#{title}" if number else title for title, number in zip(table["columns"], numeric, strict=True)]


FILTERS = {
    "points": in_points,
    "size": size,
    "bound": bound,
    "interval": interval,
    "p": probability,
    "share": share,
    "percent": percent,
    "g": lambda value, digits=3: number(value, f".{digits}g"),
    "fixed": lambda value: number(value, ".4f"),
    "scientific": scientific,
    "aligned": aligned,
    "plainly": plainly,
    "sentence": sentence,
    "in_words": in_words,
    "keys_of": keys_of,
    "columns_of": columns_of,
    "shortened": shortened,
    "pair_name": pair_name,
    "margin": lambda value: NOTHING if value is None else f"±{points(value)}",
    "tone": lambda outcome: TONES.get(outcome, "partial"),
    "link": lambda url: url if str(url).startswith(("https://", "http://")) else "",
    "under": lambda charts, prefix: [key for key in charts if key.startswith(prefix)],
    "numeric": lambda title: f"#{title}",  # a column of numbers, see macros.html
    "cell": lambda text: str(text).replace("|", "\\|").replace("\n", " "),
    "colour": lambda implementation: look(implementation).colour,
}
