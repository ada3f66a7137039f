"""Renders report.html and report.md from the report's document alone."""

from __future__ import annotations

import base64
import functools
import gzip
import json
import re
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from parity.report import figures, overviews
from parity.report.figures import Chart
from parity.report.formats import FILTERS
from parity.report.merging import hardest, largest, merged_here
from parity.report.records import Json


def html(document: Json) -> str:
    """The page as one file, which asks the network for nothing."""
    derived = _derived(document)
    charts = _charts(document, derived)
    drawn = ",".join(f"{json.dumps(chart.id)}:{chart.json}" for chart in charts.values())
    return without_end_tags(
        environment()
        .get_template("report.html")
        .render(
            document,
            charts=charts,
            **derived,
            figures=packed("{" + drawn + "}"),
            data=packed(json.dumps(_pictures(document), ensure_ascii=False)),
            plotly=plotly(),
        )
    )


def without_end_tags(page: str) -> str:
    """The page without those end tags of cells and rows that HTML lets one omit, since what follows ends them.

    They take a twentieth of the tables of many stacks (HTML, section 13.1.2.4).
    """
    return re.sub(r"(?:</t[dhr]>\s*)+(?=<t[dhr][ >]|</tbody>|</thead>)", "", page)


def markdown(document: Json) -> str:
    """The summary for a CI job, of which one screen is seen and the rest is folded."""
    return environment().get_template("report.md").render(document, **_derived(document))


def _derived(document: Json) -> Json:
    """The values that both templates ask of the document.

    These are whether it has many stacks, the pairs of all studies, with their studies or as rows, of each curve the one
    that is drawn, and the largest shares over all stacks.
    """
    shares = document["allowances"]
    pairs = [(study, pair) for study in document["studies"] for pair in study["pairs"]]
    return {
        "many": len(document["stacks"]) > 1,
        "pairs": pairs,
        "pairs_of_stacks": [{"stack": study["stack"], "name": study["name"], "pair": pair} for study, pair in pairs],
        "drawn_curves": hardest(document["curves"]),
        "shares_by_quantity": largest(shares, ("pair", "dtype", "quantity")),
        "shares_by_pair": largest(shares, ("pair", "dtype")),
    }


def _pictures(document: Json) -> Json:
    """The pictures of experiments, by where the page shows them."""
    return {
        picture_id(record, title): uri
        for record in document["experiments"]
        for title, uri in record["pictures"].items()
    }


def picture_id(record: Json, title: str) -> str:
    return f"{record['stack']}/{record['key']}/{title}"


def _charts(document: Json, derived: Json) -> dict[str, Chart]:
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
    for curve in derived["drawn_curves"]:
        add(f"curve/{curve['key']}", figures.curve, curve)
    add("shares", overviews.shares, derived["shares_by_quantity"])
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


def _ways(modes: list[Json]) -> list[Json]:
    """Each way of writing a model on a stack, with `cells`: what came out of each way of running it."""
    fields = ("stack", "model", "dtype", "framework", "mode")
    grouped: dict[tuple[str, ...], dict[str, Json]] = {}
    for mode in modes:
        cell = {name: mode[name] for name in ("status", "largest")}
        grouped.setdefault(tuple(mode[field] for field in fields), {})[mode["execution"]] = cell
    return [dict(zip(fields, place, strict=True)) | {"cells": cells} for place, cells in grouped.items()]


def packed(text: str) -> Markup:
    """The text compressed and in base64, as report.js unpacks it.

    It is a third as large, and nothing in it can end its script.
    """
    return _in_base64(gzip.compress(text.encode(), mtime=0))


def _in_base64(packed: bytes) -> Markup:
    return Markup(base64.b64encode(packed).decode())


@functools.cache
def plotly() -> Markup:
    """plotly.js as report.js unpacks it: the bundle with points, lines and bars alone, a quarter of the whole."""
    return _in_base64(files("parity.report").joinpath("plotly-basic.min.js.gz").read_bytes())


@functools.cache
def environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("parity.report"),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS | {"merged": merged_here, "picture_id": picture_id}
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
