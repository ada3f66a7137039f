"""The cost of the suite: wall time of rungs 1 to 3 against the time inside the three implementations' own calls.

python -m benchmarks.ladder EXAMPLES
"""

from __future__ import annotations

import json
import sys
from typing import Any

from parity.formats import DTYPES
from parity.ladder.proving import prove, targets
from parity.starting import lighten


def measure(examples: int) -> dict[str, Any]:
    """The seconds of every pair in both dtypes, and their totals.

    Two examples before each pay for imports, once in a process, which starts as those of a check do. Raises
    AssertionError where a pair fails.
    """
    lighten()
    pairs: dict[str, dict[str, float]] = {}
    for target in targets():
        for dtype in DTYPES:
            prove(target, dtype, examples=2)
            report = prove(target, dtype, examples=examples)
            if report.failure is not None:
                raise AssertionError(report.failure)
            pairs[report.key] = {
                "examples": report.examples,
                "wall": report.seconds,
                "inside": report.seconds_inside,
                "ratio": report.seconds / report.seconds_inside,
            }
    examples_run, wall, inside = (sum(pair[name] for pair in pairs.values()) for name in ("examples", "wall", "inside"))
    total = {"examples": examples_run, "wall": wall, "inside": inside, "ratio": wall / inside}
    return {"pairs": pairs, "total": total, "examples_per_second": examples_run / wall}


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
