"""Rung 5: the same result? Pre-registered studies of final accuracies over seeds."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parity.study.arms import ARMS, COUPLED, Arm
    from parity.study.conducting import NoData, conduct, study
    from parity.study.dask import ClusterError, cluster
    from parity.study.registration import Registration, load, registered
    from parity.study.runs import InProcess

_HOMES = {
    "arms": ("ARMS", "COUPLED", "Arm"),
    "conducting": ("NoData", "conduct", "study"),
    "dask": ("ClusterError", "cluster"),
    "registration": ("Registration", "load", "registered"),
    "runs": ("InProcess",),
}

__all__ = [
    "ARMS",
    "COUPLED",
    "Arm",
    "ClusterError",
    "InProcess",
    "NoData",
    "Registration",
    "cluster",
    "conduct",
    "load",
    "registered",
    "study",
]


def __getattr__(name: str) -> Any:
    """The public name, imported when it is first asked for, since the processes that perform runs need no statistics.

    Raises AttributeError for any other name.
    """
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"parity.study.{home}"), name)
    raise AttributeError(f"module 'parity.study' has no attribute {name!r}")
