"""The experiments of one results folder as a page of Markdown, with its pictures beside it."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
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
        files = [file for i in IMPLEMENTATIONS if (found := records.get(f"{name}/{i}")) for file in save(found, folder)]
        if files:
            lines += ["", f"## {entry.title}", "", *(f"![{title}]({file})" for title, file in files)]
    page = folder / "experiments.md"
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return page


def table(records: Mapping[str, Record]) -> list[str]:
    """Lines of a Markdown table: what each experiment must show, and what each implementation showed."""
    header = ["experiment", "must show", *IMPLEMENTATIONS.values(), "to compare with"]
    rows: list[Sequence[str]] = [header, ["---"] * len(header)]
    for name, entry in EXPERIMENTS.items():
        found = (records.get(f"{name}/{implementation}") for implementation in IMPLEMENTATIONS)
        cells = [MARKS[record["passed"]] + record["summary"] if record else "not run" for record in found]
        rows.append([f"`{name}`: {entry.title}", entry.requirement, *cells, entry.yardstick])
    return [f"| {' | '.join(row)} |" for row in rows]


def save(record: Record, folder: Path) -> list[tuple[str, str]]:
    """Write a record's pictures; their titles and file names."""
    saved = []
    for title, uri in record["pictures"].items():
        file = f"{record['key'].replace('/', '-')}.png"
        (folder / file).write_bytes(base64.b64decode(uri.partition(",")[2]))
        saved.append((f"{record['title']}, {record['implementation']}: {title}", file))
    return saved
