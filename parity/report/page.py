"""report.html and report.md, rendered from the report's document alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from parity.report import figures, overviews
from parity.report.figures import COLOURS, Chart, pair_name
from parity.report.records import Json
from parity.report.study import GREEN
from parity.statistics import Outcome, points

TONES = dict.fromkeys(GREEN, "held") | {
    Outcome.INCONCLUSIVE.value: "inconclusive",
    Outcome.DIFFERENT.value: "different",
    Outcome.INVALID.value: "invalid",
}


def html(document: Json) -> str:
    """The page: one file that asks the network for nothing."""
    charts = _charts(document)
    drawn = ",".join(f"{json.dumps(chart.id)}:{chart.json}" for chart in charts.values())
    return (
        _environment()
        .get_template("report.html")
        .render(
            document,
            charts=charts,
            **_derived(document),
            figures=_in_script("{" + drawn + "}"),
            data=_in_script(json.dumps(document, ensure_ascii=False)),
            plotly=Markup(get_plotlyjs()),
        )
    )


def markdown(document: Json) -> str:
    """The summary for a CI job: one screen, the rest folded."""
    return _environment().get_template("report.md").render(document, **_derived(document))


def _derived(document: Json) -> Json:
    """What both templates ask of the document: are there many stacks, and the pairs of all studies."""
    pairs = [(study, pair) for study in document["studies"] for pair in study["pairs"]]
    return {"many": len(document["stacks"]) > 1, "pairs": pairs}


def _charts(document: Json) -> dict[str, Chart]:
    """The charts by the key under which the page asks for them."""
    charts: dict[str, Chart] = {}

    def add(key: str, draw: Callable[..., Chart | None], *arguments: Any) -> None:
        if (chart := draw(f"chart-{len(charts)}", *arguments)) is not None:
            charts[key] = chart

    studies = document["studies"]
    for name in dict.fromkeys(study["name"] for study in studies):
        add(f"forest/{name}", figures.forest, [study for study in studies if study["name"] == name])
    for study in studies:
        add(f"seeds/{study['stack']}/{study['name']}", figures.seeds, study)
        add(f"power/{study['stack']}/{study['name']}", figures.power, study)
    for curve in document["curves"]:
        add(f"curve/{curve['stack']}/{curve['key']}", figures.curve, curve)
    add("shares", overviews.shares, document["allowances"])
    add("defects", overviews.defects, document["caught_by"])
    add("calibration", overviews.calibration, document["calibration"])
    for place, records in _experiments(document["experiments"]).items():
        for name in dict.fromkeys(name for record in records for name in record["curves"]):
            add(f"experiment/{'/'.join(place)}/{name}", overviews.experiment, records, name)
    return charts


def _experiments(records: list[Json]) -> dict[tuple[str, str], list[Json]]:
    """Records of each experiment of each stack, one for each implementation."""
    grouped: dict[tuple[str, str], list[Json]] = {}
    for record in records:
        grouped.setdefault((record["stack"], record["experiment"]), []).append(record)
    return grouped


def _in_script(text: str) -> Markup:
    """JSON that cannot end the script element it stands in."""
    return Markup(text.replace("<", "\\u003c"))


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("parity.report"),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "points": _points,
        "percent": lambda value, digits=2: _number(value, f".{digits}%"),
        "g": lambda value, digits=3: _number(value, f".{digits}g"),
        "size": lambda value: _number(None if value is None else 100 * value, ".3f"),  # in points, without a sign
        "bound": lambda value: "–" if value is None else f"±{100 * value:.3f}",
        "sentence": _sentence,
        "plainly": _plainly,
        "p": lambda value: "< 0.0001" if value is not None and value < 1e-4 else _number(value, ".2g"),
        "share": lambda value: "∞" if value is None else _number(value, ".3g"),
        "margin": lambda value: "–" if value is None else f"±{points(value)}",
        "interval": lambda limits: f"{_points(limits[0])} to {_points(limits[1])}",
        "tone": lambda outcome: TONES.get(outcome, "partial"),
        "link": lambda url: url if str(url).startswith(("https://", "http://")) else "",
        "under": lambda charts, prefix: [key for key in charts if key.startswith(prefix)],
        "keys_of": lambda records, field: list(dict.fromkeys(key for record in records for key in record[field])),
        "numeric": lambda title: f"#{title}",  # a column of numbers, see macros.html
        "pair_name": pair_name,
        "cell": lambda text: str(text).replace("|", "\\|").replace("\n", " "),
        "colour": lambda implementation: COLOURS.get(implementation, "var(--other)"),
    }
    environment.globals |= {
        "experiments_of": _experiments,
        "style": Markup(_source(environment, "report.css")),
        "script": Markup(_source(environment, "report.js")),
    }
    return environment


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _plainly(value: Any) -> str:
    """Nested settings in one line."""
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_plainly(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(_plainly, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _sentence(text: str) -> str:
    """With a full stop, and a capital unless it begins with the name of an implementation or of a stack."""
    word = text.split(" ")[0].rstrip(":;,")
    start = text[:1].upper() if word.isalpha() and word not in COLOURS else text[:1]
    return f"{start}{text[1:].rstrip('.')}."


def _points(value: float | None) -> str:
    """A difference of accuracies in points, with its sign."""
    return _number(None if value is None else 100 * value, "+.3f")


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form).replace("-", "−")
