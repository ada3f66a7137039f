"""Training: `fit` drives a `Trainer`, or any other `Steps`, over a dataset and returns its `History`."""

from numpynet.training.loop import Callback, History, ProgressBar, Scores, Steps, evaluate, fit
from numpynet.training.scores import accuracy, correct
from numpynet.training.trainer import Divergence, Optimizer, Trainer

__all__ = [
    "Callback",
    "Divergence",
    "History",
    "Optimizer",
    "ProgressBar",
    "Scores",
    "Steps",
    "Trainer",
    "accuracy",
    "correct",
    "evaluate",
    "fit",
]
