"""What a Python file gives to the commands that compare and record models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from parity.cli.command import fail
from parity.ladder.proving import load


def named(file: Path, wanted: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """Returns what the file defines; ends the command unless each of `wanted` is there, under one of its names."""
    try:
        found = dict(vars(load(file)))
    except FileNotFoundError as error:
        fail(str(error), code=3)
    except (Exception, SystemExit) as error:  # whatever is raised, it is the file's own
        fail(f"{file} cannot be imported: {type(error).__name__}: {error}", code=3)
    for name, others in wanted.items():
        if (called := next((one for one in others if one in found), None)) is not None:
            found[name] = found[called]
    if missing := [" or ".join(others) for name, others in wanted.items() if name not in found]:
        needed = " and ".join(" or ".join(f"`{one}`" for one in others) for others in wanted.values())
        fail(f"{file} defines no {', no '.join(missing)}: it has to define {needed}", code=3)
    return found
