"""Whether the ladder sees a mutant: all that `parity check` looks at of every class that its module reaches."""

from __future__ import annotations

import functools
import signal
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from parity.catalogue.defaults import DEFAULTS
from parity.catalogue.promises import TOPICS, promises
from parity.catalogue.refusal import refusals
from parity.catalogue.special import specials
from parity.derivatives.proving import check_derivatives
from parity.formats import DTYPES
from parity.ladder.proving import prove, targets
from parity.mutants.mutant import Mutant
from parity.mutants.planting import planted
from parity.results.code import reachable

SECONDS = 120  # a mutant that takes longer does not end: a loop without its step
FEW, EXAMPLES = 5, 100  # nearly all are killed by the first few examples: those of every class come first


class TooLong(Exception):
    """Raised in a mutant that does not end."""


@dataclass(frozen=True)
class Death:
    """The killer of a mutant: the pair and what was looked at of it, or what the change raised; None if it survived.

    `examples` is the number that was looked at until then.
    """

    by: str | None
    rung: int | None = None
    examples: int = 0


def killed(mutant: Mutant, frameworks: list[str]) -> Death:
    """Plant the mutant, and look with a few examples of every class that its module reaches, then with many."""
    looked = 0
    try:
        with at_most(SECONDS), planted(mutant):
            for examples in (FEW, EXAMPLES):
                for target in reached(mutant.module):
                    name = target.__name__
                    for dtype in DTYPES:
                        report = prove(target, dtype, examples=examples, frameworks=frameworks, shrink=False)
                        looked += report.examples
                        if not report.passed:
                            return Death(report.key, report.failed_rung, looked)
                    derivative = check_derivatives(target, examples=examples, shrink=False)
                    looked += derivative.examples
                    if not derivative.passed:
                        return Death(f"{name}/derivatives", None, looked)
                    if examples == FEW and any(tried.passed is False for tried in refusals(target, frameworks)):
                        return Death(f"{name}/refusals", None, looked)
                    if examples == FEW and any(each.passed is False for each in specials(target, frameworks)):
                        return Death(f"{name}/specials", None, looked)
                    if examples == FEW and any(default.wrong() for default in DEFAULTS if default.of is target):
                        return Death(f"{name}/defaults", None, looked)
                if examples == FEW and (broken := _broken(frameworks)):
                    return Death(broken, None, looked)
    except Exception as error:  # it cannot even be imported or drawn
        return Death(type(error).__name__, None, looked)
    return Death(None, None, looked)


def _broken(frameworks: list[str]) -> str:
    """The key of the first promise that is broken; empty where all are kept."""
    for topic in TOPICS:
        for promise in promises(topic, frameworks):
            if not promise.passed:
                return promise.as_record().key
    return ""


@functools.cache
def reached(module: str) -> list[type]:
    """The classes with a pair that are in the module, then those whose modules import it, however indirectly."""
    own = [target for target in targets() if target.__module__ == module]
    # The package itself imports all of its modules: what reaches one through it alone uses none of it.
    through = frozenset({"numpynet"})
    others = [each for each in targets() if each not in own and module in reachable([each.__module__], but=through)]
    return own + others


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """A context in which `TooLong` is raised after so many seconds; in the main thread of a process alone."""

    def ring(_: int, frame: types.FrameType | None) -> None:
        raise TooLong(f"after {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    # And again each second after that: what is raised while garbage is collected, Python drops.
    signal.setitimer(signal.ITIMER_REAL, seconds, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
