"""The question of the source course: do NumPy and PyTorch differ on Fashion-MNIST?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from parity.experiments.entry import Finding, Progress, record, unavailable
from parity.experiments.fashion_mnist import PLAIN
from parity.results.records.trainings import ExperimentRecord
from parity.results.store import Results
from parity.statistics import Outcome, PairVerdict, Verdict
from parity.study import study


@dataclass(frozen=True)
class StudyEntry:
    """A pre-registered study as an experiment, which any verdict answers but an inconclusive or invalid one."""

    name: str
    title: str
    requirement: str
    study: str
    yardstick: str = ""

    def run(
        self,
        frameworks: Sequence[str],
        quick: bool,
        progress: Progress,
        results: Results,
        seeds: Sequence[int] | None = None,
    ) -> list[ExperimentRecord]:
        """The records: numpynet's holds the verdict on all pairs, a framework's that on its pair with numpynet.

        The runs are kept in `results`, where a later call resumes. `quick` conducts the short study of digits, which
        says nothing about this one. `seeds` is not used: their number was registered.
        """
        if not quick and (missing := unavailable([PLAIN])):
            return [record(self, name, missing) for name in ("numpynet", *frameworks)]
        name = "digits-quick" if quick else self.study
        verdict = study(name, results, frameworks=list(frameworks), progress=progress)
        findings = {"numpynet": of_study(verdict)} | {
            pair.second: of_pair(pair) for pair in verdict.pairs if pair.first == "numpynet"
        }
        if quick:
            for finding in findings.values():
                finding.passed, finding.summary = None, f"{name} instead, not judged: {finding.summary}"
        return [record(self, implementation, finding) for implementation, finding in findings.items()]


def of_study(verdict: Verdict) -> Finding:
    figures = {"margin": verdict.margin, "test rows": float(verdict.n_test)}
    return Finding(answered(verdict.outcome), f"{verdict.outcome.value}: {verdict.reason}", figures)


def of_pair(pair: PairVerdict) -> Finding:
    finding = Finding(answered(pair.outcome), pair.reason)
    if test := pair.test:
        finding.figures = {
            "seeds": float(test.n),
            "numpynet minus this one": test.difference,
            "90% interval, low": test.interval_90[0],
            "90% interval, high": test.interval_90[1],
            "margin": test.margin,
            "smallest margin that would pass": test.delta_star or 0.0,
        }
    return finding


def answered(outcome: Outcome) -> bool:
    return outcome not in (Outcome.INCONCLUSIVE, Outcome.INVALID)


SIGNIFICANCE = StudyEntry(
    name="fashion-mnist-significance",
    title="Do numpynet, PyTorch and TensorFlow differ on Fashion-MNIST?",
    requirement="a verdict, neither inconclusive nor invalid, with interval, margin and seeds",
    study="fashion-mnist",
)
