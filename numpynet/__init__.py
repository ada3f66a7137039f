"""A small neural-network library in NumPy alone.

A `Module` computes an output and the gradient for its input, a `Criterion` a loss, and an `Optimizer` moves the
`Parameter`s of a module. Images have shape (N, C, H, W). Parameters are float32 unless `dtype` says otherwise, and no
input is modified. What a layer, a criterion or an optimizer cannot take raises a ValueError that names it.
"""

from numpynet import datasets, initializers, training
from numpynet.activations import (
    ELU,
    GELU,
    SELU,
    HardSigmoid,
    HardSwish,
    LeakyReLU,
    LogSoftMax,
    Maxout,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    SoftMax,
    Softplus,
    Tanh,
)
from numpynet.adaptive import Adagrad, Adam, AdamW, RMSprop
from numpynet.clipping import ClipByGlobalNorm, ClipByNorm, ClipByValue
from numpynet.containers import Concatenate, Graph, Sequential, Sum
from numpynet.convolution import Conv2d
from numpynet.dropout import Dropout
from numpynet.linear import Linear
from numpynet.losses import (
    BinaryCrossEntropyCriterion,
    BinaryCrossEntropyCriterionUnstable,
    Criterion,
    CrossEntropyCriterion,
    HuberCriterion,
    L1Criterion,
    MSECriterion,
    NLLCriterion,
    NLLCriterionUnstable,
)
from numpynet.module import Array, Module, Parameter
from numpynet.normalization import BatchNormalization, GroupNormalization, LayerNormalization, Scaling
from numpynet.optimizers import SGD, Optimizer
from numpynet.pooling import AvgPool2d, GlobalAveragePool2d, MaxPool2d, ZeroPad2d
from numpynet.reshape import Flatten
from numpynet.schedules import CosineDecay, ExponentialDecay, Schedule, StepDecay, WarmUp

__version__ = "0.1.0"

__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Array",
    "AvgPool2d",
    "BatchNormalization",
    "BinaryCrossEntropyCriterion",
    "BinaryCrossEntropyCriterionUnstable",
    "ClipByGlobalNorm",
    "ClipByNorm",
    "ClipByValue",
    "Concatenate",
    "Conv2d",
    "CosineDecay",
    "Criterion",
    "CrossEntropyCriterion",
    "Dropout",
    "ExponentialDecay",
    "Flatten",
    "GlobalAveragePool2d",
    "Graph",
    "GroupNormalization",
    "HardSigmoid",
    "HardSwish",
    "HuberCriterion",
    "L1Criterion",
    "LayerNormalization",
    "LeakyReLU",
    "Linear",
    "LogSoftMax",
    "MSECriterion",
    "MaxPool2d",
    "Maxout",
    "Module",
    "NLLCriterion",
    "NLLCriterionUnstable",
    "Optimizer",
    "PReLU",
    "Parameter",
    "RMSprop",
    "ReLU",
    "Scaling",
    "Schedule",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SoftMax",
    "Softplus",
    "StepDecay",
    "Sum",
    "Tanh",
    "WarmUp",
    "ZeroPad2d",
    "datasets",
    "initializers",
    "training",
]
