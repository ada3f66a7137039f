"""The kinds of models that are compared, and how one is told from the other."""

from __future__ import annotations

import sys
from typing import Any

from parity.comparison.model import Model, Unfit
from parity.discovery import modules


def side(model: Any, name: str) -> Model:
    """The model as `parity compare` sees it; `name` says which of the two it is. Raises `Unfit` where it is none."""
    for module in modules("parity.comparison.sides"):
        if module.FRAMEWORK in sys.modules and isinstance(model, module.kind()):
            made: Model = module.SIDE(model)
            return made
    raise Unfit(
        f"the {name} model is a {type(model).__module__}.{type(model).__qualname__}: "
        "give a torch.nn.Module, a keras.Model that is built, a numpynet.Module, or the path of a recording"
    )
