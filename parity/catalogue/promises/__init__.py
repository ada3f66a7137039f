"""What numpynet's docstrings promise besides the numbers that rungs 1 to 3 compare, kept to its word.

One module for each topic: the limits of arguments, what calls take together, first weights, schedules, and what every
module says of itself. In each, `promises` yields what it tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

from parity.catalogue.promises import initializers, inputs, limits, modules, schedules
from parity.catalogue.promises.promise import Promise

TOPICS: dict[str, ModuleType] = {topic.TOPIC: topic for topic in (limits, inputs, initializers, schedules, modules)}


def promises(topic: str, frameworks: list[str]) -> Iterator[Promise]:
    """Yields the promises of a topic, each after it was tried."""
    yield from TOPICS[topic].promises(frameworks)
