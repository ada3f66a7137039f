"""A mutant in the place of the module that it was made of, in this process: no framework is imported anew for it."""

from __future__ import annotations

import contextlib
import functools
import importlib
import types
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from parity.mutants.modules import path
from parity.mutants.mutant import Mutant

COMPUTED = ("__code__", "__defaults__", "__kwdefaults__")  # what makes a function compute what it does
LEFT = ("__dict__", "__weakref__", "__doc__", "__module__", "__name__", "__qualname__", "__annotations__")


@contextlib.contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """A context in which the functions, classes and constants of the mutant's module are the mutant's.

    The classes stay the same objects: whatever holds them, pairs and modules drawn before, has the mutant. Raises what
    executing the changed module raises.
    """
    module = importlib.import_module(mutant.module)
    changed = types.ModuleType(mutant.module)
    changed.__file__, changed.__package__ = str(path(mutant.module)), module.__package__
    exec(compile(mutant.source(), changed.__file__, "exec"), vars(changed))
    with ExitStack() as undo:
        # What is remembered was computed without the mutant, and what is remembered within is the mutant's: a module
        # that it was imported into has the same cache.
        undo.callback(_forget, module)
        for name, value in vars(changed).items():
            if name in vars(module) and not name.startswith("__"):
                _take_over(module, name, vars(module)[name], value, mutant.module, undo)
        _forget(module)
        yield


def _forget(module: types.ModuleType) -> None:
    """Empty the caches of the module's functions."""
    for value in vars(module).values():
        if isinstance(value, functools._lru_cache_wrapper):
            value.cache_clear()


def _take_over(holder: Any, name: str, old: Any, new: Any, home: str, undo: ExitStack) -> None:
    """Make `old`, which is `name` of `holder`, what `new` is; `undo` gets how to make it what it was."""
    if isinstance(old, types.FunctionType) and isinstance(new, types.FunctionType):
        if old.__code__.co_freevars != new.__code__.co_freevars:
            _set(holder, name, new, undo)
        else:
            for part in COMPUTED:
                _set(old, part, getattr(new, part), undo)
    elif isinstance(old, functools._lru_cache_wrapper) and isinstance(new, functools._lru_cache_wrapper):
        _take_over(old, "__wrapped__", old.__wrapped__, new.__wrapped__, home, undo)
    elif isinstance(old, property) and isinstance(new, property):
        for get in ("fget", "fset", "fdel"):
            _take_over(old, get, getattr(old, get), getattr(new, get), home, undo)
    elif isinstance(old, staticmethod | classmethod) and isinstance(new, staticmethod | classmethod):
        _take_over(old, "__func__", old.__func__, new.__func__, home, undo)
    elif isinstance(old, type) and isinstance(new, type):
        if old.__module__ == home:
            _take_over_class(old, new, home, undo)
    elif not (callable(old) or isinstance(old, types.ModuleType) or _same(old, new)):
        _set(holder, name, new, undo)


def _take_over_class(old: type, new: type, home: str, undo: ExitStack) -> None:
    for name in {**vars(old), **vars(new)}.keys() - set(LEFT):
        if name not in vars(new):
            undo.callback(setattr, old, name, vars(old)[name])
            delattr(old, name)
        elif name not in vars(old):
            undo.callback(delattr, old, name)
            setattr(old, name, vars(new)[name])
        else:
            _take_over(old, name, vars(old)[name], vars(new)[name], home, undo)


def _set(holder: Any, name: str, value: Any, undo: ExitStack) -> None:
    undo.callback(setattr, holder, name, getattr(holder, name))
    setattr(holder, name, value)


def _same(old: Any, new: Any) -> bool:
    try:
        return bool(old == new)
    except Exception:  # arrays, say
        return repr(old) == repr(new)
