"""What the flow of arrays through two models tells of their layers, whatever these compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from parity.comparison.arranging import Arrangement
from parity.comparison.flow import Flow
from parity.comparison.matching import Match, Matching
from parity.comparison.model import Call, Held, Layer, Run

SHAPES = {"weight": (2, 2)}
# Two branches of two layers each, one of which has a third behind it; x is what the model is given.
BRANCHES = {"left": "x", "right": "x", "left_behind": "left", "right_behind": "right", "end": "right_behind"}


def run_of(takes: Mapping[str, str], order: Sequence[str] = ()) -> Run:
    """A run of layers that hold arrays of the same shapes, each of which takes what another one hands on."""
    arrays = {name: np.random.default_rng(place).standard_normal(3) for place, name in enumerate(["x", *takes])}
    layers = {name: Layer(name, "Layer", "layer", {"weight": Held((name,), ())}) for name in takes}
    calls = [
        Call(name, layers[name], None, [arrays[takes[name]]], [arrays[name]], [None]) for name in order or list(takes)
    ]
    return Run([], calls, [call.layer for call in calls])


def matched(ran: Run, theirs: Run) -> Matching:
    """The layers of both, matched in the order of calls."""
    both = zip(ran.order, theirs.order, strict=True)
    return Matching([Match(one, other, {"weight": "weight"}, {}, SHAPES) for one, other in both])


def table(found: Matching) -> dict[str, str]:
    return {match.first.name: match.second.name for match in found.matches}


def test_the_flow_is_what_is_beside_behind_and_ahead() -> None:
    flow = Flow.of(run_of(BRANCHES))
    assert flow.beside["left"] == {"right"}
    assert flow.behind["right"] == {"right_behind"}
    assert flow.ahead["end"] == {"right_behind"}


def test_an_array_whose_elements_are_all_the_same_connects_nothing() -> None:
    run = run_of({"one": "x", "other": "x"})
    for call in run.calls:
        call.inputs[0] = np.zeros(3)
    assert Flow.of(run).beside == {"one": set(), "other": set()}


def test_layers_are_told_by_what_is_behind_them_in_any_order_of_calls() -> None:
    ran, theirs = run_of(BRANCHES), run_of(BRANCHES, ["right", "left", "left_behind", "right_behind", "end"])
    found = matched(ran, theirs)
    assert Arrangement(found, ran, theirs).arrange(found)
    assert table(found) == {name: name for name in BRANCHES}


def test_a_branch_is_exchanged_whole_and_nothing_else() -> None:
    twins = {"a": "x", "b": "x", "a_behind": "a", "b_behind": "b", "c": "y", "d": "y"}
    arrays = {**twins, "y": "x_too"} | {"x_too": "x"}
    ran = run_of({name: arrays[name] for name in ("x_too", "y", *twins)})
    found = matched(ran, ran)
    arrangement = Arrangement(found, ran, ran)
    arrangement.exchange(found, {"c": "d", "d": "c"})
    arrangement.exchange(found, {"a_behind": "b_behind", "b_behind": "a_behind"})
    moved = {"a": "b", "b": "a", "a_behind": "b_behind", "b_behind": "a_behind", "c": "d", "d": "c"}
    assert table(found) == {"x_too": "x_too", "y": "y"} | moved


def test_where_two_models_are_connected_otherwise_the_rest_is_told() -> None:
    ran = run_of(BRANCHES)
    theirs = run_of({**BRANCHES, "left_behind": "unknown", "unknown": "x"} | {"left": "unknown"}, [*BRANCHES])
    found = matched(ran, theirs)
    Arrangement(found, ran, theirs).arrange(found)
    assert table(found)["end"] == "end"
    assert table(found)["right_behind"] == "right_behind"


def test_what_was_matched_against_the_flow_stays_where_others_are_exchanged() -> None:
    twins = {"a": "x", "b": "x", "c": "a", "d": "b", "e": "c", "f": "e"}
    ran = run_of(twins)
    found = matched(ran, ran)
    arrangement = Arrangement(found, ran, ran)
    by_name = {match.first.name: match for match in found.matches}
    by_name["e"].second, by_name["f"].second = by_name["f"].second, by_name["e"].second
    arrangement.exchange(found, {"a": "a", "b": "b"})
    assert (table(found)["e"], table(found)["f"]) == ("f", "e")
