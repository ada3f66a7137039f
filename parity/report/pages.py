"""Pages of Markdown for the documentation, drawn from the records of one results folder.

Each says which versions it speaks of and which command makes it. A kind without records leaves its page as it is.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from parity.catalogue import catalogue
from parity.catalogue.variation import VALUES
from parity.defects import gallery
from parity.experiments import EXPERIMENTS
from parity.frameworks import framework, implementations
from parity.ladder.trace import GRADIENT, OUTPUT, RUNGS, STEP
from parity.report.document import caught_by
from parity.results.records import Json
from parity.results.store import Results
from parity.work.performing import crashed

MARKS = {True: "", False: "**falls short**: ", None: ""}


def write_pages(results: Results, folder: Path) -> list[Path]:
    """Write differences.md, defects.md and experiments.md, as far as there are records; returns their paths.

    Raises ValueError where a record is of a crash: a page shows what was measured.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for kind, (command, page) in PAGES.items():
        if records := results.read(kind):
            if fallen := [record["key"] for record in records if crashed(record)]:
                raise ValueError(f"{fallen[0]} crashed: run `{command}` again before a page is made of its records")
            path = folder / f"{kind}.md"
            made = f"Measured with {results.stack} by `{command}`; `parity pages` made this page of the records."
            path.write_text("\n".join(page(records, made, folder)) + "\n", encoding="utf-8")
            written.append(path)
    return written


def experiments_page(records: Sequence[Json], made: str, folder: Path) -> list[str]:
    """The lines of the page of experiments; a PNG file for each picture is written to `folder`."""
    by_key = {record["key"]: record for record in records}
    lines = [
        "# Experiments",
        "",
        f"{made} Within an experiment every implementation "
        "starts from the same weights, PyTorch's default distribution unless it says otherwise, and sees the same "
        "batches and dropout masks. A loss is the mean over the last epoch's batches. One seed, unless it says "
        "otherwise: where accuracies differ here, rounding grew over thousands of steps.",
        "",
        *table(by_key),
    ]
    for name, entry in EXPERIMENTS.items():
        found = [record for i in implementations() if (record := by_key.get(f"{name}/{i}"))]
        body = [*effects(found), *tables(found), *pictures(found, folder)]
        lines += ["", f"## {entry.title}", *body] if body else []
    return lines


def differences_page(records: Sequence[Json], made: str, _: Path) -> list[str]:
    """The lines of the catalogue of known differences: what each does, the mapping that removes it, and its sources."""
    lines = [
        "# Known differences",
        "",
        f"{made} An entry is real with the defaults (*apart*: the largest distance between implementations, in the "
        "values' own units) and gone with the mapping (*mapped*). An entry that speaks of other versions or machines "
        "is not measured here.",
    ]
    records = _in_order(records, [entry.id for entry in catalogue()])
    for topic in dict.fromkeys(record["topic"] for record in records):
        lines += ["", f"## {topic.capitalize()}"]
        for record in records:
            if record["topic"] == topic:
                lines += ["", *_difference(record)]
    return lines


def defaults_page(records: Sequence[Json], made: str, _: Path) -> list[str]:
    """The lines of the table of defaults: ours, theirs in our terms, and why they are others where they are."""

    def told(record: Json) -> str:
        bold = {True: "", False: "**"}
        found = [(where, value, bold[value == record["ours"]]) for where, value in record["theirs"].items()]
        return ", ".join(f"`{where}` {mark}{value}{mark}" for where, value, mark in found)

    rows = [
        (f"`{record['key']}`", f"`{record['ours']}`", told(record), "; ".join(record["reasons"].values()))
        for record in records
    ]
    return [
        "# Defaults",
        "",
        f"{made} A framework's default is read from its signature, and told in our terms. Those that are others are "
        "in bold type: whoever ports a model without naming the argument ports another model.",
        "",
        *rows_of(rows, ["argument", "numpynet", "there", "why it is another one"]),
    ]


def specials_page(records: Sequence[Json], made: str, _: Path) -> list[str]:
    """The lines of the page of special values: what each spoils in each class, and what frameworks do otherwise."""
    classes = list(dict.fromkeys(record["pair"] for record in records))
    by_key = {record["key"]: record for record in records}
    spoils = [
        (f"`{name}`", *(by_key[f"{name}/{value}"]["policy"] if f"{name}/{value}" in by_key else "" for value in VALUES))
        for name in sorted(classes)
    ]
    parted: dict[tuple[str, str], list[str]] = {}
    for record in sorted(records, key=lambda record: (VALUES.index(record["value"]), record["pair"])):
        if record["does"]:
            there = "; ".join(f"{who}, {text}" for who, text in sorted(record["does"].items()))
            why = "; ".join([*record["reasons"], *(f"<{source}>" for source in record["sources"])])
            parted.setdefault((there, why), []).append(f"`{record['key']}`")
    return [
        "# Special values",
        "",
        f"{made} One element of an otherwise ordinary input is special or, of an optimizer, one of the first gradient; "
        "the cotangent is positive. *Largest* is the largest finite number, *subnormal* a quarter of the smallest "
        "normal one. The special element is the first, which is in a vector of the processor, and the last, which is "
        "in none, in float32 and float64.",
        "",
        "## What a special value spoils",
        "",
        "By numpynet: where outputs, running statistics and gradients are NaN, infinite or, of a negative zero, "
        "negative zeros. Of an optimizer, what is so after a further step along an ordinary gradient.",
        "",
        *rows_of(spoils, ["class", *VALUES]),
        "",
        "## What frameworks make of it otherwise",
        "",
        "By quantity, what of numpynet's numbers is what there, such as NaN to finite; of the variations (names, "
        "formats, modes, places) those are named that it is about. What is not listed here fails, and so does what is "
        "listed and no longer so.",
        "",
        *rows_of(
            ((", ".join(keys), there, why) for (there, why), keys in parted.items()),
            ["class and value", "there", "why"],
        ),
    ]


def thresholds_page(records: Sequence[Json], made: str, _: Path) -> list[str]:
    """The lines of the page of detection thresholds: how small an error is seen, by class, dtype and quantity."""
    columns = list(dict.fromkeys((record["quantity"], record["dtype"]) for record in records))
    found = {(record["target"], record["quantity"], record["dtype"]): record for record in records}

    def told(target: str, quantity: str, dtype: str) -> str:
        if (record := found.get((target, quantity, dtype))) is None:
            return ""
        ulps = "not seen" if record["ulps"] is None else f"{record['ulps']:.2g}"
        return ulps if record["passed"] else f"{ulps}, **accuses {' and '.join(record['accused'])}**"

    targets = dict.fromkeys(record["target"] for record in records)
    rows = [(target, *(told(target, *column) for column in columns)) for target in targets]
    first = records[0]
    return [
        "# Detection thresholds",
        "",
        made,
        "",
        f"Everything that {framework(first['framework']).title} computes in one quantity is multiplied by 1 + e. The "
        f"smallest that is seen among {first['examples']} examples is here, in units in the last place of 1: powers of "
        "the square root of two from 1/2 to 256 were tried. Of optimizers the updated parameters are scaled. What is "
        "computed without rounding is seen at once.",
        "",
        *rows_of(rows, ["class", *(f"{quantity}, {dtype}" for quantity, dtype in columns)]),
    ]


def _in_order(records: Sequence[Json], keys: Sequence[str]) -> list[Json]:
    """The records in the order of `keys`, not in that in which workers ended; unknown ones come last."""
    place = {key: index for index, key in enumerate(keys)}
    return sorted(records, key=lambda record: place.get(record["key"], len(place)))


def _difference(record: Json) -> list[str]:
    sizes = [(word, record[term]) for word, term in (("apart", "naive"), ("mapped", "mapped"))]
    measured = "not measured"
    if record["measured"]:
        measured = ", ".join(f"{word} {'not finite' if size is None else f'{size:.3g}'}" for word, size in sizes)
    if record["passed"] is False:
        measured = f"**not as stated**: {measured}"
    rows = [*record["does"].items(), ("mapping", record["mapping"])]
    rows += [("versions", f"`{record['when']}`")] if record["when"] else []
    rows += [("measured", measured), ("sources", ", ".join(f"<{source}>" for source in record["sources"]))]
    return [f"### {record['key']}", "", record["title"], "", *rows_of(rows, ["", ""])]


def defects_page(records: Sequence[Json], made: str, _: Path) -> list[str]:
    """The lines of the gallery of planted defects: on which rung the ladder caught each, and how the baseline did."""
    records = _in_order(records, [defect.name for defect in gallery()])
    counted = caught_by(records)
    beside = {OUTPUT: "output", GRADIENT: "gradient", STEP: "parameters"}  # what the baseline compares there
    summary: list[tuple[object, ...]] = [
        (
            f"{title} (rung {rung})",
            counted["ladder"].get(f"rung {rung}", 0),
            counted["baseline"].get(beside[rung], 0) if rung in beside else "not done",
        )
        for rung, title in RUNGS.items()
    ]
    summary += [("nobody", *(counted[way].get("nobody", 0) for way in ("ladder", "baseline")))]
    rows = [
        (
            f"{record['title']} (`{record['key']}`)",
            record["target"],
            record["rung"] if record["passed"] else "**nobody**",
            record["examples"],
            "not tried" if record["baseline"] is None else record["baseline"].get("by") or "**nobody**",
        )
        for record in records
    ]
    return [
        "# Planted defects",
        "",
        f"{made} {len(records)} mistakes that one could really make are planted, one at a time, and run up the ladder; "
        "an undamaged layer in the same harness must pass. The baseline is what layers are commonly tested with: "
        "normal inputs from one seed, a `sum()` loss, `torch.testing.assert_close` with its defaults on output and "
        "gradients, and on the parameters after ten steps of SGD. It starts from parity's own shared weights and "
        "masks, so what it misses is due to what is fed and compared.",
        "",
        *rows_of(summary, ["caught by", "ladder", "baseline"]),
        "",
        "## Defect by defect",
        "",
        *rows_of(rows, ["defect", "planted in", "caught on rung", "after examples", "baseline"]),
    ]


def rows_of(rows: Iterable[Sequence[object]], columns: Sequence[str]) -> list[str]:
    """The lines of a Markdown table with these columns and rows."""
    escaped = ([str(cell).replace("|", "\\|") for cell in row] for row in rows)
    return [f"| {' | '.join(row)} |" for row in (columns, ["---"] * len(columns), *escaped)]


def table(records: Mapping[str, Json]) -> list[str]:
    """The lines of the overview's table: what each experiment must show, and what each implementation showed."""
    rows = []
    for name, entry in EXPERIMENTS.items():
        found = (records.get(f"{name}/{implementation}") for implementation in implementations())
        cells = [MARKS[record["passed"]] + record["summary"] if record else "not run" for record in found]
        rows.append([f"`{name}`: {entry.title}", entry.requirement, *cells, entry.yardstick])
    return rows_of(
        rows, ["experiment", "must show", *(framework(name).title for name in implementations()), "to compare with"]
    )


def effects(found: Sequence[Json]) -> list[str]:
    """The lines on what each factor does to the accuracy, by each implementation: a paragraph and a table."""
    found = [record for record in found if record["effects"]]
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
    return ["", text, "", *rows_of(rows, ["factor", *(framework(record["implementation"]).title for record in found)])]


def effect_in_points(effect: Json) -> str:
    low, high = (100 * limit for limit in effect["interval"])
    return f"{100 * effect['estimate']:+.2f} ({low:+.2f} to {high:+.2f}), {effect['conclusion']}"


def tables(found: Sequence[Json]) -> list[str]:
    lines = []
    for record in found:
        for title, each in record["tables"].items():
            rows = [[f"{cell:.4f}" if isinstance(cell, float) else cell for cell in row] for row in each["rows"]]
            name = framework(record["implementation"]).title
            lines += ["", f"{name}, {title}:", "", *rows_of(rows, each["columns"])]
    return lines


def pictures(found: Sequence[Json], folder: Path) -> list[str]:
    files = [file for record in found for file in save(record, folder)]
    return ["", *(f"![{title}]({file})" for title, file in files)] if files else []


def save(record: Json, folder: Path) -> list[tuple[str, str]]:
    """Write a record's pictures to `folder`; returns their titles and file names."""
    saved = []
    for title, uri in record["pictures"].items():
        file = f"{record['key'].replace('/', '-')}.png"
        (folder / file).write_bytes(base64.b64decode(uri.partition(",")[2]))
        saved.append((f"{record['title']}, {record['implementation']}: {title}", file))
    return saved


PAGES = {
    "differences": ("parity check", differences_page),
    "specials": ("parity check", specials_page),
    "defaults": ("parity check", defaults_page),
    "defects": ("parity defects", defects_page),
    "thresholds": ("parity thresholds", thresholds_page),
    "experiments": ("parity experiment all", experiments_page),
}
