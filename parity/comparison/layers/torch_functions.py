"""Functions of torch that compute what a layer computes: each call outside of any is made one of a layer.

So what is written `F.relu(self.fc(x))` is observed, tried alone and told as `self.relu(self.fc(x))` is.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from parity.comparison.model import FUNCTION
from parity.frameworks.lazy import torch

# By its name: the layer that computes the same, and the function's parameters behind its input, in their order.
FUNCTIONS = {
    "relu": ("ReLU", "inplace"),
    "relu6": ("ReLU6", "inplace"),
    "leaky_relu": ("LeakyReLU", "negative_slope inplace"),
    "elu": ("ELU", "alpha inplace"),
    "selu": ("SELU", "inplace"),
    "gelu": ("GELU", "approximate"),
    "silu": ("SiLU", "inplace"),
    "mish": ("Mish", "inplace"),
    "sigmoid": ("Sigmoid", ""),
    "tanh": ("Tanh", ""),
    "softplus": ("Softplus", "beta threshold"),
    "hardswish": ("Hardswish", "inplace"),
    "hardsigmoid": ("Hardsigmoid", "inplace"),
    "softmax": ("Softmax", "dim _stacklevel dtype"),
    "log_softmax": ("LogSoftmax", "dim _stacklevel dtype"),
    "dropout": ("Dropout", "p training inplace"),
    "interpolate": ("Upsample", "size scale_factor mode align_corners recompute_scale_factor antialias"),
    "pad": ("ZeroPad", "pad mode value"),  # of as many axes as there are pairs of widths
    **{
        f"{name}{axes}d": (f"{layer}{axes}d", parameters)
        for axes in "123"
        for name, layer, parameters in (
            ("max_pool", "MaxPool", "kernel_size stride padding dilation ceil_mode return_indices"),
            ("avg_pool", "AvgPool", "kernel_size stride padding ceil_mode count_include_pad divisor_override"),
            ("adaptive_avg_pool", "AdaptiveAvgPool", "output_size"),
            ("adaptive_max_pool", "AdaptiveMaxPool", "output_size return_indices"),
        )
    },
}
# What no layer can be given, with the values that stand for its not being given; else it is no call of a layer.
LEFT_OUT = {
    "_stacklevel": (3, 5),
    "dtype": (None,),
    "return_indices": (False,),
    "antialias": (False,),
    "pad mode": ("constant",),
    "pad value": (None, 0),
}
Handle = Callable[[str, Mapping[str, Any], Any], Any]


def layer_for(name: str, arguments: Mapping[str, Any]) -> Any:
    """A layer of torch that computes what the function of this name does with these arguments behind its input."""
    made = _class_for(name, arguments)
    if name == "pad":
        return made(tuple(arguments["pad"]))
    given = {argument: value for argument, value in arguments.items() if argument in _parameters(made)}
    if given.get("stride") == []:  # as torch has it where none is given
        del given["stride"]
    return made(**given)


def _class_for(name: str, arguments: Mapping[str, Any]) -> Any:
    """The class of such a layer; None where there is none, or something is missing that it cannot be made without.

    What is left out by mistake is for torch to say.
    """
    if name == "pad":  # by pairs of widths, the last axis first
        return getattr(torch.nn, f"ZeroPad{len(arguments.get('pad', ())) // 2}d", None)
    made = getattr(torch.nn, FUNCTIONS[name][0])
    return made if _needed(made) <= arguments.keys() else None


@functools.cache
def _parameters(made: Any) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(made).parameters


@functools.cache
def _needed(made: Any) -> set[str]:
    """The names of the parameters without a default."""
    known = _parameters(made).values()
    return {each.name for each in known if each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD}


def watching(handle: Handle) -> Any:
    """A context in which `handle` computes what functions of `FUNCTIONS` would.

    It is told the function's name, its arguments behind the input, and the input.
    """
    return _mode()(handle)


def called(function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """The name and the arguments of a call that a layer can stand for; None of another.

    A name that ends with an underscore is of the form that changes its input.
    """
    own = getattr(function, "__name__", "")
    name = own.removesuffix("_")
    if name not in FUNCTIONS or not any(function == known for known in _named(own)) or not args:
        return None
    parameters = FUNCTIONS[name][1].split()
    if len(args) > 1 + len(parameters) or not isinstance(args[0], torch.Tensor):
        return None
    # torch.softmax and the like have no place for `_stacklevel`.
    if "_stacklevel" in parameters and function != getattr(torch.nn.functional, own, None):
        parameters.remove("_stacklevel")
    arguments = dict(zip(parameters, args[1:], strict=False)) | dict(kwargs)
    for parameter in arguments.keys() & {each.split()[-1] for each in LEFT_OUT}:
        values = LEFT_OUT.get(parameter) or LEFT_OUT.get(f"{name} {parameter}")
        if values is not None and arguments.pop(parameter) not in values:
            return None
    if _class_for(name, arguments) is None or (name == "pad" and not args[0].is_floating_point()):
        return None
    if own != name:
        arguments["inplace"] = True
    return None if arguments.keys() - set(parameters) - {"inplace"} else (name, arguments)


@functools.cache
def _named(name: str) -> list[Any]:
    """The functions and methods of this name."""
    homes = (torch.nn.functional, torch, torch.Tensor, torch._C._nn)
    return [getattr(home, name) for home in homes if hasattr(home, name)]


@functools.cache
def _mode() -> Any:
    """The class of torch's modes that hand functions on; torch is not imported before."""

    class Mode(torch.overrides.TorchFunctionMode):
        def __init__(self, handle: Handle) -> None:
            super().__init__()
            self.handle = handle

        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            found = called(function, args, kwargs)
            computed = None if found is None else self.handle(*found, args[0])
            return function(*args, **kwargs) if computed is None else computed

    return Mode


def name_of(name: str, number: int) -> str:
    """Returns what the layer is called that stands for a function, for the so-and-so-many-th time in one place."""
    return f"{name}{FUNCTION}" if number == 1 else f"{name}{FUNCTION} {number}"
