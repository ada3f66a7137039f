"""What numpynet's classes are called in each framework. Importing this registers the pairs of numpynet's own.

A framework that lies elsewhere may bring a module `pairs`, which gives its methods to the pairs.
"""

import importlib
import importlib.util

from parity.discovery import modules

modules(__name__)
for folder in modules("parity.frameworks", folders=True):
    if importlib.util.find_spec(f"{folder.__name__}.pairs"):
        importlib.import_module(f"{folder.__name__}.pairs")
