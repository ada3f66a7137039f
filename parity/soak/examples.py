"""The soak, which counts how often a right implementation is called wrong: every pair, with fresh seeds.

It goes on for as long as one likes. The examples come in chunks, each of a seed of its own, and a chunk is a record: a
soak that is stopped goes on where it was, and so does one that is asked for more. Chunks of other code do not count, so
that the count starts again after an alarm was mended at its cause; unless the present code, on a sample of the same
examples, finds the same (`parity.soak.carrying`). What is stored of each chunk is the share of the allowance that every
example used, by implementation and quantity: the soak is for their distribution and the estimate of its tail.
The derivatives that the reference's gradients are checked by are soaked in the same way, in longdouble.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from parity.derivatives.proving import check_derivatives
from parity.formats import DTYPES
from parity.ladder.proving import prove, targets
from parity.results.code import judging
from parity.results.evidence import kept
from parity.results.planning import planned as plan
from parity.results.records import CRASHED, Json
from parity.results.records.soaks import ChunkRecord, SoakRecord
from parity.results.store import Results, number_of
from parity.soak.carrying import Soaked
from parity.statistics.tails import quantiles, tail
from parity.work.memory import forgetting
from parity.work.pool import Call, Crash

CHUNKS, SUMMARY = ChunkRecord.KIND, SoakRecord.KIND
# Random networks meet what no layer's own examples do, so that they are a fifth of all; Graph's cost three times as
# much as Sequential's.
NETWORKS = {"Sequential": 0.15, "Graph": 0.05}
AHEAD = 8  # times as fast as the others
CHUNK = {"Sequential": 60, "Graph": 20}
USUAL_CHUNK = 200  # about ten seconds of work: what a kill may cost
DIGITS = 3  # of a share that is stored
DERIVATIVES = "longdouble"  # the dtype of chunks of derivatives, whose quantity they are
REPLAYED = 200  # examples of each pair and dtype that are judged again: all pairs together take five minutes
SEEDS = 10**6  # chunk i of seed s draws from seed s * SEEDS + i


@dataclass(frozen=True)
class Chunk:
    """Some examples of one pair and dtype, of a seed that no other chunk has."""

    pair: str
    dtype: str
    seed: int
    number: int

    @property
    def name(self) -> str:
        return f"{self.pair}/{self.dtype}/{self.seed}/{self.number}"

    @property
    def key(self) -> str:
        """The key of the record that this code makes of it: what other code made of it stays beside that."""
        return f"{self.name}/{code(self.dtype)[:8]}"

    @property
    def examples(self) -> int:
        return CHUNK.get(self.pair, USUAL_CHUNK)

    @property
    def random_seed(self) -> int:
        return self.seed * SEEDS + self.number


def planned(examples: int, seed: int, derivatives: bool = False) -> list[Chunk]:
    """The chunks of a soak of at least `examples`, in the order in which they are performed.

    A fifth are of networks, the rest of all other pairs alike; first comes one chunk of each pair, then the next, so
    that a soak that is stopped has looked at all of them. Networks, which raise most alarms, go ahead: an alarm is
    mended, and the count starts again. With `derivatives` all pairs have equal shares.
    """
    names = [target.__name__ for target in targets()]
    usual = (1 - sum(NETWORKS.values())) / (len(names) - len(NETWORKS))
    found = []
    for name in names:
        share = 1 / len(names) if derivatives else NETWORKS.get(name, usual)
        dtypes = [DERIVATIVES] if derivatives else list(DTYPES)
        number = math.ceil(examples * share / len(dtypes) / CHUNK.get(name, USUAL_CHUNK))
        # At which point of the soak each comes: halfway through, half of every pair's chunks are done.
        pace = AHEAD if name in NETWORKS else 1
        found += [(i / number / pace, Chunk(name, dtype, seed, i)) for i in range(number) for dtype in dtypes]
    return [chunk for _, chunk in sorted(found, key=lambda entry: entry[0])]


@forgetting()
def perform(pair: str, dtype: str, seed: int, number: int, frameworks: list[str]) -> ChunkRecord:
    """Judge the examples of one chunk; returns its record.

    An alarm ends the chunk, and is kept with its script, unshrunk.
    """
    chunk = Chunk(pair, dtype, seed, number)
    target = next(target for target in targets() if target.__name__ == pair)
    look = _derivatives if dtype == DERIVATIVES else _rungs
    started = time.perf_counter()
    found = look(target, chunk, frameworks)
    found["shares"] = {
        use: [float(f"{share:.{DIGITS}g}") for share in shares] for use, shares in found["shares"].items()
    }
    return ChunkRecord(
        key=chunk.key,
        passed=found["alarm"] is None,
        seconds=time.perf_counter() - started,
        code=code(dtype),
        **asdict(chunk),
        **found,
    )


def _rungs(target: type, chunk: Chunk, frameworks: list[str]) -> Json:
    report = prove(
        target,
        chunk.dtype,
        examples=chunk.examples,
        frameworks=frameworks,
        random_seed=chunk.random_seed,
        shrink=False,
    )
    return {
        "examples": report.examples,
        "digest": report.digest,
        "shares": report.shares,
        "alarm": report.failure,
        "frameworks": report.frameworks,
    }


def _derivatives(target: type, chunk: Chunk, frameworks: list[str]) -> Json:
    report = check_derivatives(target, examples=chunk.examples, random_seed=chunk.random_seed, shrink=False)
    return {
        "examples": report.examples,
        "shares": {"numpynet/derivative": report.shares} if report.shares else {},
        "kinks": report.kinks,
        "alarm": report.message or None,
    }


def code(dtype: str) -> str:
    """The SHA-256 (hex) of everything that draws and judges an example of this dtype, as this process began."""
    return judging("derivatives") if dtype == DERIVATIVES else judging("frameworks", "ladder")


def soak(
    results: Results,
    examples: int,
    seed: int,
    frameworks: Sequence[str],
    run: Callable[[Iterable[Call]], Iterator[tuple[Call, Any]]],
    progress: Callable[[int, int], object] = lambda done, total: None,
    derivatives: bool = False,
    replay: bool = False,
) -> list[SoakRecord]:
    """Have `run` perform the chunks that neither `results` nor the evidence holds yet, and record the summary.

    With `replay` these are a sample of the chunks that other code judged. A chunk that crashed is recorded with how,
    and is tried again by the next soak. Returns the summary's records: one for each pair, dtype, implementation and
    quantity.
    """
    if replay:
        waiting = to_replay(results, derivatives)
    else:
        done = {chunk_of(record).name for record in chunks(results)}
        waiting = [chunk for chunk in planned(examples, seed, derivatives) if chunk.name not in done]
    calls = [Call(chunk, perform, (*asdict(chunk).values(), list(frameworks))) for chunk in waiting]
    with plan(results, "soak", {CHUNKS: [chunk.key for chunk in waiting]}, examples=examples, seed=seed):
        progress(0, len(calls))
        for number, (call, found) in enumerate(run(calls), 1):
            record = found
            if isinstance(found, Crash):
                record = {
                    **asdict(call.about),
                    "status": CRASHED,
                    "message": found.message,
                    "code": code(call.about.dtype),
                }
            results.append(CHUNKS, call.about.key, record)
            progress(number, len(calls))
    summary = summarised(chunks(results))
    for record in summary:
        results.append(SUMMARY, record.key, record)
    return summary


def chunks(results: Results) -> list[Json]:
    """The chunks, kept or in `results`, that count: of this code, or of other code that judges alike."""
    return judged(results).counted()


def to_replay(results: Results, derivatives: bool = False) -> list[Chunk]:
    """Chunks of other code that this code has to judge again, so that those of the same pair and dtype count."""
    found = judged(results).to_replay(code(DERIVATIVES if derivatives else DTYPES[0]))
    return [chunk for chunk in map(chunk_of, found) if (chunk.dtype == DERIVATIVES) == derivatives]


def chunk_of(record: Json) -> Chunk:
    return Chunk(*(record[name] for name in ("pair", "dtype", "seed", "number")))


def soaked(chunks: Iterable[Json]) -> dict[str, list[Json]]:
    """The chunks by what was soaked in them: "derivatives" or "rungs 1 to 3"."""
    found: dict[str, list[Json]] = {}
    for chunk in chunks:
        found.setdefault("derivatives" if chunk["dtype"] == DERIVATIVES else "rungs 1 to 3", []).append(chunk)
    return found


def crashes(results: Results) -> list[Json]:
    """The chunks that crashed with this code, and have not been judged since."""
    return [record for record in results.read(CHUNKS) if record.get("status") == CRASHED and _of_this_code(record)]


def judged(results: Results) -> Soaked:
    """All chunks that were judged, by whatever code; those that are kept with the code among them."""
    return Soaked(
        [record for record in [*kept(CHUNKS), *results.read(CHUNKS)] if record.get("status") != CRASHED],
        own=_of_this_code,
        name=lambda record: chunk_of(record).name,
        kind=lambda record: (record["pair"], record["dtype"]),
        code=lambda record: record["code"],
        found=lambda record: [record.get(name) for name in ("digest", "shares", "kinks", "alarm")],
        weight=lambda record: int(record["examples"]),
        enough=REPLAYED,
    )


def _of_this_code(record: Json) -> bool:
    return bool(record["code"] == code(record["dtype"]))


def summarised(chunks: Sequence[Json]) -> list[SoakRecord]:
    """The summary's records: for each pair, dtype, implementation and quantity, the shares used and their tail."""
    shares: dict[tuple[str, str, str, str], list[float]] = {}
    alarms: dict[tuple[str, str], list[str]] = {}
    seeds: dict[tuple[str, str], set[int]] = {}
    for chunk in chunks:
        place = chunk["pair"], chunk["dtype"]
        seeds.setdefault(place, set()).add(chunk["seed"])
        if chunk["alarm"]:
            alarms.setdefault(place, []).append(chunk["alarm"])
        for use, values in chunk["shares"].items():
            implementation, _, quantity = use.partition("/")
            shares.setdefault((*place, implementation, quantity), []).extend(map(number_of, values))
    found = []
    for (pair, dtype, implementation, quantity), values in shares.items():
        estimate, called_wrong = tail(values), int(np.sum(~(np.array(values) <= 1)))
        found.append(
            SoakRecord(
                key=f"{pair}/{dtype}/{implementation}/{quantity}",
                pair=pair,
                dtype=dtype,
                implementation=implementation,
                quantity=quantity,
                examples=len(values),
                passed=not called_wrong,
                alarms=called_wrong,
                largest=max(values),
                quantiles=quantiles(values),
                tail=estimate.probability if estimate else None,
                tail_interval=(0.0, estimate.upper) if estimate else None,
                threshold=estimate.threshold if estimate else None,
                exceedances=estimate.exceedances if estimate else 0,
                seeds=sorted(seeds[pair, dtype]),
                message="\n".join(alarms.get((pair, dtype), [])),
            )
        )
    return found
