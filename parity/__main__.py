"""`python -m parity` is the command line."""

from parity.cli.main import app

app(prog_name="parity")
