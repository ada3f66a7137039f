"""The command line: one module for each command."""

from parity.cli.main import app

__all__ = ["app"]
