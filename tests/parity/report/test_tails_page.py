"""The page of tails has every class and every tail, drawn as often as it says."""

from __future__ import annotations

from parity.drawing.tails import ODDS
from parity.ladder.proving import tails, targets
from parity.report.tails import DTYPE, EXAMPLES, PAGE, page


def test_the_page_has_a_row_for_each_class_and_a_column_for_each_tail_at_its_odds() -> None:
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("|")]
    table = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert table[0] == ["class", *(f"{tail} (1 in {odds})" for tail, odds in ODDS.items())]
    assert [row[0] for row in table[2:]] == [f"`{name}`" for name in sorted(target.__name__ for target in targets())]


def test_its_numbers_are_those_of_the_examples() -> None:
    relu = next(target for target in targets() if target.__name__ == "ReLU")
    row = next(line for line in page({"ReLU": tails(relu, DTYPE, EXAMPLES)}).splitlines() if "`ReLU`" in line)
    assert row in PAGE.read_text("utf-8").splitlines(), "python -m parity.report.tails writes the page anew"
