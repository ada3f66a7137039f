"""The history of each class over several stacks."""

from __future__ import annotations

from collections.abc import Sequence

from parity.drift.document import Cell, HistoryRow, Step
from parity.drift.verdict import largest

Class = tuple[str, str]  # implementation and numpynet's class


def history(steps: Sequence[Step], compared: Sequence[frozenset[Class]]) -> tuple[list[HistoryRow], int]:
    """A row for each class and implementation that changed in any step, and the number of those that never did.

    `compared` are those that were compared in each step.
    """
    everything = sorted(frozenset().union(*compared))
    rows = [
        HistoryRow(
            of=of,
            pair=pair,
            cells=[_cell(step, of, pair, (of, pair) in of_step) for step, of_step in zip(steps, compared, strict=True)],
        )
        for of, pair in everything
    ]
    changed = [row for row in rows if any(cell.moved or cell.behaviour for cell in row.cells)]
    return changed, len(rows) - len(changed)


def _cell(step: Step, of: str, pair: str, compared: bool) -> Cell:
    moves = [move for move in step.numbers if (move.of, move.pair) == (of, pair)]
    behaviour = [each for each in step.behaviour if each.of == of and each.key.partition("/")[0] == pair]
    return Cell(
        compared=compared,
        moved=sum(move.moved for move in moves),
        ulps=largest(moves),
        beyond=any(move.beyond for move in moves),
        behaviour=len(behaviour),
    )
