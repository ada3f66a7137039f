"""The JSON schema of drift.json, made of its dataclasses; `python -m parity.drift.schema` writes schema.json anew."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import TypeAdapter

from parity.drift.document import Drift
from parity.results.records import Json

FILE = Path(__file__).with_name("schema.json")


def current() -> Json:
    """The schema as the dataclasses have it now: a file has all their fields, those with a default too."""
    return TypeAdapter(Drift).json_schema(mode="serialization")


if __name__ == "__main__":
    FILE.write_text(json.dumps(current(), indent=1) + "\n", encoding="utf-8")
