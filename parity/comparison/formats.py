"""The one number format that two models are judged in."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.comparison.model import Model, Unfit
from parity.formats import DTYPES


def judged_format(first: Model, second: Model) -> np.dtype[Any]:
    """The format that both models compute in, float32 where nothing says which.

    Raises `Unfit` where they compute in several, or in one that is not judged.
    """
    found: dict[str, str] = {}  # what is in each format
    for model, which in ((first, "first"), (second, "second")):
        for form, name in model.formats().items():
            found.setdefault(form, f"{name} of the {which} model")
    if len(found) > 1:
        told = ", ".join(f"{name} is {form}" for form, name in found.items())
        raise Unfit(
            f"the models are not in one format: {told}. Give both the same: .to(dtype) in torch, dtype= in Keras"
        )
    for form, name in found.items():
        if form not in DTYPES:
            raise Unfit(f"{name} is {form}: only models in {' and '.join(DTYPES)} are judged so far")
    dtype = np.dtype(next(iter(found), DTYPES[0]))
    for model in (first, second):
        model.compute_in(dtype)
    return dtype
