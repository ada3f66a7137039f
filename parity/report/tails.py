"""The documentation's page of tails: how many of the first examples of each class are from which.

What is drawn depends on the commit and its lock alone, so that nothing is measured: `python -m parity.report.tails`
draws them, and writes the page.
"""

from __future__ import annotations

from collections.abc import Mapping

from parity.drawing.tails import ODDS
from parity.ladder.proving import tails, targets
from parity.report.pages import rows_of
from parity.results.code import ROOT
from parity.results.packages import stack_name

PAGE = ROOT / "docs" / "pages" / "tails.md"
EXAMPLES, DTYPE = 100, "float32"


def covered() -> dict[str, dict[str, int]]:
    """How many of the first `EXAMPLES` examples of each class are from which tail, by class and tail."""
    return {target.__name__: tails(target, DTYPE, EXAMPLES) for target in targets()}


def page(found: Mapping[str, Mapping[str, int]]) -> str:
    """The page, in Markdown."""
    columns = ["class", *(f"{tail} (1 in {odds})" for tail, odds in ODDS.items())]
    rows = [(f"`{name}`", *(counts[tail] or "" for tail in ODDS)) for name, counts in sorted(found.items())]
    lines = [
        "# Tails of what is drawn",
        "",
        f"Of the first {EXAMPLES} examples of each class, in {DTYPE}, so many are from the tail that the column names: "
        "beyond the small cases that are the rule. Each draw of the kind comes from it once in as many as the heading "
        "says, and a case has several; where a class has no such thing, a column is empty. What is drawn depends on "
        f"the commit and its lock alone ({stack_name()}): `parity examples --tails --examples {EXAMPLES}` counts it "
        "again, and `python -m parity.report.tails` made this page. What each tail is, and why it is drawn so often, "
        "is said in `parity/drawing/tails.py`.",
        "",
        *rows_of(rows, columns),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(covered()), encoding="utf-8")
