"""Pre-registrations: committed files that fix a study before any of its runs."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from numpynet import Schedule
from parity.statistics import margin, seed_noise
from parity.statistics.margins import FEWEST_EXAMPLES, LARGEST_MARGIN, SHARE_OF_SEED_NOISE
from parity.study import own
from parity.study.arms import ARMS
from parity.training.experiment import Experiment

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
    source: digest of the file that has the experiment, where that is no experiment of parity's own; else empty
    """

    name: str
    experiment: str
    seeds: int
    alpha: float
    arms: tuple[str, ...]
    margin: Mapping[str, Any]
    training: Mapping[str, Any]
    reference: tuple[float, ...]
    source: str = ""

    @property
    def hash(self) -> str:
        """The SHA-256 (hex) of the whole registration, which is recorded with each run."""
        terms = {term: value for term, value in asdict(self).items() if term != "source" or value}
        return hashlib.sha256(json.dumps(terms, sort_keys=True).encode()).hexdigest()

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
    """The registration of that name, or the one in a file of one's own, whose path ends in .toml.

    Raises LookupError for a name without one, and ValueError for a file that is no registration, or registers a rule
    that parity cannot follow.
    """
    folder = FOLDER
    if name.endswith(".toml"):
        path = Path(name).resolve()
        if not path.is_file():
            raise LookupError(f"there is no file {name}")
        folder, name = path.parent, path.stem
        if folder != FOLDER and name in registered():
            raise ValueError(f"{path.name} is called as a study of parity's own is, and runs are kept by that name")
    elif name not in registered():
        raise LookupError(
            f"no study is registered as {name!r}; there are {', '.join(registered())}, and files of your own (.toml)"
        )
    contents = _read(folder, name, ["experiment", "seeds", "alpha", "arms", "margin", "training"])
    rule = {term: contents["margin"].get(term) for term in RULE}
    if rule != RULE:
        raise ValueError(f"{name}.toml registers the margin rule {rule}, parity follows {RULE}")
    if unknown := set(contents["arms"]) - ARMS.keys():
        raise ValueError(f"{name}.toml registers arms that do not exist: {', '.join(unknown)}")
    reference = _read(folder, contents["margin"]["reference"], ["accuracies", "training"])
    if reference["training"] != contents["training"]:
        raise ValueError(f"{name}.toml and its reference set register different trainings")
    return Registration(
        **{**contents, "arms": tuple(contents["arms"])},
        name=name,
        reference=tuple(reference["accuracies"]),
        source=own.code(contents["experiment"], folder),
    )


def _read(folder: Path, name: str, terms: Iterable[str]) -> dict[str, Any]:
    """The contents of a file that has exactly these `terms`; raises ValueError where it has others."""
    path = folder / f"{name}.toml"
    try:
        contents = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"there is no {path.name} beside the registration that names it") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path.name} is no TOML: {error}") from None
    if contents.keys() != set(terms):
        differing = ", ".join(sorted(contents.keys() ^ set(terms)))
        raise ValueError(f"{path.name} says {', '.join(sorted(terms))} and nothing else; it differs in {differing}")
    return contents


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
