"""Training: `fit` drives a `Trainer`, or any other `Steps`, over a dataset and returns its `History`."""

from numpynet.training.loop import Callback, History, Logs, ProgressBar, Scores, Steps, evaluate, fit, predict
from numpynet.training.scores import accuracy, correct
from numpynet.training.trainer import Divergence, Trainer

__all__ = [
    "Callback",
    "Divergence",
    "History",
    "Logs",
    "ProgressBar",
    "Scores",
    "Steps",
    "Trainer",
    "accuracy",
    "correct",
    "evaluate",
    "fit",
    "predict",
]
