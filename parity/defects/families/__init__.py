"""The mistakes themselves, a file for each family. Importing this adds them to the gallery."""

from parity.discovery import modules

modules(__name__)
