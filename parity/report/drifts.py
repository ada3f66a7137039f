"""The documentation's page of drift: every step that was measured, what changed in it, and who says so.

It is drawn from what `parity drift --keep` has kept; `python -m parity.report.drifts` writes it anew after a change of
the sources.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from parity.drift.document import Change, Move, Step, Versions
from parity.drift.history import history
from parity.drift.sources import Claim, claims, fits, name_of, told, within
from parity.drift.verdict import counted, largest
from parity.report.drift import appeared, heat, ulp
from parity.report.pages import rows_of
from parity.results.code import ROOT
from parity.results.conditions import numbers, public
from parity.results.store import number_of, plain

KEPT, PAGE = ROOT / "parity" / "results" / "drift.json", ROOT / "docs" / "pages" / "drift.md"
NO_SOURCE = "no source found"
Row = Change | Move
AnyRow = TypeVar("AnyRow", Change, Move)


def keep(steps: Sequence[Step]) -> list[Path]:
    """Write these steps beside those that were kept, in place of those of their title, and the page; returns both.

    What was bisected before, and is not now, keeps the releases that were found.
    """
    found = {step.title: step for step in kept()}
    for step in map(_bare, steps):
        found[step.title] = _with_releases(step, found.get(step.title, step))
    text = json.dumps([plain(step) for step in sorted(found.values(), key=_order)], indent=None, allow_nan=False)
    KEPT.write_text(text.replace('}, {"before": ', '},\n{"before": ') + "\n", encoding="utf-8")
    return [KEPT, write()]


def kept() -> list[Step]:
    """The steps that were kept, package by package."""
    return TypeAdapter(list[Step]).validate_json(KEPT.read_text("utf-8")) if KEPT.exists() else []


def _bare(step: Step) -> Step:
    """The step without what a page says nothing of: scripts and elements, other packages, and where records lie.

    The page looks up anew who says that something changed; the catalogue's own addresses say what differs.
    """
    return replace(
        step,
        behaviour=[replace(each, sources=[]) for each in step.behaviour],
        numbers=[replace(each, script="", element=[], before=0.0, after=0.0, sources=[]) for each in step.numbers],
        others=[],
        missing=[replace(each, keys=[]) for each in step.missing],
    )


def _with_releases(step: Step, before: Step) -> Step:
    """The step with the releases of its changes, where they are not known, as it had them before."""
    known = {_exactly(change): change.releases for change in before.behaviour}
    known |= {_exactly(move): move.releases for move in before.numbers}

    def told_of(rows: Sequence[AnyRow]) -> list[AnyRow]:
        return [replace(row, releases=row.releases or known.get(_exactly(row), [])) for row in rows]

    return replace(step, behaviour=told_of(step.behaviour), numbers=told_of(step.numbers))


def _exactly(row: Row) -> tuple[str, str]:
    """What a change is called, with its format."""
    return name_of(row), row.dtype if isinstance(row, Move) else ""


def _order(step: Step) -> tuple[object, ...]:
    first = step.packages[0] if step.packages else Versions(name="", before="", after="")
    return first.name, len(step.packages), numbers(first.after)


def write() -> Path:
    PAGE.write_text(page(kept()), encoding="utf-8")
    return PAGE


def page(steps: Sequence[Step]) -> str:
    """The page, in Markdown."""
    rows = [(step, row) for step in steps for row in _rows(step) if not _in_narrower(row, step, steps)]
    lines = [
        "# Drift",
        "",
        "What changed from release to release, measured by `parity fingerprint`, `parity check --examples 10`, "
        "`parity modes`, `parity curves` and `parity study digits-quick`, and kept by `parity drift --keep`, over "
        f"{len({each for step in steps for each in (step.before, step.after)})} stacks, one package at a time; the "
        "others are those of the stack `current`, unless a step says so. What was not measured of a step is named as "
        "missing. Moves are in units in the last place of the tensor's largest value, by three examples of each class "
        "and dtype, on one machine and one thread. Better and worse are told by the computation in the next wider "
        "format.",
        "",
        "## Step by step",
        "",
        *rows_of([(step.title, step.status, step.details) for step in steps], ["step", "verdict", "what it rests on"]),
        "",
        "## Change by change",
        "",
        f"{len(rows)} changes; what is harmless (a parameter more with a default, a warning less) is left out. A "
        "release is the first that has the change where it was looked for, else the step in which it lies. What is "
        "alike in many classes is one row.",
        "",
        *rows_of(_table(rows), ["package", "release", "what", "figure", "source"]),
        "",
        "## What was known before",
        "",
        *rows_of(map(_claimed, claims(), [steps] * len(claims())), ["step", "known", "found"]),
    ]
    for package in dict.fromkeys(step.packages[0].name for step in steps if len(step.packages) == 1):
        lines += ["", f"## History by {package}", "", *_history(package, steps)]
    return "\n".join(lines) + "\n"


def _rows(step: Step) -> list[Row]:
    """The changes of a step that are not harmless, with the sources that are known today."""
    changes: list[Row] = [told(row, step.packages) for row in counted(step)]
    return [*changes, *(told(row, step.packages) for row in step.numbers)]


def _narrower(step: Step, steps: Iterable[Step]) -> list[Step]:
    """The other steps of the one package that changed, which lie within this one."""
    if len(step.packages) != 1:
        return []
    here = step.packages[0]
    return [each for each in steps if len(each.packages) == 1 and each != step and within(each.packages[0], here)]


def _in_narrower(row: Row, step: Step, steps: Iterable[Step]) -> bool:
    """Tells whether a step that lies within this one has the change, too."""
    return any(name_of(row) == name_of(each) for inner in _narrower(step, steps) for each in _rows(inner))


def _table(rows: Iterable[tuple[Step, Row]]) -> Iterator[tuple[str, ...]]:
    """A row of the table for all changes that are alike but for their class."""
    grouped: dict[tuple[str, ...], list[str]] = {}
    for step, row in rows:
        release = appeared(map(asdict, row.releases)) or step.title
        package = " or ".join(row.suspects) or "none"
        of, what, figure = _said(row)
        source = ", ".join(f"<{url}>" for url in row.sources) or NO_SOURCE
        grouped.setdefault((package, release, what, figure, source), []).append(of)
    for (package, release, what, figure, source), classes in grouped.items():
        yield package, release, f"{', '.join(dict.fromkeys(classes))}: {what}", figure, source


def _said(row: Row) -> tuple[str, str, str]:
    """Of what a row is, what changed, and the figure."""
    if isinstance(row, Move):
        size = "rounding of 0 alone" if row.rounding == row.moved else f"{ulp(row.ulps)} ulp"
        error = f"{row.reference}, error {ulp(row.error_before)} → {ulp(row.error_after)}"
        tensor = row.tensor.partition(", ")[2]  # without the example's number
        return (
            row.pair,
            f"{row.of}, {row.dtype}, most in {tensor}",
            f"{size} ({row.moved} of {row.tensors} tensors); {error}",
        )
    became = f"{row.before or 'none'} → {row.after or 'none'}"
    of, _, what = row.key.partition("/")
    return of, f"{what} ({row.kind})" if what else row.kind, became


def _claimed(claim: Claim, steps: Iterable[Step]) -> tuple[str, str, str]:
    """What was known, and what was found of it between the two releases."""
    ends = Versions(name=claim.package, before=claim.before, after=claim.after)
    inside = [step for step in steps if len(step.packages) == 1 and within(step.packages[0], ends)]
    known = [row for step in steps for row in _rows(step) if step in inside or _found_within(row, ends)]
    rows = [row for row in known if fits(row, claim.rows)]
    moves = [row for row in rows if isinstance(row, Move) and row.dtype == "float32"]  # as all that was known
    figures = [f"{ulp(largest(moves))} ulp at most, in {_most(moves)}"] if moves else []
    figures += [" ".join(_said(row)) for row in rows if not isinstance(row, Move)]
    found = "; ".join(dict.fromkeys(figures)) or ("nothing of it moved" if inside else "not measured")
    told = f"{found}: {claim.why}" if claim.why else found
    return f"{claim.package} {claim.before} to {claim.after}", claim.text, told


def _found_within(row: Row, ends: Versions) -> bool:
    return bool(row.releases) and all(within(place, ends) for place in row.releases)


def _most(moves: Iterable[Move]) -> str:
    """The class and tensor that moved most."""
    most = max(moves, key=lambda move: number_of(move.ulps))
    return f"{most.pair}'s {most.tensor.partition(', ')[2]} ({most.dtype})"


def _history(package: str, steps: Sequence[Step]) -> list[str]:
    """A table with a row for each class that changed, and a column for each step of one package."""
    of_one = [step for step in steps if [each.name for each in step.packages] == [package]]
    mine = [step for step in of_one if not _narrower(step, steps)]
    everything = frozenset((row.of, row.pair) for step in mine for row in step.numbers)
    everything |= {(row.of, row.key.partition("/")[0]) for step in mine for row in counted(step)}
    found, _ = history([replace(step, behaviour=counted(step)) for step in mine], [everything] * len(mine))
    if not found:
        return ["Nothing changed in any step."]
    marks = {"different": "**", "inconclusive": "*", "partial": "", "held": ""}
    rows = []
    for each in found:
        cells = []
        for cell in each.cells:
            mark = marks[heat(plain(cell))]
            text = " ".join(filter(None, (ulp(number_of(cell.ulps)) if cell.moved else "", "B" * bool(cell.behaviour))))
            cells.append(f"{mark}{text}{mark}" if text else "")
        rows.append((each.pair, each.of, *cells))
    return [
        "The largest move of each class; bold with B: it behaves otherwise, or leaves its allowance. Empty: not a bit.",
        "",
        *rows_of(
            rows,
            [
                "class",
                "of",
                *(f"{public(step.packages[0].before)} → {public(step.packages[0].after)}" for step in mine),
            ],
        ),
    ]


if __name__ == "__main__":
    write()
