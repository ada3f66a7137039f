"""The file of a recording: a zip archive of one JSON header and plain arrays. Nothing in it is ever executed.

`header.json` says what the model is and which arrays there are; every other entry is an array in NumPy's own format
(`numpy.lib.format`), without pickles. `numpy.load` opens it, and so does any program that reads zip files. See
docs/reference/recordings.md.
"""

from __future__ import annotations

import dataclasses
import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError

from numpynet import Array
from parity.comparison.model import Unfit

FORMAT: Literal["parity recording"] = "parity recording"
VERSION, VERSION_NARROW = 1, 2  # the second is one of a model in 16 bits, which earlier releases take for float32
HEADER, SUFFIX = "header.json", ".npy"
ZIP = b"PK\x03\x04"  # what every zip file begins with
HOW = "`parity record FILE.py -o {}` makes one"


@dataclass(frozen=True, kw_only=True)
class Part:
    """An object in the header; what it does not know, a later release has added without a change of the version."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore", strict=True)


@dataclass(frozen=True, kw_only=True)
class SettingPart(Part):
    """A hyper-parameter of a layer, in torch's terms; `written` is the code that gives the layer this value."""

    value: Any
    written: str


@dataclass(frozen=True, kw_only=True)
class LayerPart(Part):
    """A layer; `held` are the framework's names of the tensors that make each of its arrays, by role.

    `frozen` are the roles of those that are not trained.
    """

    name: str
    title: str
    kind: str
    activation: str
    held: dict[str, list[str]]
    frozen: list[str]
    settings: dict[str, SettingPart]


@dataclass(frozen=True, kw_only=True)
class CallPart(Part):
    """A call of the layer of this name; `inputs` and `outputs` are the numbers of its arrays."""

    site: str
    layer: str
    inputs: int
    outputs: int


@dataclass(frozen=True, kw_only=True)
class ModePart(Part):
    """A run of the model; `entered` are the layers' names in the order in which they were entered."""

    calls: list[CallPart]
    entered: list[str]
    outputs: int


@dataclass(frozen=True, kw_only=True)
class DescribedPart(Part):
    """An optimizer or a loss: the name of its class, or of the function, and what is set, as code."""

    title: str
    settings: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class CurvePart(Part):
    """A training of so many steps, of which the first `compared` tell anything: then rounding alone parts losses."""

    steps: int
    compared: int
    optimizer: DescribedPart
    loss: DescribedPart


@dataclass(frozen=True, kw_only=True)
class Header(Part):
    """The header, in which a recording speaks of itself.

    framework, dtype: those of the model; the arrays of one in 16 bits are float32, which has all of its numbers
    narrow: the format of 16 bits that it computes in; "" where it does in none
    mixed: whether what it holds is in float32 then, and cast
    made_by: the versions of what made it
    seed: what the cotangents and masks were drawn by
    beside: the framework whose own formulas have allowances too; "" where no layer has such a formula
    asked: the frameworks whose formulas were looked for: `beside`, and the model's own where it has none of its own
    thorough: whether the allowances are those of a second look, which is taken before anybody is accused
    inputs: their number
    modes: "evaluation" and, unless `untrained` says why not, "training"
    unmodelled: operations that nothing is known of the rounding of
    arrays: how many there are in the file
    installed: the versions of all that was installed, by the names of the distributions
    machine: the parts of the machine that bits depend on; empty in a recording of an earlier parity
    curve: the training; None where nothing to train it by was given, or `uncurved` says why it was not recorded
    """

    format: Literal["parity recording"]
    version: int
    framework: str
    dtype: Literal["float32", "float64"]
    made_by: dict[str, str]
    seed: int
    beside: str
    asked: list[str]
    thorough: bool
    inputs: int
    layers: list[LayerPart]
    modes: dict[str, ModePart]
    untrained: str
    unmodelled: list[str]
    arrays: int
    narrow: Literal["", "float16", "bfloat16"] = ""
    mixed: bool = False
    installed: dict[str, str] = dataclasses.field(default_factory=dict)
    machine: dict[str, Any] = dataclasses.field(default_factory=dict)
    curve: CurvePart | None = None
    uncurved: str = ""


def write(file: Path, header: Header, arrays: Mapping[str, Array]) -> None:
    """Write a recording, whole or not at all, in a folder that need not be there yet.

    Raises OSError where that cannot be done.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        with zipfile.ZipFile(temporary, "w") as archive:
            archive.writestr(HEADER, json.dumps(dataclasses.asdict(header), indent=1) + "\n")
            for name, values in arrays.items():
                with archive.open(name + SUFFIX, "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, np.asanyarray(values), allow_pickle=False)
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)


def read(file: Path) -> tuple[Header, dict[str, Array]]:
    """The header and the arrays, by name.

    Raises `Unfit`, which says what is wrong and what to do, for anything that is no recording, or not a whole one.
    """
    try:
        with file.open("rb") as opened:
            begins = opened.read(len(ZIP))
    except OSError as error:
        raise Unfit(f"{file}: no recording can be read there ({error.strerror}); {HOW.format(file.name)}") from error
    if begins != ZIP:
        raise _foreign(file, "it is no zip file")
    try:
        with zipfile.ZipFile(file) as archive:
            header = _header(file, archive)
            names = [name for name in archive.namelist() if name.endswith(SUFFIX)]
            if len(names) != header.arrays:
                raise damaged(file, f"it holds {len(names)} of {header.arrays} arrays")
            return header, {name.removesuffix(SUFFIX): _array(archive, name) for name in names}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError, MemoryError) as error:
        if isinstance(error, Unfit):
            raise
        raise damaged(file, str(error)) from error


def damaged(file: Path, why: str) -> Unfit:
    return Unfit(f"{file} is cut short or damaged ({why}): copy it again, or record the model anew")


def _array(archive: zipfile.ZipFile, name: str) -> Array:
    with archive.open(name) as entry:
        found: Array = np.lib.format.read_array(entry, allow_pickle=False)
        return found


def _header(file: Path, archive: zipfile.ZipFile) -> Header:
    if HEADER not in archive.namelist():
        raise _foreign(file, f"it holds no {HEADER}")
    text = archive.read(HEADER)
    try:
        told = json.loads(text)
    except ValueError as error:
        raise _foreign(file, f"its {HEADER} is no JSON") from error
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise _foreign(file, f"its {HEADER} says nothing of a {FORMAT}")
    version = told.get("version")
    if version not in (VERSION, VERSION_NARROW):
        raise Unfit(
            f"{file} is a recording of version {version}, and this parity reads versions {VERSION} and "
            f"{VERSION_NARROW}: install the parity that made it ({told.get('made_by')}), or record the model anew with "
            "this one"
        )
    try:
        return TypeAdapter(Header).validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise damaged(file, f"{HEADER}, {where}: {first['msg']}") from error


def _foreign(file: Path, why: str) -> Unfit:
    return Unfit(f"{file} is no recording of a model: {why}. {HOW.format('reference.parity')}")
