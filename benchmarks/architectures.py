"""`python -m benchmarks.architectures`: compare the architectures of packages; with --keep, make their page.

What was kept with the same packages is not compared again, except what is named. With --check everything is compared,
and what is told otherwise than the page says is an error: `nox -s architectures`, which brings torchvision and timm.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.keeping import asked, gone_on_with, kept_in
from benchmarks.timing import in_own_process
from benchmarks.where import where

KEPT = Path(__file__).with_name("architectures.json")
PAGE = Path(__file__).parents[1] / "docs" / "pages" / "architectures.md"
ASKED = 100  # plain steps of both models that a comparison of right ports may take
Found = dict[str, Any]


def page(found: Found) -> str:
    """The documentation's page of the architectures, in Markdown."""
    models = found["architectures"]
    return "\n".join([*_head(found), *_table(models), *_missing(found), *_differences(models)]) + "\n"


def _head(found: Found) -> Iterator[str]:
    versions = ", ".join(f"{package} {number}" for package, number in found["where"]["versions"].items())
    models = found["architectures"]
    came = sum(_passed(one["came"]) for one in models.values())
    mended = sum("mended" in one and _passed(one["mended"]) for one in models.values())
    within = [one for one in models.values() if _passed(one.get("mended", one["came"]))]
    ratios = sorted(one.get("mended", one["came"])["ratio"] for one in within)
    yield from (
        "# Architectures of packages",
        "",
        f"Measured by `python -m benchmarks.architectures --keep` with {versions}. {len(models)} architectures, "
        "torch's as torchvision and timm have them against Keras' in keras.applications, or written in both, with "
        "random weights and inputs of at most 75 by 75, are given to `parity.compare` as they come.",
        "",
        f"- **Within** what rounding allows, as they come: {came}.",
        f"- **Truly different**: {len(models) - came}. The differences are named below. Each was then mended in the "
        f"Keras model as it is said, and the two compared again: {mended} are within what rounding allows then.",
    )
    if ratios:
        yield (
            f"- **Cost** of a comparison of two that are within: {ratios[len(ratios) // 2]:.0f} plain steps of both "
            f"(one forward and one backward pass of each) in the median, {ratios[-1]:.0f} at most; {ASKED} are asked "
            "for. Others were using the processor: seconds are its own, and ratios stand better than they do."
        )
    yield ""


def _passed(found: Mapping[str, Any]) -> bool:
    return not found.get("refused") and not found["outside"]


def _table(models: Mapping[str, Any]) -> Iterator[str]:
    yield from (
        "A share is the largest part of what rounding allows that some tensor uses: outputs of layers and of the "
        "model, running statistics and gradients. *Alone* counts the calls of layers that could also be compared by "
        "themselves.",
        "",
        "| architecture | of | million parameters | as they come | with what is named made alike | alone | seconds | "
        "plain steps | MB |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    )
    for name, found in models.items():
        last = found.get("mended", found["came"])
        yield (
            f"| {name} | {found['source']} | {found['parameters'] / 1e6:.3g} | {_verdict(found['came'])} | "
            f"{_verdict(found['mended']) if 'mended' in found else '–'} | {_alone(last)} | {last['seconds']:.0f} | "
            f"{last['ratio']:.0f} | {found['megabytes']:.0f} |"
        )
    yield ""


def _missing(found: Found) -> Iterator[str]:
    if missing := [name for name in found["asked"] if name not in found["architectures"]]:
        yield from (f"Not measured yet: {', '.join(missing)}.", "")


def _verdict(found: Mapping[str, Any]) -> str:
    if found.get("refused"):
        return "not compared"
    modes = " and ".join(found["tensors"])
    number = sum(found["tensors"].values())
    if found["outside"]:
        return f"{found['outside']} of {number} tensors outside, in {modes}"
    return f"within, share {found['share']:.2g}; {number} tensors in {modes}"


def _alone(found: Mapping[str, Any]) -> str:
    return "–" if found.get("refused") else f"{found['aligned']} of {found['calls']}"


def _differences(models: Mapping[str, Any]) -> Iterator[str]:
    yield from ("## What differs, and what is said of it", "")
    for name, found in models.items():
        said = [*_said(found["came"]), *(f"then: {line}" for line in _said(found.get("mended", {})))]
        if said:
            yield from (f"### {name}", "", *(f"- {line}" for line in said), "")


def _said(found: Mapping[str, Any]) -> Iterator[str]:
    if found.get("refused"):
        yield found["refused"].replace("\n", " ")
    for fault in found.get("faults", []):
        more = f", and {fault['number'] - 1} more" if fault["number"] > 1 else ""
        cause = (
            f"{fault['told']}; mend: `{fault['mend']}`" if fault["told"] else "no known difference removes its error"
        )
        yield f"{fault['layer']} ({fault['title']}){more}: {cause}"
    if found.get("outside") and not found["faults"]:
        yield f"no layer that could be compared alone is at fault; the first outside is {found['first']}"
    yield from found.get("notes", [])


def main() -> None:
    arguments = asked("architectures", "compare architectures", "an architecture", KEPT)
    here = where()
    here["versions"] |= {name: version(name) for name in ("torchvision", "timm")}
    kept, found = kept_in(KEPT), gone_on_with(KEPT, here, "architectures")
    names: list[str] = in_own_process("benchmarks.examining", "names")
    found["asked"] = names
    wrong = []
    for name in arguments.names or names:
        if not arguments.check and not arguments.names and name in found["architectures"]:
            continue
        try:
            measured = in_own_process("benchmarks.examining", name)
        except subprocess.CalledProcessError as error:
            sys.exit(f"{name}: the comparison ended with exit code {error.returncode}")
        last = measured.get("mended", measured["came"])
        print(f"{name}: {_verdict(measured['came'])}; {_verdict(last)}; {last['ratio']:.0f} plain steps", flush=True)
        if arguments.check and _told(kept["architectures"][name]) != _told(measured):
            wrong.append(name)
        if arguments.keep:
            found["architectures"] |= {name: measured}
            found["architectures"] = {
                one: found["architectures"][one] for one in names if one in found["architectures"]
            }
            KEPT.write_text(json.dumps(found, indent=1) + "\n")
            PAGE.write_text(page(found))
    if wrong:
        sys.exit(f"the page says otherwise of {', '.join(wrong)}")


def _told(found: Found) -> list[Any]:
    """Returns what another machine has to say as well: the verdicts and the faults, not shares and seconds."""
    runs = [found["came"], found.get("mended", {})]
    return [[run.get("refused"), bool(run.get("outside")), run.get("faults")] for run in runs]


if __name__ == "__main__":
    main()
