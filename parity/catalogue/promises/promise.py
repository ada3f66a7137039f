"""A promise of a docstring of numpynet, and what came of keeping it to its word."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parity.results.records.facts import PromiseRecord


@dataclass(frozen=True)
class Promise:
    """A promise, how often it was tried, and the tries that came out otherwise, a line each.

    topic: the file of this package that tries it
    """

    topic: str
    key: str
    said: str
    tried: int
    broken: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Tells whether every try came out as promised; what was never tried is not kept."""
        return self.tried > 0 and not self.broken

    def as_record(self) -> PromiseRecord:
        """The promise as a record of the results store."""
        message = "\n".join(self.broken) or ("" if self.tried else "nothing was tried")
        return PromiseRecord(
            key=f"{self.topic}/{self.key}",
            passed=self.passed,
            topic=self.topic,
            said=self.said,
            tried=self.tried,
            message=message,
        )


def judged(topic: str, key: str, said: str, lines: Sequence[str]) -> Promise:
    """The promise, of which each try left a line on what came out otherwise; an empty one where nothing did."""
    return Promise(topic, key, said, len(lines), [line for line in lines if line])


@dataclass(frozen=True)
class Try:
    """A call that must be accepted or, with a ValueError that names what refuses, be refused.

    names: what the error must name; None for a wrong type, where Python's TypeError will do as well
    """

    what: str
    call: Callable[[], Any]
    refused: bool
    names: str | None = None

    def wrong(self) -> str:
        """A line on what came out otherwise; empty where it is as it must be."""
        said = ""
        try:
            with np.errstate(all="ignore"):
                self.call()
        except (ValueError, TypeError) as error:
            if not self.refused:
                said = f"is refused: {type(error).__name__}: {error}"
            elif self.names is not None and not (isinstance(error, ValueError) and self.names in str(error)):
                said = f"is refused by {type(error).__name__}, which does not name {self.names}: {error}"
        except Exception as error:  # whatever else is raised was not promised
            said = f"raises {type(error).__name__}: {error}"
        else:
            said = "is accepted" if self.refused else ""
        return f"{self.what} {said}" if said else ""


def kept(topic: str, key: str, said: str, tries: Iterable[Try]) -> Promise:
    """The promise, after all its tries."""
    return judged(topic, key, said, [each.wrong() for each in tries])
