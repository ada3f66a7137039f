"""The documentation's page of mutants: the score of every module, and every survivor with its reason.

It is drawn from what `parity mutants --keep` has measured; `python -m parity.report.mutants` writes it anew after a
change of the reasons.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from parity.mutants.modules import Of
from parity.mutants.reasons import Reason, reason_of
from parity.report.pages import rows_of
from parity.results.code import ROOT
from parity.results.planning import KIND as PLANS
from parity.results.records import Json
from parity.results.records.facts import MutantRecord
from parity.results.store import Results

KEPT, PAGE = ROOT / "parity" / "results" / "mutants.json", ROOT / "docs" / "pages" / "mutants.md"
TITLES = {Of.NUMPYNET: "numpynet, by the ladder alone", Of.JUDGEMENT: "parity's judgement, by its tests"}
UNKNOWN = "no reason is known yet"


def keep(of: Of, store: Results, records: Sequence[Json], left_out: int, asked: str) -> list[Path]:
    """Write what these records say in place of what was kept of the kind, and the page; returns both paths.

    left_out: the number of mutants that do not count
    asked: the arguments of the command that made the records
    """
    plans = {plan["key"]: plan["commit"][:7] for plan in store.read(PLANS)}
    made_for = {record["key"]: record["plan"] for record in store.read(MutantRecord.KIND)}
    outcomes = Counter((record["module"], record["passed"]) for record in records)
    measured = {
        "asked": asked,
        "stack": store.stack,
        "commits": sorted({plans.get(made_for[record["key"]], "") for record in records} - {""}),
        "left_out": left_out,
        "modules": {
            name: {"killed": outcomes[name, True], "survived": outcomes[name, False]}
            for name in sorted({module for module, _ in outcomes})
        },
        "survivors": [
            {name: record[name] for name in ("module", "definition", "diff")}
            for record in sorted(records, key=lambda record: (record["module"], record["line"], record["key"]))
            if record["passed"] is False
        ],
    }
    KEPT.write_text(json.dumps(kept() | {of.value: measured}, indent=1) + "\n", encoding="utf-8")
    return [KEPT, write()]


def kept() -> Json:
    """Returns what was measured last, by what was changed."""
    return dict(json.loads(KEPT.read_text("utf-8"))) if KEPT.exists() else {}


def write() -> Path:
    PAGE.write_text(page(kept()), encoding="utf-8")
    return PAGE


def page(measured: Mapping[str, Json]) -> str:
    """The page, in Markdown."""
    lines = [
        "# Mutants",
        "",
        "A mutant is the source with one small change: one operator, number, comparison or keyword is another one, by "
        "every operator of cosmic-ray that needs no name. A suite that is green with it looks away. Mutants of "
        "numpynet must be killed by the ladder alone, without any test of ours: rungs 1 to 3, derivatives, refusals, "
        "defaults and promises of docstrings. Mutants of parity's judgement (allowances, the ladder, statistics, "
        "studies) must be killed by the tests of their rooms and of `tests/meta`. One is equivalent where no program "
        "could tell it from what it was made of.",
    ]
    for of in Of:
        if of.value in measured:
            lines += ["", f"## {TITLES[of]}", "", *_section(measured[of.value])]
    return "\n".join(lines) + "\n"


def _section(measured: Json) -> Iterator[str]:
    survivors = [(each, reason_of(each["module"], each["diff"])) for each in measured["survivors"]]
    dead = sum(each["killed"] for each in measured["modules"].values())
    same = sum(reason is not None and reason.equivalent for _, reason in survivors)
    yield (
        f"Measured with {measured['stack']} by `nox -s mutants -- {measured['asked']}`, code of "
        f"{', '.join(measured['commits'])}: **{dead} of {dead + len(survivors)} were killed; of the {len(survivors)} "
        f"survivors {same} are equivalent, so that {dead / (dead + len(survivors) - same):.1%} of the others were "
        f"killed.** {measured['left_out']} more are no Python, or change an annotation."
    )
    rows = [
        (f"`{name}`", each["killed"] + each["survived"], each["killed"], each["survived"])
        for name, each in measured["modules"].items()
    ]
    yield from ("", *rows_of(rows, ["module", "mutants", "killed", "survived"]))
    for survivor, reason in survivors:
        yield from ("", f"### `{survivor['module']}`, {_place(survivor)}", "")
        yield from (
            "```diff",
            *(f"{line[0]} {line[1:].strip()}" for line in survivor["diff"]),
            "```",
            "",
            _said(reason),
        )


def _place(survivor: Json) -> str:
    return f"`{survivor['definition']}`" if survivor["definition"] else "the module itself"


def _said(reason: Reason | None) -> str:
    if reason is None:
        return UNKNOWN.capitalize() + "."
    return ("Equivalent: " if reason.equivalent else "Survives: ") + reason.reason


if __name__ == "__main__":
    write()
