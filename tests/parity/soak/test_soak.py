"""The soak: what it plans, that it resumes, and that nothing of other code or of an alarm is passed over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import numpynet
from parity.ladder.proving import targets
from parity.results import evidence
from parity.results.store import Results
from parity.soak import examples as module
from parity.soak.examples import (
    CHUNKS,
    DERIVATIVES,
    NETWORKS,
    USUAL_CHUNK,
    Chunk,
    chunks,
    crashes,
    planned,
    soak,
    summarised,
)
from parity.work.pool import Call, Crash


def one_by_one(calls: Iterable[Call]) -> Iterator[tuple[Call, Any]]:
    return ((call, call.work(*call.arguments)) for call in calls)


@pytest.fixture
def instant(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Chunks that are performed in no time; the keys of those that were."""
    performed: list[str] = []

    def perform(*arguments: Any) -> dict[str, Any]:
        chunk = Chunk(*arguments[:4])
        performed.append(chunk.key)
        shares = {"torch/output": [0.25] * (chunk.examples - 1) + [0.5]}
        return {**vars(chunk), "key": chunk.key, "examples": chunk.examples, "shares": shares, "passed": True} | {
            "code": module.code(chunk.dtype)
        }

    monkeypatch.setattr(module, "perform", perform)
    return performed


def test_a_fifth_are_networks_and_the_others_have_equal_shares() -> None:
    count = Counter[str]()
    for chunk in planned(100_000, 1):
        count[chunk.pair] += chunk.examples
    networks = sum(count[name] for name in NETWORKS)
    usual = {name: number for name, number in count.items() if name not in NETWORKS}
    assert set(count) == {target.__name__ for target in targets()}
    assert sum(count.values()) >= 100_000
    assert networks >= 20_000
    assert len(set(usual.values())) == 1


def test_early_chunks_are_of_every_pair() -> None:
    early = planned(100_000, 1)[: 2 * len(targets())]
    assert len({chunk.pair for chunk in early}) == len(targets())


def test_no_two_chunks_share_a_seed_and_a_larger_soak_contains_the_smaller() -> None:
    large = {chunk.key for chunk in planned(50_000, 1)}
    assert {chunk.key for chunk in planned(20_000, 1)} < large
    assert not large & {chunk.key for chunk in planned(50_000, 2)}


def test_derivatives_are_of_all_pairs_alike_and_no_smaller_than_asked_for() -> None:
    count = Counter[str]()
    for chunk in planned(100_000, 1, derivatives=True):
        assert chunk.dtype == DERIVATIVES
        count[chunk.pair] += chunk.examples
    assert set(count) == {target.__name__ for target in targets()}
    assert sum(count.values()) >= 100_000
    assert max(count.values()) - min(count.values()) < USUAL_CHUNK


def test_a_soak_that_was_stopped_goes_on(tmp_path: Path, instant: list[str]) -> None:
    results = Results(tmp_path)

    def stops(calls: Iterable[Call]) -> Iterator[tuple[Call, Any]]:
        yield from one_by_one(list(calls)[:7])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        soak(results, 10_000, 1, ["torch"], stops)
    soak(results, 10_000, 1, ["torch"], one_by_one)
    assert sorted(instant) == sorted(chunk.key for chunk in planned(10_000, 1))
    soak(results, 10_000, 1, ["torch"], one_by_one)
    assert len(instant) == len(planned(10_000, 1))
    assert len(chunks(results)) == len(instant)


def test_chunks_of_other_code_do_not_count(tmp_path: Path, instant: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    results = Results(tmp_path)
    soak(results, 1000, 1, ["torch"], one_by_one)
    monkeypatch.setattr(module, "code", lambda dtype: "mended")
    assert chunks(results) == []


def test_a_chunk_that_crashed_is_named_and_tried_again(tmp_path: Path, instant: list[str]) -> None:
    results = Results(tmp_path)

    def crash(calls: Iterable[Call]) -> Iterator[tuple[Call, Any]]:
        first, *others = calls
        yield first, Crash("signal 9 (Killed)", died=True)
        yield from one_by_one(others)

    soak(results, 1000, 1, ["torch"], crash)
    assert [record["message"] for record in crashes(results)] == ["signal 9 (Killed)"]
    assert len(chunks(results)) == len(planned(1000, 1)) - 1
    soak(results, 1000, 1, ["torch"], one_by_one)
    assert crashes(results) == []
    assert len(chunks(results)) == len(planned(1000, 1))


def test_the_summary_has_the_distribution_and_the_alarm() -> None:
    judged = [
        {
            "pair": "ReLU",
            "dtype": "float32",
            "seed": 1,
            "number": number,
            "shares": {"torch/output": shares},
            "alarm": alarm,
        }
        for number, shares, alarm in ((0, [0.1] * 99 + [0.75], None), (1, [0.1, None], "rung 1"))
    ]
    [record] = summarised(judged)
    assert record.key == "ReLU/float32/torch/output"
    assert record.examples == 102
    assert (record.alarms, record.passed) == (1, False)
    assert record.largest == float("inf")
    assert record.quantiles["median"] == 0.1
    assert record.message == "rung 1"


def test_a_real_chunk_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "USUAL_CHUNK", 5)
    record = module.perform("ReLU", "float64", 3, 0, [])
    assert record.examples == 5
    assert record.alarm is None
    assert [len(shares) for shares in record.shares.values()] == [5, 5]
    assert set(record.shares) == {"numpynet/output", "numpynet/input gradient"}


def test_a_wrong_derivative_is_an_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "USUAL_CHUNK", 5)
    right = module.perform("Tanh", DERIVATIVES, 3, 0, [])
    assert right.alarm is None
    assert len(right.shares["numpynet/derivative"]) == right.examples == 5
    monkeypatch.setattr(numpynet.Tanh, "backward", lambda self, cotangent: cotangent)
    wrong = module.perform("Tanh", DERIVATIVES, 3, 0, [])
    assert not wrong.passed
    assert "is not the derivative" in (wrong.alarm or "")


def test_what_was_kept_counts_elsewhere_for_the_same_code_and_packages(
    tmp_path: Path, instant: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere = Results(tmp_path / "here"), Results(tmp_path / "elsewhere")
    soak(here, 1000, 1, ["torch"], one_by_one)
    file = evidence.keep(CHUNKS, chunks(here))
    assert [chunk["key"] for chunk in chunks(elsewhere)] == instant
    soak(elsewhere, 1000, 1, ["torch"], one_by_one)
    assert len(instant) == len(planned(1000, 1))
    before = file.read_bytes()
    assert evidence.keep(CHUNKS, chunks(elsewhere)).read_bytes() == before
    monkeypatch.setattr(evidence, "packages", lambda: "others")
    assert chunks(elsewhere) == []


def test_what_was_kept_of_other_code_does_not_count(
    tmp_path: Path, instant: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    results = Results(tmp_path)
    soak(results, 1000, 1, ["torch"], one_by_one)
    evidence.keep(CHUNKS, chunks(results))
    monkeypatch.setattr(module, "code", lambda dtype: "mended")
    assert chunks(Results(tmp_path / "elsewhere")) == []


def test_a_chunk_of_other_code_hides_none_that_is_kept(
    tmp_path: Path, instant: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    results, stale = Results(tmp_path / "results"), Results(tmp_path / "stale")
    soak(results, 1000, 1, ["torch"], one_by_one)
    evidence.keep(CHUNKS, chunks(results))
    with monkeypatch.context() as other:
        other.setattr(module, "code", lambda dtype: "of yesterday")
        soak(stale, 1000, 1, ["torch"], one_by_one)
    assert len(chunks(stale)) == len(planned(1000, 1))
