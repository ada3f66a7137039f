"""What records of all kinds have in common: the base classes, and the types that their fields are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias

from pydantic import ConfigDict, Field

SCHEMA: Final = 1
CRASHED = "crashed"  # the status of a record that stands for what could not be done

Json: TypeAlias = dict[str, Any]  # an object of JSON, as a line of the store has it
Count: TypeAlias = Annotated[int, Field(ge=0)]
Rung: TypeAlias = Annotated[int, Field(ge=1, le=5)]
# The store has no NaN and no infinity: a number that may be one may be None.
Measured: TypeAlias = float | None
Share: TypeAlias = Annotated[float, Field(ge=0)] | None  # of an allowance; None is infinite
Probability: TypeAlias = Annotated[float, Field(ge=0, le=1)] | None
Series: TypeAlias = Sequence[Measured]
Shares: TypeAlias = Mapping[str, Share]  # each by the name of what used it
STRICT = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True, kw_only=True)
class Part:
    """An object within a record, with fields of its own."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, kw_only=True)
class Record:
    """One record of the store; fields that have a default are those that older records may lack.

    A class says what is so of all records of its kind, in capitals:

    KIND: the kind's name
    CASE: whether each record is one thing that was looked at
    PLANNED: whether the commands plan such records before they make them
    UNTOLD: the fields that the report has no use for; None where it tells nothing of the kind
    FORMER: fields that older records have, and these no longer

    schema: the version of the form in which records are written
    key: names the record among those of its kind; a later one of the same key takes its place
    plan: the key of the plan that it was made for, see `parity.results.planning`; empty where there was none
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    KIND: ClassVar[str] = ""
    CASE: ClassVar[bool] = False
    PLANNED: ClassVar[bool] = False
    UNTOLD: ClassVar[frozenset[str] | None] = frozenset()
    FORMER: ClassVar[frozenset[str]] = frozenset()

    schema: Literal[1] = SCHEMA
    key: str
    plan: str = ""

    def __init_subclass__(
        cls,
        kind: str = "",
        case: bool = False,
        planned: bool = False,
        untold: Iterable[str] | None = (),
        former: Iterable[str] = (),
    ) -> None:
        cls.KIND, cls.CASE, cls.PLANNED = kind, case, planned or case
        cls.UNTOLD = None if untold is None else frozenset(untold)
        cls.FORMER = frozenset(former)

    @staticmethod
    def reworded(stored: Mapping[str, Any]) -> Json:
        """The fields of today that a record from before they were stored tells in its former ones."""
        return {}


@dataclass(frozen=True, kw_only=True)
class Judged(Record):
    """A record of something that either is as it should be or is not.

    passed: which of the two; None where it was not looked at, or could not be measured
    """

    passed: bool | None

    @staticmethod
    def outcome(stored: Mapping[str, Any]) -> bool | None:
        """Returns what `passed` is of a record from before it was stored, by the fields that told it then."""
        raise NotImplementedError


def measured(stored: Mapping[str, Any]) -> bool | None:
    """The outcome of a record that said `holds`, and perhaps whether it was `measured`."""
    return stored.get("holds") if stored.get("measured", True) else None
