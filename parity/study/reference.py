"""Writes the frozen reference set of an experiment: python -m parity.study.reference digits

It is run once, before the study is registered; the file is committed and never regenerated for a study that has begun.
"""

from __future__ import annotations

import json
import sys

from parity.results import stack_name
from parity.study.arms import COUPLED
from parity.study.registration import FOLDER, description
from parity.study.runs import Job, performed
from parity.study.tasks import EXPERIMENTS

SEEDS = range(1_000_000, 1_000_030)  # used by no study


def main(name: str) -> None:
    experiment = EXPERIMENTS[name]
    jobs = [Job("reference", experiment, COUPLED, "numpynet", seed) for seed in SEEDS]
    accuracies = {job.seed: record["accuracy"] for job, record in performed(jobs)}
    lines = [
        f"# numpynet's accuracies for seeds {SEEDS.start} to {SEEDS.stop - 1}: where sigma_L comes from.",
        f"# Written by: python -m parity.study.reference {name} ({stack_name().split('-')[0]})",
        f"accuracies = {json.dumps([accuracies[seed] for seed in SEEDS])}",
        "",
        "[training]",
        *(f"{term} = {json.dumps(value)}" for term, value in description(experiment).items()),
    ]
    (FOLDER / f"reference-{name}.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
