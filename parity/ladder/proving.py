"""The property behind every test: random cases of a pair are judged, counted, and shrunk when they fail."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np

from numpynet import Module
from parity.case import Case
from parity.drawing.examples import Digest
from parity.drawing.tails import ODDS, noting
from parity.formats import DTYPES, format_of
from parity.frameworks import available
from parity.ladder.cases import first_failure, for_all
from parity.ladder.failure import ParityError, Parted, Unjudged, describe
from parity.ladder.judge import Judgement, judge
from parity.ladder.trace import OUTPUT, STEP
from parity.mapping.pair import maps, registry
from parity.results.records.ladder import CheckRecord, UsePart


@dataclass
class Use:
    """The largest share of the allowance that one quantity of one implementation used, and where."""

    implementation: str
    quantity: str
    used: float = 0.0
    module: Module | None = None

    def as_part(self) -> UsePart:
        module = "" if self.module is None else repr(self.module)
        return UsePart(implementation=self.implementation, quantity=self.quantity, used=self.used, module=module)


@dataclass
class Report:
    """The findings of checking one pair in one dtype: examples, time, and the largest share of allowance used.

    examples: how many were judged
    beyond: how many were drawn besides, of which nothing is left to judge: their numbers leave the range at once
    seed: the seed that names the examples
    guided: whether many of them are variations of those that used the largest shares
    digest: a digest of these examples; equal ones mean the same examples
    uses: by implementation and quantity, the largest share of the allowance and where it was
    error: the failure of the shrunk example; None where every example passed; not part of the record
    failed_after: the number of examples drawn until the first that failed
    shares: by implementation and quantity, the largest share of every example; not part of the record
    """

    pair: str
    dtype: str
    frameworks: list[str]
    examples: int = 0
    beyond: int = 0
    seconds: float = 0.0
    seconds_inside: float = 0.0
    uses: dict[str, Use] = field(default_factory=dict)
    failed_after: int | None = None
    seed: int = 0
    guided: bool = False
    digest: str = ""
    error: ParityError | None = None
    shares: dict[str, list[float]] = field(default_factory=dict, repr=False)

    @property
    def key(self) -> str:
        return f"{self.pair}/{self.dtype}"

    @property
    def passed(self) -> bool:
        return self.error is None

    @property
    def failure(self) -> str | None:
        """The failure message; None where every example passed."""
        return None if self.error is None else str(self.error)

    @property
    def failed_rung(self) -> int | None:
        """The rung of the failure."""
        return None if self.error is None else self.error.rung

    @property
    def failed_quantity(self) -> str | None:
        """Returns what was computed where it failed, as `ParityError` says."""
        return None if self.error is None else self.error.quantity

    @property
    def shrunk(self) -> str | None:
        """The module of the shrunk example."""
        return None if self.error is None or self.error.module is None else repr(self.error.module)

    def as_record(self) -> CheckRecord:
        """The report as a record of the results store, without its `shares`; its `error` is told in words."""
        found = {name: value for name, value in vars(self).items() if name not in ("uses", "shares", "error")}
        found |= {name: getattr(self, name) for name in ("failure", "failed_rung", "failed_quantity", "shrunk")}
        uses = [use.as_part() for use in self.uses.values()]
        return CheckRecord(key=self.key, passed=self.passed, uses=uses, **found)

    def count(self, judgement: Judgement) -> None:
        """Count in the judgement of one more example, apart where nothing of it was left to judge."""
        self.examples += not judgement.beyond
        self.beyond += judgement.beyond
        self.seconds_inside += judgement.seconds_inside
        for name, shares in judgement.used.items():
            largest: dict[str, float] = {}
            for tensor, share in shares.items():
                largest[tensor.quantity] = max(share, largest.get(tensor.quantity, 0.0))
            for quantity, share in largest.items():
                use = self.uses.setdefault(f"{name}/{quantity}", Use(name, quantity))
                self.shares.setdefault(f"{name}/{quantity}", []).append(share)
                if share > use.used:
                    use.used, use.module = share, judgement.case.module


def prove(
    target: type,
    dtype: str = "float32",
    *,
    examples: int = 100,
    frameworks: list[str] | None = None,
    random_seed: int | None = None,
    alter: Callable[[Case], Case] | None = None,
    shrink: bool = True,
    up_to_rung: int = STEP,
    guided: bool = False,
) -> Report:
    """Judge `examples` random cases of the pair of `target`, a class, in one dtype; returns a `Report`.

    A case runs in numpynet and in those of `frameworks` (by default the installed ones) that the pair has a counterpart
    in. The first failure is shrunk, on its rung or a lower one, and kept in the report; what fails above `up_to_rung`
    is passed over. `random_seed` names other examples. `alter` gives numpynet another case each time (a planted
    defect); the counterparts stay those of the original. If `guided`, many examples are variations of those that used
    the largest shares so far; a machine that rounds otherwise draws others. Raises LookupError where there is no pair,
    and ValueError for "float64" where longdouble is no wider.
    """
    _ = format_of(np.dtype(dtype)).wider
    report = Report(target.__name__, dtype, mapped(target, available() if frameworks is None else frameworks))
    report.seed, report.guided = random_seed or 0, guided
    digest, largest = Digest(), 0.0

    def look(case: Case, failed: ParityError | None) -> ParityError | None:
        nonlocal largest
        first = failed is None
        if first:
            digest.add(case)
        found: ParityError | None
        try:
            judgement = judge(case, report.frameworks, alter=alter)
            largest = max(map(judgement.most, judgement.used), default=0.0)
            if first:
                report.count(judgement)
            found = None if judgement.passed else Parted(judgement)
        except Exception as error:  # of no implementation: theirs are part of the judgement
            found = Unjudged("judging an example", error, case)
            if first:
                report.examples += 1
        highest = up_to_rung if failed is None else failed.rung
        if found is None or (found.rung or OUTPUT) > (highest or OUTPUT):
            return None
        if first:
            report.failed_after = report.examples + report.beyond
        return found

    start = time.perf_counter()
    report.error = first_failure(
        look,
        target,
        dtype,
        examples=examples,
        random_seed=random_seed,
        shrink=shrink,
        score=(lambda: largest) if guided else None,
    )
    report.seconds = time.perf_counter() - start
    report.digest = str(digest)
    return report


def digests(target: type, dtype: str, counts: Sequence[int], random_seed: int | None = None) -> list[str]:
    """The digests of the first examples of `target`, one for each of the ascending `counts`, without judging them.

    Two results of the same digest rest on the same examples.
    """
    digest, found = Digest(), dict[int, str]()

    def property_(case: Case) -> None:
        digest.add(case)
        found[len(found) + 1] = str(digest)

    for_all(property_, target, dtype, examples=max(counts), random_seed=random_seed)
    return [found[count] for count in counts]


def tails(target: type, dtype: str, examples: int, random_seed: int | None = None) -> dict[str, int]:
    """How many of the first examples of `target` are from each tail of what is drawn, by its name in `ODDS`."""
    found = dict.fromkeys(ODDS, 0)
    with noting() as noted:

        def property_(_: Case) -> None:
            for tail in noted:
                found[tail] += 1
            noted.clear()

        for_all(property_, target, dtype, examples=examples, random_seed=random_seed)
    return found


def mapped(target: type, frameworks: list[str]) -> list[str]:
    """The frameworks, of those given, that the pair of `target` has a counterpart in."""
    return [name for name in frameworks if maps(target, name)]


def check(
    target: type, *, examples: int = 100, dtypes: Iterable[str] = DTYPES, frameworks: list[str] | None = None
) -> None:
    """Prove `target`, a class that has a pair, in each of `dtypes`: one line in a test of your own.

    Raises ParityError for the shrunk example where an implementation leaves its allowance; otherwise as `prove`.
    """
    for dtype in dtypes:
        report = prove(target, dtype, examples=examples, frameworks=frameworks)
        if report.error is not None:
            raise report.error.with_traceback(None)  # the frames of drawing and shrinking say nothing


def explain(case: Case) -> str:
    """A text on what the implementations make of one case: the failure message, or that all agree.

    It is run in all frameworks that are installed.
    """
    judgement = judge(case)
    if not judgement.passed:
        return describe(judgement)
    shares = {name: max(used.values(), default=0.0) for name, used in judgement.used.items()}
    return "all agree; largest share of the allowance used: " + ", ".join(f"{n} {s:.3g}" for n, s in shares.items())


def load(path: str | Path) -> ModuleType:
    """Import a Python file, which registers the pairs that it defines; returns the module.

    Raises FileNotFoundError where there is no such Python file.
    """
    path = Path(path).resolve()
    name = f"parity_file_{path.stem}_{hashlib.sha256(bytes(path)).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def targets(modules: Iterable[ModuleType] | None = None) -> list[type]:
    """numpynet's classes that have a pair or, given `modules`, the classes whose pairs these define."""
    defined = [(c, type(pair).__module__) for c, pair in registry().items()]
    if modules is None:
        return [c for c, home in defined if home.startswith("parity.mapping.")]
    names = {module.__name__ for module in modules}
    return [c for c, home in defined if home in names]
