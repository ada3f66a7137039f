"""SciPy's parts and statsmodels, imported when something of them is first used: that takes a second.

Most processes that know of a verdict compute none: a report shows one, and a study that is not at its end has none.
"""

from __future__ import annotations

from typing import Any

from parity.discovery import Lazy

integrate: Any = Lazy("scipy.integrate")
optimize: Any = Lazy("scipy.optimize")
special: Any = Lazy("scipy.special")
stats: Any = Lazy("scipy.stats")
multitest: Any = Lazy("statsmodels.stats.multitest")
