"""How arrays flow through a model: which layers are given the same, and which take what another hands on."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

from numpynet import Array
from parity.comparison.model import Call, Run

Related = Mapping[str, Set[str]]  # names of layers, by a layer's name


@dataclass(frozen=True)
class Flow:
    """How the layers of a model that hold arrays are connected, as far as a run shows it in either framework.

    What a sum or a concatenation hands on is not followed: it is a layer in one framework, and a function in the other.

    beside: the layers that are given the same
    behind: those that take what a layer hands on, or what layers that hold nothing make of it, one after another
    ahead: those that hand on what a layer takes so
    """

    beside: Related
    behind: Related
    ahead: Related

    @property
    def relations(self) -> tuple[Related, ...]:
        return self.beside, self.behind, self.ahead

    @classmethod
    def of(cls, run: Run) -> Flow:
        """The flow in a run, of which the first call of each layer counts."""
        holding: dict[str, Call] = {}
        for call in run.calls:
            if call.layer.held:
                holding.setdefault(call.layer.name, call)
        beside = {
            name: {one.layer.name for one in _takers(run, call.inputs[0]) if one.layer.held} - {name}
            for name, call in holding.items()
            if call.inputs
        }
        behind = {name: _reached(run, call) - {name} for name, call in holding.items()}
        ahead: dict[str, set[str]] = {name: set() for name in holding}
        for name, reached in behind.items():
            for one in reached:
                ahead[one].add(name)
        return cls(beside, behind, ahead)


def _reached(run: Run, call: Call) -> set[str]:
    """The layers that hold arrays and take what a call hands on, or what others make of it."""
    found: set[str] = set()
    left, seen = [call], {id(call)}
    while left:
        for taker in [one for values in left.pop().outputs[:1] for one in _takers(run, values)]:
            if id(taker) in seen:
                continue
            seen.add(id(taker))
            if taker.layer.held:
                found.add(taker.layer.name)
            elif len(taker.inputs) == 1:
                left.append(taker)
    return found


def _takers(run: Run, values: Array) -> list[Call]:
    """The calls that take an array; none of one whose elements are all the same, which others may be by chance."""
    return run.taking(values) if values.size and values.min() != values.max() else []
