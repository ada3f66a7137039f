"""Sentences on what is not in the report: what is missing though it was planned, and what was left out, by cause."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from numpynet.datasets.files import URLS
from parity.frameworks import implementations
from parity.report import merging
from parity.report.records import Json, shortened

KINDS = {
    "checks": "outputs, gradients and steps (rungs 1 to 3)",
    "curves": "training curves (rung 4)",
    "studies": "final accuracies (rung 5)",
    "derivatives": "the reference's derivatives",
    "refusals": "which inputs are refused",
    "differences": "the catalogue of known differences",
    "modes": "the ways of writing the same model",
    "defects": "planted defects: whether the suite can turn red",
}
# One of a kind, and several.
NAMES = {
    "checks": ("check", "checks"),
    "derivatives": ("derivative", "derivatives"),
    "refusals": ("refusal", "refusals"),
    "specials": ("special value of a class", "special values of classes"),
    "differences": ("known difference", "known differences"),
    "defaults": ("default", "defaults"),
    "promises": ("promise of a docstring", "promises of docstrings"),
    "modes": ("way of writing a model", "ways of writing a model"),
    "comparisons": ("comparison of two models", "comparisons of two models"),
    "defects": ("planted defect", "planted defects"),
    "twins": ("undamaged twin", "undamaged twins"),
    "mutants": ("mutant", "mutants"),
    "thresholds": ("detection threshold", "detection thresholds"),
    "tensors": ("class's tensors", "classes' tensors"),
    "signatures": ("framework's signatures", "frameworks' signatures"),
    "machines": ("job of a machine", "jobs of machines"),
    "soak-chunks": ("chunk of the soak", "chunks of the soak"),
    "curves": ("curve", "curves"),
    "studies": ("study", "studies"),
    "experiments": ("experiment", "experiments"),
    "calibration": ("calibration", "calibrations"),
}
TITLES = {"fashion-mnist": "Fashion-MNIST", "mnist": "MNIST", "cifar-10": "CIFAR-10"}
ELSEWHERE = re.compile(r"not measured: (differs so with .*|not so on this machine.*)")  # speaks of others than these


def missing(rows: Sequence[Json], stacks: Sequence[Json]) -> list[str]:
    """A sentence for each row of what was planned and is not there."""
    found = []
    for row in rows:
        where = _where(row["stack"], stacks)
        if row["keys"]:
            of = f" of {row['planned']}" if row["planned"] > len(row["keys"]) else ""
            many = _counted(row["kind"], len(row["keys"]), of)
            found.append(f"{where}{many} missing ({shortened(row['keys'])}): {row['why']}")
        else:
            found.append(f"{where}{row['why']}")
    return found


def _where(stack: str, stacks: Sequence[Json]) -> str:
    """The stack, to stand in front of a sentence; empty where there is only one."""
    return f"{stack}: " if len(stacks) > 1 else ""


def left_out(stacks: Sequence[Json], kinds: Mapping[str, list[Json]], studies: Sequence[Json]) -> list[str]:
    """A sentence for each cause that kept something from being looked at, with all that it kept."""
    found = [(stack["name"], sentence) for stack in stacks for sentence in _left_out(stack, kinds, studies)]
    for study in studies:
        where = f"study {study['name']}"
        if study["outcome"] == "not decided" and not study["reason"].startswith("not run: "):
            found.append((study["stack"], f"{where} has no verdict: {study['reason']}"))
        found += [
            (study["stack"], f"{where} did not compare {pair['first']} with {pair['second']}")
            for pair in study["pairs"]
            if not pair["test"]
        ]
    return _told(found, stacks)


def _left_out(stack: Json, kinds: Mapping[str, list[Json]], studies: Sequence[Json]) -> Iterator[str]:
    """Yields a sentence for each cause that kept something of one stack from being looked at, but for its studies."""
    if not any(stack["records"].values()):
        yield "nothing was compared, there are no records"
        return
    causes: dict[str, dict[str, set[str]]] = {}
    here = stack["implementations"]
    if absent := [each for each in implementations() if here and each not in here]:
        causes[f"nothing was compared with {' or '.join(absent)}, of which there are no results"] = {}
    for cause, kind, key in _unjudged(stack, kinds, studies):
        causes.setdefault(_framework(cause, absent) or cause, {}).setdefault(kind, set()).add(key)
    yield from (_sentence(cause, kept) for cause, kept in causes.items())
    yield from _partly(stack, kinds)
    said = {kind for kept in causes.values() for kind in kept}
    if nothing := [what for kind, what in KINDS.items() if not stack["records"][kind] and kind not in said]:
        yield f"there are no records of {'; '.join(nothing)}"


def _told(found: Iterable[tuple[str, str]], stacks: Sequence[Json]) -> list[str]:
    """Sentences, each with the stacks that it is true of in front of it, where there are several."""
    true_of: dict[str, list[str]] = {}
    for stack, sentence in found:
        true_of.setdefault(sentence, []).append(stack)
    if len(stacks) == 1:
        return list(true_of)
    names = [stack["name"] for stack in stacks]
    return [f"{merging.in_words(those, names)}: {sentence}" for sentence, those in true_of.items()]


def elsewhere(kinds: Mapping[str, list[Json]], stacks: Sequence[Json]) -> list[str]:
    """Sentences on entries that speak of other versions or machines: nothing is lacking."""
    counts: dict[str, list[str]] = {}
    for record in kinds["differences"]:
        if ELSEWHERE.match(record["message"]):
            counts.setdefault(record["stack"], []).append(record["key"])
    about = "not measured, being about other versions or machines"
    found = ((one, f"{_counted('differences', len(keys))} {about} ({shortened(keys)})") for one, keys in counts.items())
    return _told(found, stacks)


def unverified(kinds: Mapping[str, list[Json]], stacks: Sequence[Json]) -> list[str]:
    """Sentences on boundaries between versions that nobody has measured for those installed; it is no red."""
    found: dict[tuple[str, str], list[str]] = {}
    for kind in ("refusals", "specials", "differences"):
        for record in kinds[kind]:
            if record["boundary"]:
                found.setdefault((record["stack"], record["boundary"]), []).append(record["key"])
    told = ((stack, f"boundary {boundary}: {shortened(keys)}") for (stack, boundary), keys in found.items())
    return _told(told, stacks)


def in_words(message: str) -> str:
    """The reason why something was not done, from the message that was recorded.

    Addresses and advice are taken out where they are known.
    """
    message = re.sub(r"^not (compared|run|measured): ", "", message)
    if match := re.match(r"downloading (\S+) failed", message):
        for name, url in URLS.items():
            if match[1].startswith(url.partition("{")[0]):
                return f"{TITLES[name]} could not be downloaded"
    if match := re.match(r"(\S+) has to be downloaded, which needs (\w+)", message):
        return f"{TITLES.get(match[1], match[1])} could not be downloaded: {match[2]} is not installed"
    return message.splitlines()[0] if message else "not judged"


def _unjudged(stack: Json, kinds: Mapping[str, list[Json]], studies: Sequence[Json]) -> Iterator[tuple[str, str, str]]:
    """Yields cause, kind and key of everything in this stack that has no verdict."""

    def of(kind: str) -> Iterable[Json]:
        return (record for record in kinds[kind] if record["stack"] == stack["name"])

    for record in of("curves"):
        if record["passed"] is None:
            yield in_words(record["message"]), "curves", record["key"]
    for study in studies:
        if (
            study["stack"] == stack["name"]
            and study["outcome"] == "not decided"
            and study["reason"].startswith("not run: ")
        ):
            yield in_words(study["reason"]), "studies", study["name"]
    for record in of("experiments"):
        if record["passed"] is None:
            yield in_words(record["summary"]), "experiments", record["key"].partition("/")[0]
    for record in of("modes"):
        if record["passed"] is None:
            yield in_words(record["note"] or "not run"), "modes", record["key"]
    for kind in ("refusals", "specials", "differences", "derivatives"):
        for record in of(kind):
            if record["passed"] is None and not ELSEWHERE.match(record["message"]):
                yield in_words(record["message"]), kind, record["key"]
    for record in of("defects"):
        if record["passed"] is None:
            yield in_words(record["message"]), "defects", record["key"]


def _partly(stack: Json, kinds: Mapping[str, list[Json]]) -> list[str]:
    """Sentences on checks that lack a framework which others have."""
    without: dict[str, list[str]] = {}
    for record in kinds["checks"]:
        left = [name for name in stack["implementations"] if name not in ("numpynet", *record["frameworks"])]
        if record["stack"] == stack["name"] and left:
            without.setdefault(" and ".join(left), []).append(record["key"])
    return [f"{_counted('checks', len(keys))} without {left} ({shortened(keys)})" for left, keys in without.items()]


def _framework(cause: str, absent: Sequence[str]) -> str | None:
    """The sentence on absent frameworks, if those are the cause; else None."""
    match = re.match(r"(.*) (is |are )?not installed", cause)
    names = re.split(r", | and ", match[1]) if match else []
    if names and set(names) <= set(absent):
        return f"nothing was compared with {' or '.join(absent)}, of which there are no results"
    return None


def _sentence(cause: str, kept: Mapping[str, set[str]]) -> str:
    if not kept:
        return cause
    many = [_number(len(keys)) + " " + NAMES[kind][len(keys) > 1] for kind, keys in kept.items()]
    verb = "was" if sum(map(len, kept.values())) == 1 else "were"
    return f"{cause}: {' and '.join(filter(None, [', '.join(many[:-1]), many[-1]]))} {verb} left out"


def _counted(kind: str, count: int, of: str = "") -> str:
    """The count with its noun and verb, such as "one check is" and "82 of 88 checks are"."""
    verb = "is" if count == 1 else "are"
    return f"{count if of else _number(count)}{of} {NAMES.get(kind, (kind, kind))[count > 1 or bool(of)]} {verb}"


def _number(count: int) -> str:
    return "one" if count == 1 else str(count)
