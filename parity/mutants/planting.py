"""A mutant in the place of the module that it was made of, in this process: no framework is imported anew for it."""

from __future__ import annotations

import contextlib
import importlib
import types
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

from parity.mutants.mutant import Mutant, path

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
        for name, value in vars(changed).items():
            if name in vars(module) and not name.startswith("__"):
                _take_over(module, name, vars(module)[name], value, mutant.module, undo)
        yield


def _take_over(holder: Any, name: str, old: Any, new: Any, home: str, undo: ExitStack) -> None:
    """Make `old`, which is `name` of `holder`, what `new` is; `undo` gets how to make it what it was."""
    if isinstance(old, types.FunctionType) and isinstance(new, types.FunctionType):
        if len(old.__code__.co_freevars) != len(new.__code__.co_freevars):
            _set(holder, name, new, undo)
            return
        for part in COMPUTED:
            _set(old, part, getattr(new, part), undo)
    elif isinstance(old, type) and isinstance(new, type):
        if old.__module__ == home:
            for inner in {**vars(old), **vars(new)}:
                if inner not in LEFT:
                    _take_over_inner(old, inner, vars(old).get(inner, _NOTHING), vars(new).get(inner, _NOTHING), undo)
    elif isinstance(old, types.ModuleType) or type(old).__module__ == "typing":
        return
    elif not _same(old, new):
        _set(holder, name, new, undo)


_NOTHING: Any = object()


def _take_over_inner(cls: type, name: str, old: Any, new: Any, undo: ExitStack) -> None:
    """The same for what is in a class: methods, properties and plain values."""
    if new is _NOTHING:
        undo.callback(setattr, cls, name, old)
        delattr(cls, name)
    elif old is _NOTHING:
        undo.callback(delattr, cls, name)
        setattr(cls, name, new)
    elif isinstance(old, types.FunctionType) and isinstance(new, types.FunctionType):
        if old.__code__.co_freevars != new.__code__.co_freevars:
            _set(cls, name, new, undo)
        else:
            for part in COMPUTED:
                _set(old, part, getattr(new, part), undo)
    elif isinstance(old, property) and isinstance(new, property):
        for get in ("fget", "fset", "fdel"):
            first, second = getattr(old, get), getattr(new, get)
            if isinstance(first, types.FunctionType) and isinstance(second, types.FunctionType):
                _set(first, "__code__", second.__code__, undo)
    elif isinstance(old, staticmethod | classmethod) and isinstance(new, staticmethod | classmethod):
        _set(old.__func__, "__code__", new.__func__.__code__, undo)
    elif not callable(old) and not _same(old, new):
        _set(cls, name, new, undo)


def _set(holder: Any, name: str, value: Any, undo: ExitStack) -> None:
    restore: Callable[..., object] = setattr
    undo.callback(restore, holder, name, getattr(holder, name))
    setattr(holder, name, value)


def _same(old: Any, new: Any) -> bool:
    try:
        return bool(old == new)
    except Exception:  # arrays, say
        return repr(old) == repr(new)
