"""Whether the ladder sees a mutant: all that `parity check` looks at of every class that its module reaches."""

from __future__ import annotations

import functools
import signal
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

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

SECONDS = 120  # of computing: a class of a mutant that takes longer does not end, by a loop without its step
FEW, EXAMPLES = 5, 100  # nearly all are killed by the first few examples: those of every class come first


class TooLong(BaseException):
    """Raised in a mutant that does not end; it is no Exception, which whoever judges an example would take for its."""


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
        with planted(mutant):
            for examples in (FEW, EXAMPLES):
                for target in reached(mutant.module):
                    with at_most(SECONDS):
                        death = _killed_by(target, frameworks, examples)
                    looked += death.examples
                    if death.by is not None:
                        return replace(death, examples=looked)
                if examples == FEW:
                    with at_most(SECONDS):
                        broken = _broken(frameworks)
                    if broken:
                        return Death(broken, None, looked)
    except (Exception, TooLong) as error:  # it cannot even be imported or drawn, or does not end
        return Death(type(error).__name__, None, looked)
    return Death(None, None, looked)


def _killed_by(target: type, frameworks: list[str], examples: int) -> Death:
    """Look with so many examples of a class and, if these are few, at all else that is said of it."""
    name, looked = target.__name__, 0
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
    homes = {home for home in {each.__module__ for each in targets()} if module in reachable([home], but=through)}
    return own + [each for each in targets() if each not in own and each.__module__ in homes]


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """A context in which `TooLong` is raised after so many seconds of computing, in the main thread of a process alone.

    Who waits for a busy machine is not late: a survivor takes minutes, and would be counted as killed.
    """

    def ring(_: int, frame: types.FrameType | None) -> None:
        raise TooLong(f"after {seconds} s")

    before = signal.signal(signal.SIGPROF, ring)
    # And again each second after that: what is raised while garbage is collected, Python drops.
    signal.setitimer(signal.ITIMER_PROF, seconds, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
