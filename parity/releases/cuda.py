"""Empty stand-ins for the libraries of CUDA, beside which torch's ordinary wheel for Linux loads, for its CPU kernels.

The wheel wants to link with 3 GB of these libraries. Each function is there by name and returns "no device"; none is
called.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

FOREIGN = re.compile(r"lib(cu|nccl|nv)")  # CUDA's own, NCCL, NVRTC, NVSHMEM
FUNCTIONS = re.compile(r"(cu|nv|nccl|gdr)", re.IGNORECASE)
NO_DEVICE = 100  # cudaErrorNoDevice


def said(*command: str | Path) -> str:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True).stdout


def stand_ins(torch: Path, folder: Path) -> None:
    """Compile into `folder` the CUDA libraries that torch, unpacked in the folder `torch`, wants and does not bring.

    It needs readelf, nm and cc. Symbols have versions, named like their library; the loader insists on both.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted: set[str] = set()
    home_of: dict[str, str] = {}
    symbols: dict[str, set[str]] = {}
    libraries = sorted((torch / "torch" / "lib").glob("*.so*"))
    for library in libraries:
        wanted |= set(filter(FOREIGN.match, re.findall(r"NEEDED.*\[(\S+)\]", said("readelf", "-d", library))))
        home_of |= _versions(said("readelf", "-V", "-W", library))
        for name, version in re.findall(r"^ +[Uw] (\w+)(?:@+(\S+))?$", said("nm", "-D", "-u", library), re.MULTILINE):
            symbols.setdefault(version, set()).add(name)
    plain = set(filter(FUNCTIONS.match, symbols.get("", set())))
    for name in sorted(wanted - {library.name for library in libraries}):
        versioned = {version: symbols.get(version, set()) for version, home in home_of.items() if home == name}
        _compile(folder, name, plain.union(*versioned.values()), versioned)


def _versions(listing: str) -> dict[str, str]:
    """The library of each version of symbols that is asked for in a listing by readelf."""
    file, found = "", {}
    for line in listing.splitlines():
        if match := re.search(r"File: (\S+)", line):
            file = match[1]
        elif (match := re.search(r"Name: (\S+)  Flags", line)) and FOREIGN.match(file):
            found[match[1]] = file
    return found


def _compile(folder: Path, library: str, functions: set[str], versioned: dict[str, set[str]]) -> None:
    source, script = folder / "functions.c", folder / "versions.map"
    source.write_text("".join(f"int {name}(void) {{ return {NO_DEVICE}; }}\n" for name in sorted(functions)))
    script.write_text(
        "".join(
            f"{version} {{ global: {' '.join(f'{name};' for name in sorted(names))} }};\n"
            for version, names in versioned.items()
            if names
        )
    )
    options = [f"-Wl,-soname,{library}"] + ([f"-Wl,--version-script={script}"] if script.stat().st_size else [])
    said("cc", "-w", "-shared", "-fPIC", source, *options, "-o", folder / library)
