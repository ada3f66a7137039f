"""What is measured item by item, kept beside the benchmarks, gone on with, and told by a page of the documentation."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def asked(module: str, does: str, of: str, file: Path) -> argparse.Namespace:
    """What is asked on the command line: `names`, whether to `keep` it in the file, whether to `check` its page."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{module}", description=f"{does.capitalize()}.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {of}; default: all")
    parser.add_argument("--keep", action="store_true", help=f"keep it in benchmarks/{file.name}, and write its page")
    parser.add_argument(
        "--check", action="store_true", help=f"{does}, all of them; exit code 1 if the page is not right"
    )
    return parser.parse_args()


def kept_in(file: Path) -> dict[str, Any]:
    """What is kept in the file; nothing where there is none."""
    found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return found


def gone_on_with(file: Path, here: dict[str, Any], *parts: str) -> dict[str, Any]:
    """What is kept in the file if it was measured `here`; else a beginning, each of whose parts is empty."""
    kept = kept_in(file)
    return kept if kept.get("where") == here else {"where": here, **{part: {} for part in parts}}
