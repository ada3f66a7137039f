"""What numpynet's classes are called in each framework. Importing this registers the pairs of numpynet's own."""

from parity.discovery import modules

modules(__name__)
