"""The parts of a machine that bits depend on, in words that can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# What the bits depend on, whatever the packages are; a kernel of the system or the number of cores is but told.
MATTERS = ("processor", "blas", "threads", "switches")
TOLD = ("platform", "cores")


def in_parts(machine: Mapping[str, Any], parts: Iterable[str] = MATTERS) -> dict[str, str]:
    """The parts of a machine, as `parity.results.packages.machine` describes it, each in words."""
    return {name: text for part in parts for name, text in _said(machine.get(part), part)}


def _said(found: Any, part: str) -> Iterable[tuple[str, str]]:
    """The names and values of one part; of a BLAS not its version, which is NumPy's."""
    if part == "blas":
        pools = sorted(
            f"{pool.get('architecture', pool.get('internal_api', ''))} on {pool.get('num_threads', '?')} threads"
            for pool in found or ()
        )
        return [("BLAS", "; ".join(dict.fromkeys(pools)))]
    if isinstance(found, dict):
        return sorted((name, str(value)) for name, value in found.items())
    return [(part, "" if found is None else str(found))]
