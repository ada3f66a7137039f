"""The JSON schema of report.json: document.json, written by hand, and the records, made of the store's dataclasses.

`python -m parity.report.schema` writes schema.json anew after a change of one of these.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from parity.report.records import TOLD, Json
from parity.results.records import KINDS

FILE, BY_HAND = Path(__file__).with_name("schema.json"), Path(__file__).with_name("document.json")
ELSEWHERE = ("studies", "soak-chunks")  # kinds whose records are not in the document as they are
# What it tells in another form than the store, or leaves out: the hand-written part describes the former.
OTHERWISE = {"checks": {"uses"}, "curves": {"steps"}, "experiments": {"curves"}}


def current() -> Json:
    """The schema as the hand-written part and the dataclasses have it now."""
    document: Json = json.loads(BY_HAND.read_text(encoding="utf-8"))
    document["$defs"] |= definitions()
    return document


def definitions() -> Json:
    """The definitions of the records in report.json, by class: every field that the report tells is there."""
    kinds = [kind for kind in TOLD if kind not in ELSEWHERE]
    _, found = TypeAdapter.json_schemas(
        [(kind, "validation", TypeAdapter(KINDS[kind])) for kind in kinds], ref_template="#/$defs/{model}"
    )
    made: Json = _bare(found["$defs"])
    for kind in kinds:
        of = made[KINDS[kind].__name__]
        names = [name for name in TOLD[kind] if name not in OTHERWISE.get(kind, ())]
        of["properties"] = {name: of["properties"][name] for name in names}
        of["required"] = names
        del of["additionalProperties"]  # the report adds fields of its own
    used = json.dumps(made)
    return {name: of for name, of in made.items() if name in map(_name, kinds) or f'"#/$defs/{name}"' in used}


def _name(kind: str) -> str:
    return KINDS[kind].__name__


def _bare(schema: Any) -> Any:
    """The schema without titles, which repeat names, and without defaults, of which the report needs none."""
    if isinstance(schema, list):
        return [_bare(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    # A property may be called so, too: then it is an object.
    left_out = [word for word in ("title", "default") if not isinstance(schema.get(word), dict)]
    return {word: _bare(value) for word, value in schema.items() if word not in left_out}


if __name__ == "__main__":
    FILE.write_text(json.dumps(current(), indent=1) + "\n", encoding="utf-8")
