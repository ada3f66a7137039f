"""A small neural-network library in NumPy alone."""

from numpynet import datasets, initializers, training
from numpynet.activations import ELU, LeakyReLU, LogSoftMax, ReLU, Sigmoid, SoftMax, Softplus, Tanh
from numpynet.criteria import (
    Criterion,
    CrossEntropyCriterion,
    MSECriterion,
    NLLCriterion,
    NLLCriterionUnstable,
)
from numpynet.dropout import Dropout
from numpynet.linear import Linear
from numpynet.module import Array, Module, Parameter, Sequential
from numpynet.normalization import BatchNormalization, Scaling
from numpynet.optimizers import SGD
from numpynet.reshape import Flatten

__version__ = "0.1.0"

__all__ = [
    "ELU",
    "SGD",
    "Array",
    "BatchNormalization",
    "Criterion",
    "CrossEntropyCriterion",
    "Dropout",
    "Flatten",
    "LeakyReLU",
    "Linear",
    "LogSoftMax",
    "MSECriterion",
    "Module",
    "NLLCriterion",
    "NLLCriterionUnstable",
    "Parameter",
    "ReLU",
    "Scaling",
    "Sequential",
    "Sigmoid",
    "SoftMax",
    "Softplus",
    "Tanh",
    "datasets",
    "initializers",
    "training",
]
