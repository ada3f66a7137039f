"""Runs parity's own commands with other releases in front of what is installed, which stays as it is."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from parity.releases.installing import PACKAGES, in_front, install
from parity.releases.scratch import scratch

Pins = Mapping[str, str]  # the version of each package, by the name that it computes under, such as tensorflow


def pinned(texts: Iterable[str]) -> dict[str, str]:
    """The versions that are written as "torch==2.9.1" or "tensorflow-cpu==2.20.0", by package.

    Raises ValueError for what is not written so, and for a package that does not compute here.
    """
    found: dict[str, str] = {}
    for text in texts:
        pin = re.fullmatch(r"([\w.-]+)==([\w.]+)", text)
        package = pin and next((name for name, known in PACKAGES.items() if pin[1] in (name, *known)), None)
        if not pin or not package:
            raise ValueError(f"{text!r} is not PACKAGE==VERSION of one of {', '.join(PACKAGES)}")
        found[package] = pin[2]
    return found


@contextmanager
def releases(pins: Pins, index: str | None = None) -> Iterator[dict[str, str]]:
    """A context in which these releases are installed into folders of their own, which are removed when it ends.

    Where the process is killed, the next context removes them. It yields the environment variables of a process that
    imports them before all others. Raises subprocess.CalledProcessError where one cannot be installed.
    """
    with scratch() as folder:
        variables: dict[str, str] = {}
        homes = [folder / package for package in pins]
        for home, (package, version) in zip(homes, pins.items(), strict=True):
            home.mkdir()
            variables |= install(package, version, home, index)
        yield variables | {"PYTHONPATH": in_front(homes)["PYTHONPATH"]}


def perform(commands: Iterable[Sequence[str]], variables: Mapping[str, str]) -> list[int]:
    """Run commands of parity, each in a process that has these environment variables; returns their exit codes.

    What they import stays while they run, though this process be killed: they hold its lock, too.
    """
    return [
        subprocess.run(
            [sys.executable, "-m", "parity", *command], env=dict(variables), check=False, close_fds=False
        ).returncode
        for command in commands
    ]
