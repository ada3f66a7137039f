"""The page of one results folder's experiments in Markdown, with its pictures beside it."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from parity.experiments import EXPERIMENTS
from parity.experiments.training import Record
from parity.results import Results

IMPLEMENTATIONS = {"numpynet": "numpynet", "torch": "PyTorch", "tensorflow": "TensorFlow"}
MARKS = {True: "", False: "**falls short**: ", None: ""}


def write_page(results: Results, folder: Path) -> Path:
    """Write experiments.md and a PNG file for each picture to `folder`; returns the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    records = {record["key"]: record for record in results.read("experiments")}
    lines = [
        "# Experiments",
        "",
        f"Measured with {results.stack}; `parity experiment NAME` runs one. Within an experiment every implementation "
        "starts from the same weights, PyTorch's default distribution unless it says otherwise, and sees the same "
        "batches and dropout masks. A loss is the mean over the last epoch's batches. One seed, unless it says "
        "otherwise: where accuracies differ here, rounding grew over thousands of steps.",
        "",
        *table(records),
    ]
    for name, entry in EXPERIMENTS.items():
        found = [record for i in IMPLEMENTATIONS if (record := records.get(f"{name}/{i}"))]
        body = [*effects(found), *tables(found), *pictures(found, folder)]
        lines += ["", f"## {entry.title}", *body] if body else []
    page = folder / "experiments.md"
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return page


def rows_of(rows: Iterable[Sequence[object]], columns: Sequence[str]) -> list[str]:
    """The lines of a Markdown table with these columns and rows."""
    return [f"| {' | '.join(map(str, row))} |" for row in (columns, ["---"] * len(columns), *rows)]


def table(records: Mapping[str, Record]) -> list[str]:
    """The lines of the overview's table: what each experiment must show, and what each implementation showed."""
    rows = []
    for name, entry in EXPERIMENTS.items():
        found = (records.get(f"{name}/{implementation}") for implementation in IMPLEMENTATIONS)
        cells = [MARKS[record["passed"]] + record["summary"] if record else "not run" for record in found]
        rows.append([f"`{name}`: {entry.title}", entry.requirement, *cells, entry.yardstick])
    return rows_of(rows, ["experiment", "must show", *IMPLEMENTATIONS.values(), "to compare with"])


def effects(found: Sequence[Record]) -> list[str]:
    """The lines on what each factor does to the accuracy, by each implementation: a paragraph and a table."""
    found = [record for record in found if record.get("effects")]
    if not found:
        return []
    first, *_ = found[0]["effects"]
    rows = [
        [same[0]["factor"], *(effect_in_points(effect) for effect in same)]
        for same in zip(*(record["effects"] for record in found), strict=True)
    ]
    text = (
        f"Change of the test accuracy in points, paired by seed ({len(first['differences'])} seeds), with intervals by "
        f"Student's t that hold all at once (each {first['level']:.2%}); a conclusion where one leaves out zero."
    )
    return ["", text, "", *rows_of(rows, ["factor", *(IMPLEMENTATIONS[record["implementation"]] for record in found)])]


def effect_in_points(effect: Record) -> str:
    low, high = (100 * limit for limit in effect["interval"])
    return f"{100 * effect['estimate']:+.2f} ({low:+.2f} to {high:+.2f}), {effect['conclusion']}"


def tables(found: Sequence[Record]) -> list[str]:
    lines = []
    for record in found:
        for title, each in record.get("tables", {}).items():
            rows = [[f"{cell:.4f}" if isinstance(cell, float) else cell for cell in row] for row in each["rows"]]
            name = IMPLEMENTATIONS[record["implementation"]]
            lines += ["", f"{name}, {title}:", "", *rows_of(rows, each["columns"])]
    return lines


def pictures(found: Sequence[Record], folder: Path) -> list[str]:
    files = [file for record in found for file in save(record, folder)]
    return ["", *(f"![{title}]({file})" for title, file in files)] if files else []


def save(record: Record, folder: Path) -> list[tuple[str, str]]:
    """Write a record's pictures to `folder`; returns their titles and file names."""
    saved = []
    for title, uri in record["pictures"].items():
        file = f"{record['key'].replace('/', '-')}.png"
        (folder / file).write_bytes(base64.b64decode(uri.partition(",")[2]))
        saved.append((f"{record['title']}, {record['implementation']}: {title}", file))
    return saved
