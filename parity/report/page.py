"""Renders report.html and report.md from the report's document alone."""

from __future__ import annotations

import base64
import functools
import gzip
import json
from collections.abc import Callable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from parity.report import figures, overviews
from parity.report.figures import Chart
from parity.report.formats import FILTERS
from parity.report.records import Json


def html(document: Json) -> str:
    """The page as one file, which asks the network for nothing."""
    charts = _charts(document)
    drawn = ",".join(f"{json.dumps(chart.id)}:{chart.json}" for chart in charts.values())
    return (
        environment()
        .get_template("report.html")
        .render(
            document,
            charts=charts,
            **_derived(document),
            figures=packed("{" + drawn + "}"),
            data=packed(json.dumps(document, ensure_ascii=False)),
            plotly=plotly(),
        )
    )


def markdown(document: Json) -> str:
    """The summary for a CI job, of which one screen is seen and the rest is folded."""
    return environment().get_template("report.md").render(document, **_derived(document))


def _derived(document: Json) -> Json:
    """The values that both templates ask of the document: whether it has many stacks, and the pairs of all studies."""
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
        add(f"effects/{'/'.join(place)}", overviews.effects, records)
        for name in dict.fromkeys(name for record in records for name in record["curves"]):
            add(f"experiment/{'/'.join(place)}/{name}", overviews.experiment, records, name)
    return charts


def _experiments(records: list[Json]) -> dict[tuple[str, str], list[Json]]:
    """The records of each experiment of each stack, one for each implementation."""
    grouped: dict[tuple[str, str], list[Json]] = {}
    for record in records:
        grouped.setdefault((record["stack"], record["experiment"]), []).append(record)
    return grouped


def _ways(modes: list[Json]) -> list[tuple[Json, dict[str, Json]]]:
    """Each way of writing a model, with its record for each way of running it."""
    fields = ("stack", "model", "dtype", "framework", "mode")
    grouped: dict[tuple[str, ...], dict[str, Json]] = {}
    for mode in modes:
        grouped.setdefault(tuple(mode[field] for field in fields), {})[mode["execution"]] = mode
    return [(dict(zip(fields, place, strict=True)), cells) for place, cells in grouped.items()]


def packed(text: str) -> Markup:
    """The text compressed and in base64, as report.js unpacks it.

    It is a third as large, and nothing in it can end its script.
    """
    return Markup(base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode())


@functools.cache
def plotly() -> Markup:
    return packed(get_plotlyjs())


@functools.cache
def environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("parity.report"),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    environment.globals |= {
        "experiments_of": _experiments,
        "ways_of": _ways,
        "style": Markup(_source(environment, "report.css")),
        "sorting": Markup(_source(environment, "tables.js")),
        "script": Markup(_source(environment, "report.js") + _source(environment, "tables.js")),
    }
    return environment


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]
