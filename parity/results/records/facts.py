"""Records of what is known of the frameworks, and of what the suite can see: refusals, differences, planted defects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from parity.results.records.record import Count, Json, Judged, Measured, Part, Rung, measured

PACKAGES = ("torch", "keras", "tensorflow")  # had a field each in older records of differences
USUAL = "usual"  # what the baseline was called there


@dataclass(frozen=True, kw_only=True)
class RefusalRecord(Judged, kind="refusals", case=True, former=("holds",)):
    """One wrong input or setting, tried on one pair.

    It has passed where all treat it alike or as the table of known refusals says.

    statuses: by implementation, "accepts" or "refuses"
    expected: the statuses of the table, with their `reason`; None where it has no entry, and all should be alike
    messages: the first line of each error, by implementation
    boundary: why statuses that are not as stated may be so with the installed versions
    """

    pair: str
    wrong: str
    statuses: dict[str, str]
    expected: dict[str, str] | None = None
    reason: str | None = None
    messages: dict[str, str] = field(default_factory=dict)
    measured: bool = True
    boundary: str = ""
    message: str = ""

    @staticmethod
    def outcome(stored: Mapping[str, Any]) -> bool | None:
        return measured(stored)


@dataclass(frozen=True, kw_only=True)
class SpecialRecord(Judged, kind="specials", case=True):
    """One special value, such as NaN, in the examples of one class.

    It has passed where it becomes the same kinds of numbers everywhere, or others as the table of deviations says.

    policy: what it spoils in numpynet, in words
    compared: the number of the frameworks' arrays that were compared with numpynet's
    does: by framework, what of numpynet's is what there, or is not compared
    reasons, sources: those of the table's entries
    boundary: why what is not as stated may be so with the installed versions
    message: what is not as stated, or why nothing was compared
    """

    pair: str
    value: str
    policy: str
    compared: Count = 0
    does: dict[str, str] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    boundary: str = ""
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class DifferenceRecord(Judged, kind="differences", case=True, former=("holds", *PACKAGES)):
    """One entry of the catalogue of known differences.

    It has passed where it is real, as predicted, and gone with the mapping.

    does: what each package does, by name
    predicted, naive, mapped: the largest distance between implementations: predicted, as they come, after the mapping
    measured: whether it could be measured here; if not, `message` says why
    when: the versions that differ so
    boundary: why an entry that is not as stated may be so with the installed versions
    message: what is not as stated
    """

    topic: str
    title: str
    mapping: str
    does: dict[str, str] = field(default_factory=dict)
    predicted: Measured = None
    naive: Measured = None
    mapped: Measured = None
    measured: bool = True
    when: str = ""
    boundary: str = ""
    message: str = ""
    sources: list[str] = field(default_factory=list)

    @staticmethod
    def outcome(stored: Mapping[str, Any]) -> bool | None:
        return measured(stored)

    @staticmethod
    def reworded(stored: Mapping[str, Any]) -> Json:
        return {"does": {name: stored[name] for name in PACKAGES if stored.get(name)}}


@dataclass(frozen=True, kw_only=True)
class DefaultRecord(Judged, kind="defaults", case=True):
    """The default of one argument of a class. It has passed where the frameworks' are ours, or others as stated.

    ours, theirs: as Python writes them, in our terms; theirs by where they are
    reasons: by package, why its default is another one
    message: what is not as stated
    """

    ours: str
    theirs: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class PromiseRecord(Judged, kind="promises", case=True):
    """A promise of a docstring of numpynet. It has passed where every try came out as promised.

    topic: what it is about, as in `parity.catalogue.promises`
    said: the promise, in the docstring's words
    tried: the number of tries
    message: a line for each that came out otherwise
    """

    topic: str
    said: str
    tried: Count
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class BaselinePart(Part):
    """The baseline's word on whether it caught something, and by which comparison; see `parity.defects.baseline`."""

    caught: bool
    by: str | None = None


@dataclass(frozen=True, kw_only=True)
class DefectRecord(Judged, kind="defects", case=True, former=("caught", USUAL)):
    """One planted defect. It has passed where the ladder caught it.

    target: the class that it is planted in
    source: its family
    rung, quantity: where it was caught
    examples: the number that it took, or that it escaped
    shrunk: the module of the smallest example that shows it
    baseline: what the baseline made of it; None where it was not tried
    """

    title: str
    target: str
    source: str = ""
    rung: Rung | None = None
    quantity: str | None = None
    examples: Count | None = None
    shrunk: str | None = None
    message: str = ""
    baseline: BaselinePart | None = None

    @staticmethod
    def outcome(stored: Mapping[str, Any]) -> bool | None:
        return stored.get("caught")

    @staticmethod
    def reworded(stored: Mapping[str, Any]) -> Json:
        return _of_baseline(stored)


@dataclass(frozen=True, kw_only=True)
class TwinRecord(Judged, kind="twins", case=True, former=(USUAL,)):
    """The undamaged twin of a defect. It has passed where the ladder did not catch it.

    message: the ladder's, where it did
    baseline: what the baseline made of it: what it caught is a false alarm
    """

    message: str = ""
    baseline: BaselinePart | None = None

    @staticmethod
    def reworded(stored: Mapping[str, Any]) -> Json:
        return _of_baseline(stored)


def _of_baseline(stored: Mapping[str, Any]) -> Json:
    return {"baseline": stored[USUAL]} if USUAL in stored else {}


@dataclass(frozen=True, kw_only=True)
class MutantRecord(Judged, kind="mutants", planned=True):
    """One small change of numpynet's source, or of what judges in parity. It has passed where it was killed.

    The ladder kills the former, and the tests of its room the latter.

    module, definition, line: where the change is
    operator, occurrence: which change of cosmic-ray's it is
    diff: the lines that were taken out and put in
    by, rung: what killed it; a test has no rung
    examples: the number of examples, or of tests, that it took, or that it survived
    """

    module: str
    definition: str
    line: Count
    operator: str
    occurrence: Count
    diff: list[str]
    by: str | None = None
    rung: Rung | None = None
    examples: Count = 0


@dataclass(frozen=True, kw_only=True)
class ThresholdRecord(Judged, kind="thresholds", planned=True, untold=None):
    """The smallest error of a framework that is seen in one quantity of one class and dtype.

    It has passed where nobody else is accused of it.

    target, dtype, quantity: what is scaled
    framework: whose
    ulps: the error, in units in the last place of 1 times the value; None where the largest that was tried is not seen
    examples, seed: among which examples it is seen
    seen_in: the module of the one in which it is
    accused: who is named there
    code: the digest of the code that it was measured by
    packages, processor: those of a record that is kept with the code, see `parity.results.evidence`
    """

    target: str
    dtype: str
    quantity: str
    framework: str
    examples: Count
    seed: int
    ulps: Measured = None
    seen_in: str = ""
    accused: list[str] = field(default_factory=list)
    code: str = ""
    packages: str = ""
    processor: str = ""
