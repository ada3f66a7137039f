"""Installs one release of a package into a folder of its own, from which another process imports it.

Nothing that is installed is touched: the folder goes in front of it. What the release requires comes with it as far as
what is installed does not do, but for the packages that compute, which are what it is tried beside.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Collection
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from parity.frameworks import framework, implementations
from parity.releases.cuda import stand_ins
from parity.results.code import ROOT
from parity.results.conditions import numbers, public
from parity.results.packages import versions

PACKAGES = {
    package: distributions
    for name in implementations()
    for package, distributions in framework(name).distributions.items()
}  # what computes, by package, and what it is published as
FOR_GPUS = ("nvidia-", "cuda-")  # how the names of the libraries begin that torch's ordinary wheel requires for a GPU


def oldest() -> dict[str, Requirement]:
    """The oldest supported release of each package, as the stack `oldest` has it, by the package."""
    lines = (ROOT / "stacks" / "oldest.in").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if "==" in line and not line.startswith("#")]
    return {package: pin for package, known in PACKAGES.items() for pin in pins if pin.name in known}


def published(package: str, index: str | None = None) -> list[str]:
    """The releases that pip finds for this Python, oldest first, from the oldest that is supported.

    Raises subprocess.CalledProcessError where pip finds none.
    """
    first = oldest()[package]
    command = [sys.executable, "-m", "pip", "index", "versions", first.name]
    said = subprocess.run(command + _from(index), capture_output=True, text=True, check=True).stdout
    listed = re.search(r"Available versions: (.*)", said)
    found = {public(version) for version in (listed[1].split(", ") if listed else ())}
    plain = [version for version in found if re.fullmatch(r"[\d.]+", version)]
    since = SpecifierSet(str(first.specifier).replace("==", ">="))
    return sorted((version for version in plain if version in since), key=numbers)


def install(package: str, version: str, home: Path, index: str | None = None) -> dict[str, str]:
    """Install a release into `home`, a folder that is there; returns the environment in which Python imports it.

    index: where pip finds it, such as that of torch's CPU wheels

    Raises subprocess.CalledProcessError where pip or the compiler fails. Of torch's ordinary wheel the CPU's kernels
    work, by `stand_ins`, which is why it gets none of the libraries for a GPU that it requires.
    """
    _pip(home, index, f"{oldest()[package].name}=={version}")
    # What is installed fits another release of it: torch compiles with one version of triton and of SymPy alone.
    lacking = _lacking(home, {*versions()} & {*PACKAGES}) if package in ("tensorflow", "torch") else []
    if needed := [requirement for requirement in lacking if not requirement.startswith(FOR_GPUS)]:
        _pip(home, index, *needed)
    environment = in_front([home])
    if package == "torch" and (home / "torch" / "lib" / "libtorch_cuda.so").exists():
        stand_ins(home, home / "cuda")
        environment["LD_LIBRARY_PATH"] = str(home / "cuda")
    return environment


def in_front(homes: Collection[Path]) -> dict[str, str]:
    """The environment variables of a process that imports what these folders hold before what is installed."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [*homes, ROOT]))}


def _pip(home: Path, index: str | None, *requirements: str) -> None:
    options = ("--quiet", "--no-deps", "--no-compile", "--target", str(home))
    run(sys.executable, "-m", "pip", "install", *options, *requirements, *_from(index))


def _from(index: str | None) -> list[str]:
    return ["--index-url", index] if index else []


def _lacking(home: Path, beside: Collection[str]) -> list[str]:
    """The requirements of the release in `home` that are not installed in a fitting version.

    Those on the packages that it is tried `beside` are left out.
    """
    (found,) = metadata.distributions(path=[str(home)])
    lacking = []
    for requirement in map(Requirement, found.requires or ()):
        if (requirement.marker and not requirement.marker.evaluate({"extra": ""})) or requirement.name in beside:
            continue
        try:
            if metadata.version(requirement.name) in requirement.specifier:
                continue
        except metadata.PackageNotFoundError:
            pass
        lacking.append(f"{requirement.name}{requirement.specifier}")
    return lacking


def run(*command: str, env: dict[str, str] | None = None) -> None:
    """Run a command to its end; raises subprocess.CalledProcessError, of which `said_last` says why.

    The folder of `parity.releases.scratch` that it works in stays until then, though this process be killed.
    """
    subprocess.run(
        command, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, close_fds=False
    )


def said_last(error: subprocess.CalledProcessError) -> str:
    """The first error of pip, or the last line that a process wrote before it failed, or the signal that ended it."""
    lines = [line.strip() for line in (error.stderr or "").splitlines() if line.strip()]
    ended = f"ended by signal {-error.returncode}" if error.returncode < 0 else f"exit code {error.returncode}"
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return [*errors, *lines[-1:]][0] if lines and error.returncode > 0 else ended
