"""Rung 5: the same result? Pre-registered studies of final accuracies over seeds."""

from parity.study.arms import ARMS, COUPLED, Arm
from parity.study.conducting import NoData, conduct, study
from parity.study.registration import Registration, load, registered
from parity.study.runs import InProcess
from parity.study.tasks import EXPERIMENTS

__all__ = [
    "ARMS",
    "COUPLED",
    "EXPERIMENTS",
    "Arm",
    "InProcess",
    "NoData",
    "Registration",
    "conduct",
    "load",
    "registered",
    "study",
]
