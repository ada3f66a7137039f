"""Registers a study: writes what it is bound to, before any of its runs.

The reference set, from which the margin comes, is written once and never again for a study that has begun.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from parity.results.packages import stack_name
from parity.study.arms import COUPLED
from parity.study.registration import RULE, description
from parity.study.runs import Job, performed
from parity.training.experiment import Experiment

SEEDS = range(1_000_000, 1_000_030)  # used by no study
ARMS = ("rerun", "one-ulp", "frozen-layer")
ALPHA = 0.05


def register(
    name: str,
    place: str,
    experiment: Experiment,
    folder: Path,
    *,
    seeds: int,
    workers: int = 2,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> list[Path]:
    """Write NAME.toml, and reference-NAME.toml with the accuracies of numpynet from 30 seeds; returns both paths.

    Raises FileExistsError where one of them is there: a study that has begun is not changed. Raises ValueError where a
    run of the reference set does not end.
    """
    study, reference = folder / f"{name}.toml", folder / f"reference-{name}.toml"
    for path in (study, reference):
        if path.exists():
            raise FileExistsError(f"{path} is there: a study that is registered is not changed. Choose another name")
    jobs = [Job("reference", experiment, COUPLED, "numpynet", seed) for seed in SEEDS]
    accuracies: dict[int, float] = {}
    for done, (job, record) in enumerate(performed(jobs, workers), 1):
        if record["status"] != "ok":
            raise ValueError(f"numpynet, seed {job.seed}: {record['status']}: {record['message']}")
        accuracies[job.seed] = record["accuracy"]
        progress(done, len(jobs))
    training = ["[training]", *(f"{term} = {json.dumps(value)}" for term, value in description(experiment).items())]
    reference.write_text(
        _lines(
            f"# numpynet's accuracies for seeds {SEEDS.start} to {SEEDS.stop - 1}: where sigma_L comes from.",
            f"# Written by: parity register {place} --name {name} ({stack_name().split('-')[0]})",
            f"accuracies = {json.dumps([accuracies[seed] for seed in SEEDS])}",
            "",
            *training,
        ),
        encoding="utf-8",
    )
    study.write_text(
        _lines(
            "# A study, fixed before any of its runs.",
            f"experiment = {json.dumps(place)}",
            f"seeds = {seeds}  # 0 to {seeds - 1}; none is added until it passes",
            f"alpha = {ALPHA}",
            f"arms = {json.dumps(ARMS)}  # beside the coupled one",
            "",
            "# min(largest, share_of_seed_noise * sigma_L), at least fewest_examples of the test rows; sigma_L is the",
            "# lower bound, at this confidence, of the seed-to-seed SD of the accuracies in the reference set.",
            "[margin]",
            *(f"{term} = {value}" for term, value in RULE.items()),
            f"reference = {json.dumps(reference.stem)}",
            "",
            *training,
        ),
        encoding="utf-8",
    )
    return [study, reference]


def _lines(*lines: str) -> str:
    return "\n".join(lines) + "\n"
