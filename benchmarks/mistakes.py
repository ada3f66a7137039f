"""`python -m benchmarks.mistakes`: plant the gallery of porting mistakes, and compare; with --keep, make its page.

What was kept with the same packages is not planted again, except what is named. With --check everything is planted, and
what is told otherwise than its page says is an error: `nox -s mistakes`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.keeping import asked, gone_on_with
from benchmarks.where import where
from parity.comparison.gallery import MISTAKES, TWINS, Mistake, Twin
from parity.comparison.gallery.examining import TOLERANCES, Examined, examined, examined_right

KEPT = Path(__file__).with_name("mistakes.json")
PAGE = Path(__file__).parents[1] / "docs" / "pages" / "mistakes.md"
SEEDS = range(3)  # of the weights and inputs of right ports
Found = dict[str, Any]


def _read(found: Found) -> Examined:
    return Examined(**{**found, "share": None if found["share"] is None else float(found["share"])})


def _written(found: Examined) -> Found:
    """What JSON takes: no infinity."""
    return asdict(found) | {"share": None if found.share is None else f"{found.share:.4g}"}


class Gallery:
    """What was found of all mistakes and of the right ports."""

    def __init__(self, found: Found) -> None:
        self.found = found
        self.mistakes = [(each, _read(found["mistakes"][each.name])) for each in MISTAKES]
        self.right = [(name, _read(one)) for name, runs in found["right"].items() for one in runs]

    @property
    def caught(self) -> int:
        return sum(found.caught for _, found in self.mistakes)

    @property
    def alarms(self) -> int:
        return sum(found.caught for _, found in self.right)

    def missed(self, tolerance: str) -> int:
        """The mistakes whose outputs a tolerance accepts."""
        return sum(found.accepted[tolerance] is True for _, found in self.mistakes)

    def alarmed(self, tolerance: str) -> int:
        """The right ports whose outputs a tolerance rejects."""
        return sum(found.accepted[tolerance] is not True for _, found in self.right)


def page(found: Found) -> str:
    """The documentation's page of the gallery, in Markdown."""
    gallery = Gallery(found)
    return "\n".join([*_head(gallery), *_totals(gallery), *_one_by_one(gallery), *_not_right(gallery)]) + "\n"


def _head(gallery: Gallery) -> Iterator[str]:
    where, families = gallery.found["where"], ", ".join(twin.name for twin in TWINS)
    versions = ", ".join(f"{package} {version}" for package, version in where["versions"].items())
    seconds = sorted(found.seconds for _, found in gallery.mistakes)
    yield from (
        "# Porting mistakes",
        "",
        f"Measured by `python -m benchmarks.mistakes --keep` with {versions}. {len(MISTAKES)} mistakes that people "
        "made when they ported a network from torch to Keras, or are warned of, are planted one at a time in the Keras "
        f"side of small architectures written in both ({families}), and `parity.compare` is asked. Beside it stand "
        "tolerances set by hand, on what is commonly compared: the outputs in evaluation mode, with the weights "
        "converted. The comparison has to catch the mistake, to name the layer that makes it, and the setting that "
        "mends it, and to blame no layer that inherits the error.",
        "",
        f"On a processor that others were using, a comparison took {seconds[len(seconds) // 2]:.1f} seconds in the "
        f"median and {seconds[-1]:.0f} at most.",
        "",
    )


def _totals(gallery: Gallery) -> Iterator[str]:
    number, ports = len(gallery.mistakes), len(gallery.right)
    names = list(TOLERANCES)
    yield from (
        f"| | `parity.compare` | {' | '.join(f'`{name}`' for name in names)} |",
        "| --- |" + " --- |" * (len(names) + 1),
        _row("mistakes missed", number - gallery.caught, [gallery.missed(name) for name in names], number),
        _row("right ports called wrong", gallery.alarms, [gallery.alarmed(name) for name in names], ports),
        _alone("layer named right", sum(found.layer_right(each) for each, found in gallery.mistakes), number),
        _alone("cause named right", sum(found.cause_right(each) for each, found in gallery.mistakes), number),
        _alone("no layer blamed that inherits", sum(found.own_right(each) for each, found in gallery.mistakes), number),
        "",
    )


def _row(what: str, ours: int, theirs: Sequence[int], of: int) -> str:
    return f"| {what} | {ours} of {of} | {' | '.join(f'{count} of {of}' for count in theirs)} |"


def _alone(what: str, ours: int, of: int) -> str:
    return f"| {what} | {ours} of {of} |" + " – |" * len(TOLERANCES)


def _one_by_one(gallery: Gallery) -> Iterator[str]:
    yield from (
        "A share is the largest part of what rounding allows that some tensor uses, *inf* where nothing is allowed, as "
        "for the zeros of a ReLU; *no place* means that the weights "
        "of the one have no place in the other, which is said with the setting that makes it so. A mend of the weights "
        "is one of the script that converted them: a comparison copies the weights itself, and says what the port came "
        "with.",
        "",
    )
    for twin in TWINS:
        yield from (
            f"## {twin.name}",
            "",
            "| mistake | share | at fault | cause | mend | missed by |",
            "| --- | --- | --- | --- | --- | --- |",
        )
        yield from (_line(each, found) for each, found in gallery.mistakes if each.twin is twin)
        yield ""


def _line(mistake: Mistake, found: Examined) -> str:
    share = "no place" if found.refused else f"{found.share:.3g}" if found.caught else "**missed**"
    layer = found.blamed[0] if found.blamed else "none"
    missed = ", ".join(name for name, accepted in found.accepted.items() if accepted) or "–"
    told = mistake.told.replace("|", "\\|")
    return (
        f"| [{told}]({mistake.source}) | {share} | {_marked(layer, found.layer_right(mistake))} | "
        f"{_marked(found.cause or 'none', found.cause_right(mistake))} | {f'`{found.mend}`' if found.mend else '–'} | "
        f"{missed} |"
    )


def _marked(text: str, right: bool) -> str:
    return text if right else f"**{text}**"


def _not_right(gallery: Gallery) -> Iterator[str]:
    """Yields what the comparison did not do, which is marked above."""
    wrong = [
        f"- *{each.told}*: {'; '.join(said)}."
        for each, found in gallery.mistakes
        if (said := list(_short_of(each, found)))
    ]
    if wrong:
        yield from ("## What is not told, or told wrong", "", *wrong)


def _short_of(mistake: Mistake, found: Examined) -> Iterator[str]:
    if not found.caught:
        yield "missed; a note names the layer" if found.noted else "missed"
        return
    if not found.layer_right(mistake):
        yield f"at fault is {mistake.layer or 'no layer'}, named is {', '.join(found.blamed) or 'none'}"
    elif not found.own_right(mistake):
        yield f"blamed beside it: {', '.join(found.blamed[1:])}"
    if not found.cause_right(mistake):
        yield f"the cause is {mistake.cause or 'none'}, named is {found.cause or 'none'}"


def main() -> None:
    arguments = asked("mistakes", "plant porting mistakes", "a mistake or an architecture", KEPT)
    if arguments.check:
        raise SystemExit(1 if any([*map(_differs, MISTAKES), *map(_alarms, TWINS)]) else 0)
    found = gone_on_with(KEPT, where(), "right", "mistakes")
    for twin in TWINS:
        if twin.name in arguments.names or (not arguments.names and twin.name not in found["right"]):
            found["right"][twin.name] = [_written(examined_right(twin, seed)) for seed in SEEDS]
            _keep(found, arguments.keep)
    for mistake in MISTAKES:
        named = {mistake.name, mistake.twin.name} & set(arguments.names)
        if named or (not arguments.names and mistake.name not in found["mistakes"]):
            said = examined(mistake)
            found["mistakes"][mistake.name] = _written(said)
            print(f"{mistake.name}: {_in_words(list(_short_of(mistake, said)))}", flush=True)
            _keep(found, arguments.keep)
    if arguments.keep and all(mistake.name in found["mistakes"] for mistake in MISTAKES):
        PAGE.write_text(page(found))
        print(f"wrote {KEPT} and {PAGE}")


def _differs(mistake: Mistake) -> bool:
    """Plant a mistake, and tell whether its page says something else; what is said there and here is printed."""
    page_has = _read(json.loads(KEPT.read_text())["mistakes"][mistake.name])
    there, here = (list(_short_of(mistake, found)) for found in (page_has, examined(mistake)))
    print(
        f"{mistake.name}: {_in_words(here)}{'' if here == there else f', the page has {_in_words(there)}'}", flush=True
    )
    return here != there


def _alarms(twin: Twin) -> bool:
    """Compare the right port, and tell whether it is called wrong."""
    found = examined_right(twin, SEEDS[0])
    print(f"{twin.name}, right: {'called wrong' if found.caught else 'within'}", flush=True)
    return found.caught


def _in_words(short_of: Sequence[str]) -> str:
    return "; ".join(short_of) or "told right"


def _keep(found: Found, keep: bool) -> None:
    if keep:
        KEPT.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
