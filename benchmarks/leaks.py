"""The memory that judging example after example leaves behind: its slope, with an interval.

python -m benchmarks.leaks EXAMPLES
"""

from __future__ import annotations

import gc
import json
import sys
from typing import Any

import numpy as np
import psutil
from scipy import stats

from numpynet import Adam, Conv2d, Graph, Linear, Sequential
from parity.ladder.proving import prove
from parity.work.memory import forgetting

PAIRS = (Linear, Conv2d, Adam, Sequential, Graph)
BLOCK = 50  # examples of a pair at a time
WARM = 0.2  # of the examples, for caches to fill


def measure(examples: int) -> dict[str, Any]:
    """Kilobytes an example: Theil's and Sen's slope of resident memory over examples, and its 95% interval.

    Theil 1950, Sen 1968: the median of the slopes of all pairs of points, which a single jump does not move.
    """
    process, done, points = psutil.Process(), 0, list[tuple[int, float]]()
    proved = forgetting()(prove)
    block = 0
    while done < examples:
        for target in PAIRS:
            report = proved(target, examples=BLOCK, random_seed=block)
            if report.failure is not None:
                raise AssertionError(report.failure)
            done += report.examples
        block += 1
        gc.collect()
        points.append((done, process.memory_info().rss / 1e3))
    kept = np.array([point for point in points if point[0] >= WARM * examples])
    slope, _, low, high = stats.theilslopes(kept[:, 1], kept[:, 0], 0.95)
    return {
        "examples": done,
        "megabytes": [kilobytes / 1e3 for _, kilobytes in (points[0], points[-1])],
        "kilobytes an example": {"slope": float(slope), "low": float(low), "high": float(high)},
    }


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
