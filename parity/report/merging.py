"""Rows of tables over several stacks: what they say alike is told once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context

from parity.report.records import Json
from parity.results.store import number_of


def merged(records: Iterable[Json], fields: Sequence[str], stacks: Sequence[str]) -> list[Json]:
    """The records with these fields alone, and with `stack` in words; those of several stacks that are alike are one.

    No other field is left, so that none is shown for stacks that it does not hold for.
    """
    groups: dict[str, tuple[Json, list[str]]] = {}
    for record in records:
        shown = {name: record[name] for name in fields}
        _, those = groups.setdefault(json.dumps(shown, sort_keys=True), (shown, []))
        those.append(record["stack"])
    return [shown | {"stack": in_words(those, stacks)} for shown, those in groups.values()]


def in_words(those: Sequence[str], stacks: Sequence[str]) -> str:
    """Names some of the stacks as briefly as it can: all, all but a few, or by name."""
    if len(stacks) == 1:
        return stacks[0]
    others = [stack for stack in stacks if stack not in those]
    if len(others) < len(those):
        return f"all {len(stacks)} stacks" if not others else f"all but {', '.join(others)}"
    return ", ".join(those)


@pass_context
def merged_here(context: Context, records: Iterable[Json], *fields: str) -> list[Json]:
    """The filter of the templates: `merged` over the stacks of the report."""
    return merged(records, fields, [stack["name"] for stack in context["stacks"]])


def largest(allowances: Sequence[Json], fields: Sequence[str]) -> list[Json]:
    """Each implementation's largest share, and where that was, among the rows that agree in these fields."""
    several = len({row["stack"] for row in allowances}) > 1
    places = [*(["stack"] if several else []), "pair", "dtype", "quantity"]
    found: dict[tuple[str, ...], Json] = {}
    for row in allowances:
        place = tuple(row[field] for field in fields)
        group = found.setdefault(place, dict(zip(fields, place, strict=True)) | {"used": {}})
        for name, use in row["used"].items():
            known = group["used"].get(name)
            if known is None or number_of(use["share"]) > number_of(known["share"]):
                where = {field: row[field] for field in places if field not in fields}
                group["used"][name] = use | where
    return list(found.values())


def hardest(curves: Iterable[Json]) -> list[Json]:
    """Of each curve the record of the stack that is outside, or that uses most of what is allowed."""

    def hard(curve: Json) -> tuple[bool, float]:
        return curve["passed"] is False, max(map(number_of, curve["used"].values()), default=0.0)

    found: dict[str, Any] = {}
    for curve in curves:
        known = found.get(curve["key"])
        if curve["losses"] and (known is None or hard(curve) > hard(known)):
            found[curve["key"]] = curve
    return list(found.values())
