"""What other code judged counts where the present code finds the same, and never where it does not or was not asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from parity.results import evidence
from parity.results.records import Json
from parity.results.store import Results
from parity.soak import curves as curve_soak
from parity.soak import examples as module
from parity.soak.carrying import Soaked
from parity.soak.examples import CHUNKS, REPLAYED, chunk_of, chunks, judged, planned, soak, to_replay
from parity.work.pool import Call


def one_by_one(calls: Iterable[Call]) -> Iterator[tuple[Call, Any]]:
    return ((call, call.work(*call.arguments)) for call in calls)


def names(records: Iterable[Json]) -> set[str]:
    return {chunk_of(record).name for record in records}


class Code:
    """The code that judges, and what it finds in the examples of every chunk."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.name, self.share, self.performed = "old", 0.5, list[str]()
        monkeypatch.setattr(module, "code", lambda dtype: self.name)
        monkeypatch.setattr(module, "perform", self.perform)
        monkeypatch.setattr(module, "summarised", lambda chunks: [])  # of shares that are all alike

    def perform(self, pair: str, dtype: str, seed: int, number: int, frameworks: list[str]) -> dict[str, Any]:
        chunk = module.Chunk(pair, dtype, seed, number)
        self.performed.append(chunk.key)
        shares = {
            "torch/output": [i / (4 * chunk.examples) for i in range(1, chunk.examples)]
            + [self.share if pair == "Tanh" else 0.5]
        }
        told = {"key": chunk.key, "examples": chunk.examples, "shares": shares, "passed": True, "alarm": None}
        return {**vars(chunk), **told, "code": self.name, "digest": f"{pair} {number}"}


@pytest.fixture
def code(monkeypatch: pytest.MonkeyPatch) -> Code:
    return Code(monkeypatch)


def test_what_is_judged_alike_counts_by_a_sample_of_it_and_what_is_not_does_not(tmp_path: Path, code: Code) -> None:
    results = Results(tmp_path)
    soak(results, 40_000, 1, ["torch"], one_by_one)
    before = chunks(results)
    code.name, code.share, code.performed = "new", 0.75, []
    assert chunks(results) == []
    soak(results, 0, 0, ["torch"], one_by_one, replay=True)
    assert len(set(code.performed)) == len(code.performed) < len(before)
    counted = chunks(results)
    expected = [chunk for chunk in before if chunk["pair"] != "Tanh"]
    assert names(c for c in counted if c["pair"] != "Tanh") == names(expected)
    # Of what differs, this code's own chunks count.
    assert {(c["code"], c["shares"]["torch/output"][-1]) for c in counted if c["pair"] == "Tanh"} == {("new", 0.75)}
    assert {chunk["pair"] for chunk in judged(results).differing()} == {"Tanh"}
    twice = judged(results).twice()
    for pair, dtype in {(chunk["pair"], chunk["dtype"]) for chunk in expected}:
        assert sum(c["examples"] for c in twice if (c["pair"], c["dtype"]) == (pair, dtype)) >= REPLAYED
    code.performed = []
    soak(results, 0, 0, ["torch"], one_by_one, replay=True)
    assert code.performed == []


def test_what_counts_by_a_sample_does_so_elsewhere_too(tmp_path: Path, code: Code) -> None:
    results, elsewhere = Results(tmp_path / "here"), Results(tmp_path / "elsewhere")
    soak(results, 20_000, 1, ["torch"], one_by_one)
    code.name = "new"
    soak(results, 0, 0, ["torch"], one_by_one, replay=True)
    evidence.keep(CHUNKS, judged(results).basis())
    assert names(chunks(elsewhere)) == {chunk.name for chunk in planned(20_000, 1)}
    assert to_replay(elsewhere) == []
    code.name = "newer"
    assert chunks(elsewhere) == []
    assert to_replay(elsewhere)


def test_another_code_chooses_another_sample(tmp_path: Path, code: Code) -> None:
    results = Results(tmp_path)
    soak(results, 40_000, 1, ["torch"], one_by_one)
    chosen = []
    for code.name in ("new", "newer", "newest"):
        chosen.append({chunk.key for chunk in to_replay(results)})
    assert len({frozenset(keys) for keys in chosen}) == 3


def soaked(*records: tuple[str, str, int]) -> Soaked:
    """Records of a key, a code and what it found."""
    return Soaked(
        [{"key": key, "code": code, "found": found} for key, code, found in records],
        own=lambda record: bool(record["code"] == "new"),
        name=lambda record: str(record["key"]),
        kind=lambda record: 0,
        code=lambda record: record["code"],
        found=lambda record: record["found"],
        weight=lambda record: 1,
        enough=2,
    )


@pytest.mark.parametrize(
    ("again", "counts"),
    [
        ({"a": 1}, False),
        ({"a": 1, "b": 2}, True),
        ({"a": 1, "b": 2, "c": 3}, True),
        ({"a": 1, "b": 2, "c": 4}, False),
        ({"x": 1, "y": 2}, False),
    ],
    ids=["too few", "enough", "all", "one of them otherwise", "others"],
)
def test_a_group_is_carried_on_by_enough_that_is_all_the_same(again: dict[str, int], counts: bool) -> None:
    found = soaked(("a", "old", 1), ("b", "old", 2), ("c", "old", 3), *((key, "new", at) for key, at in again.items()))
    assert {record["key"] for record in found.counted()} == {*again, *("abc" if counts else "")}
    assert not {record["code"] for record in found.counted() if record["key"] in again} - {"new"}


def test_curves_of_other_code_are_trained_again_on_their_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, asked, now = Results(tmp_path), [], {"code": "old", "packages": "these", "recipes": "these"}
    monkeypatch.setattr(curve_soak, "origin", lambda: dict(now))
    names = [("digits-plain", "float32"), ("digits-plain", "float64")]
    monkeypatch.setattr(curve_soak, "curves", lambda seed: iter(names))
    observed = {"steps": 1, "compared": 1, "factors": {"torch": [1.0] * curve_soak.MOVED}, "seconds": 0.0}
    monkeypatch.setattr(
        curve_soak,
        "observe",
        lambda name, dtype, seed, _: ({"name": name, "dtype": dtype, "seed": seed, **observed}, {}),
    )

    def call_on(machine: Any, function: str, *arguments: Any) -> Any:
        asked.append(arguments[1:3])
        curve_soak.soak_seed(*arguments)
        return type("Done", (), {"returncode": 0})

    monkeypatch.setattr(curve_soak, "call_on", call_on)
    assert curve_soak.soak(results, [], 12, 5, ["here"]) == []
    assert len(curve_soak.records(results)) == 12
    now["code"] = "new"
    assert curve_soak.records(results) == []
    asked.clear()
    assert curve_soak.replay(results, []) == []
    assert 0 < len(asked) < 6
    assert {machine for machine, _ in asked} == {"here"}
    assert len(curve_soak.records(results)) == 12
    assert len(curve_soak.trained(results).twice()) == len(names) * curve_soak.REPLAYED
    now |= {"code": "newer", "packages": "others"}
    assert curve_soak.trained(results).to_replay("newer") == []
