"""Which of the installed versions an entry speaks of."""

from __future__ import annotations

import re

from parity.results import versions


def holds_here(when: str, missing: bool = False) -> bool:
    """Whether a condition such as "keras>=3.6" holds for what is installed; the empty one always does.

    `missing` is the answer where the package is not installed. Raises ValueError for a condition of another form.
    """
    if not when:
        return True
    parts = re.fullmatch(r"(\w+)(>=|<)([\d.]+)", when)
    if parts is None:
        raise ValueError(f"a condition is a package, >= or <, and a version, got {when!r}")
    package, sign, bound = parts.groups()
    if package not in versions():
        return missing
    return (_numbers(versions()[package]) >= _numbers(bound)) == (sign == ">=")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))


def described() -> str:
    """The installed versions in one line, for a failure message."""
    return ", ".join(f"{package} {version}" for package, version in versions().items())
