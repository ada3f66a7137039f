"""Whether a class or function can be called as before: what changed in its signature, and what of it is harmless."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Mapping

from parity.drift.change import change
from parity.drift.document import Change
from parity.drift.stack import SIGNATURES
from parity.results.records import Json

Parameters = Mapping[str, str]  # the default of each, as `parity.drift.signatures` reads it


def signature(old: Json, new: Json) -> Iterator[Change]:
    """Yields what changed in one signature: that it is gone or new, or each parameter of it."""
    of, name = old["framework"], old["name"]
    if old["there"] != new["there"]:
        said = ("there", "") if old["there"] else ("", "there")
        yield change(SIGNATURES, name, of, said, harmless=new["there"])
        return
    first, then = old["parameters"], new["parameters"]
    if first is None or then is None:
        if first != then:
            said = ("unknown", "known") if first is None else ("known", "unknown")
            yield change(SIGNATURES, name, of, said, harmless=True)
        return
    for parameter in dict.fromkeys([*first, *then]):
        if first.get(parameter) != then.get(parameter):
            said = _parameter(parameter, first), _parameter(parameter, then)
            if other := _displaced(parameter, first, then):
                said = said[0], f"{said[1]} in the place of {other}"
            harmless = not other and _harmless(parameter, first, then)
            yield change(SIGNATURES, name, of, said, harmless=harmless)
    order = [
        ", ".join(each for each in _places(these) if each in _places(those))
        for these, those in ((first, then), (then, first))
    ]
    if order[0] != order[1]:
        yield change(SIGNATURES, name, of, (order[0], order[1]))


def _places(parameters: Parameters) -> list[str]:
    """The parameters that can be given by their place."""
    return list(itertools.takewhile(lambda name: not name.startswith("*"), parameters))


def _displaced(parameter: str, first: Parameters, then: Parameters) -> str:
    """The parameter whose place a new one takes, and which can be given by its place; empty where there is none."""
    places = _places(then)
    if parameter in first or parameter not in places:
        return ""
    return next((name for name in places[places.index(parameter) :] if name in first), "")


def _harmless(parameter: str, first: Parameters, then: Parameters) -> bool:
    """Tells whether a parameter that changed, and takes nobody's place, leaves every call as right as it was."""
    if parameter in first and parameter in then and _equal(first[parameter], then[parameter]):
        return True
    if parameter == "*":  # without it, what had to be named may be given by its place
        return parameter in first
    return parameter not in first and bool(then[parameter] or parameter.startswith("*"))


def _equal(*defaults: str) -> bool:
    """Tells whether defaults are one number, written as an integer here and as a fraction there."""
    try:
        first, then = map(ast.literal_eval, defaults)
    except (SyntaxError, ValueError):
        return False
    return {type(first), type(then)} == {int, float} and first == then


def _parameter(name: str, parameters: Parameters) -> str:
    """A parameter as a signature has it; nothing where that has none of this name."""
    if name not in parameters:
        return ""
    return f"{name}={parameters[name]}" if parameters[name] else name
