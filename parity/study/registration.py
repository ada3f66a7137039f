"""Pre-registrations: committed files that fix a study before any of its runs."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from numpynet import Schedule
from parity.experiment import Experiment
from parity.statistics import margin, seed_noise
from parity.statistics.margins import FEWEST_EXAMPLES, LARGEST_MARGIN, SHARE_OF_SEED_NOISE
from parity.study.arms import ARMS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).parent
RULE = {
    "largest": LARGEST_MARGIN,
    "share_of_seed_noise": SHARE_OF_SEED_NOISE[True],
    "confidence": 0.9,
    "fewest_examples": FEWEST_EXAMPLES,
}


@dataclass(frozen=True)
class Registration:
    """The terms that a study is bound to.

    name: the name of the study, and of its file
    experiment: the name of what is trained
    seeds: the number of seeds, which count from 0; none is ever added
    alpha: the level of the tests
    arms: the names of those that are run beside the coupled one
    margin: the rule, as `parity.statistics.margin` follows it, and the file with the accuracies sigma_L comes from
    training: `description` of the experiment
    reference: accuracies of numpynet over seeds that no study uses, of the same training
    """

    name: str
    experiment: str
    seeds: int
    alpha: float
    arms: tuple[str, ...]
    margin: Mapping[str, Any]
    training: Mapping[str, Any]
    reference: tuple[float, ...]

    @property
    def hash(self) -> str:
        """The SHA-256 (hex) of the whole registration, which is recorded with each run."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    @property
    def sigma_lower(self) -> float:
        """The 90% lower bound of the seed-to-seed SD of the accuracy, from the reference set."""
        return seed_noise(self.reference, RULE["confidence"])

    def margin_for(self, n_test: int, coupled: bool = True) -> float:
        return margin(self.sigma_lower, n_test, coupled)


def registered() -> list[str]:
    """The names of all registered studies."""
    return sorted(path.stem for path in FOLDER.glob("*.toml") if not path.stem.startswith("reference-"))


def load(name: str) -> Registration:
    """The committed registration of the study `name`.

    Raises LookupError for a name without one, ValueError for a rule that parity cannot follow.
    """
    if name not in registered():
        raise LookupError(f"no study is registered as {name!r}; there are {', '.join(registered())}")
    contents = _read(name)
    reference = _read(contents["margin"]["reference"])
    rule = {term: contents["margin"][term] for term in RULE}
    if rule != RULE:
        raise ValueError(f"{name}.toml registers the margin rule {rule}, parity follows {RULE}")
    if unknown := set(contents["arms"]) - ARMS.keys():
        raise ValueError(f"{name}.toml registers arms that do not exist: {', '.join(unknown)}")
    if reference["training"] != contents["training"]:
        raise ValueError(f"{name}.toml and its reference set register different trainings")
    return Registration(
        **{**contents, "arms": tuple(contents["arms"])}, name=name, reference=tuple(reference["accuracies"])
    )


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


def description(experiment: Experiment) -> dict[str, Any]:
    """A description of what is trained, in the terms of a registration."""
    data, model = experiment.dataset, experiment.model(0)
    rows = ", ".join(f"{len(split)} {part}" for part, split in data.splits.items())
    return {
        "data": f"{data.name}: {rows} rows",
        "network": repr(model),
        "criterion": repr(experiment.criterion()),
        "optimizer": repr(experiment.optimizer(model.parameters())),
        "epochs": experiment.epochs,
        "schedule": _described(experiment.schedule),
        "batch_size": experiment.batch_size,
        "dtype": experiment.dtype,
    }


def _described(schedule: Schedule | Mapping[int, float]) -> str:
    if isinstance(schedule, Schedule):
        return repr(schedule)
    return ", ".join(f"lr {rate:g} from step {step}" for step, rate in schedule.items())
