"""`parity list`."""

from __future__ import annotations

from rich.table import Table

from numpynet import __version__
from parity.cli.command import command
from parity.cli.terminal import console
from parity.frameworks import framework, implementations
from parity.ladder.proving import targets
from parity.mapping.pair import pair_of
from parity.results.packages import versions


@command
def inventory() -> None:
    """The pairs, and the versions of the implementations found here."""
    found = {"numpynet": __version__, **versions()}
    packages = [package for name in implementations() for package in framework(name).distributions]
    said = [f"{name} {found.get(name, 'not installed')}" for name in ("numpynet", *packages)]
    console().print("  ".join(said))
    table = Table("class", "pair", "what to know")
    for target in targets():
        described = (type(pair_of(target)).__doc__ or "").strip().splitlines()
        table.add_row(target.__name__, type(pair_of(target)).__name__, described[0] if described else "")
    console().print(table)
