"""Work of the commands that other processes can share: functions of plain arguments, and how they are spread."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from parity.terminal import progress

if TYPE_CHECKING:
    from parity.proving import Report


def prove_one(
    file: str | None, name: str, dtype: str, examples: int, frameworks: list[str], seed: int | None
) -> Report:
    from parity.proving import load, prove, targets

    modules = None if file is None else [load(file)]
    target = next(target for target in targets(modules) if target.__name__ == name)
    return prove(target, dtype, examples=examples, frameworks=frameworks, random_seed=seed)


def digest_one(name: str, dtype: str, counts: list[int], seed: int | None) -> tuple[str, str, list[str]]:
    from parity.proving import digests, targets

    target = next(target for target in targets() if target.__name__ == name)
    return name, dtype, digests(target, dtype, counts, seed)


def plant_one(name: str) -> dict[str, Any]:
    from parity.defects import gallery, run

    return run(next(defect for defect in gallery() if defect.name == name))


def experiment_on_all(
    name: str, frameworks: list[str], folder: str, seeds: int | None, quick: bool, shown: bool = False
) -> list[dict[str, Any]]:
    """Under a bar of its own epochs where it is `shown`."""
    from parity.experiments import run_experiment
    from parity.results import Results

    with progress(name) if shown else nullcontext() as show:
        return run_experiment(
            name,
            frameworks,
            "quick" if quick else "full",
            show or (lambda done, total: None),
            Results(folder),
            range(seeds) if seeds else None,
        )


def run_all(work: Any, arguments: list[tuple[Any, ...]], workers: int, title: str) -> Iterator[Any]:
    """`work(*arguments)` for each, as they finish, under a progress bar."""
    with progress(title) as show:
        show(0, len(arguments))
        if workers == 1:
            done: Iterable[Any] = (work(*each) for each in arguments)
            for count, result in enumerate(done, 1):
                show(count, len(arguments))
                yield result
            return
        from concurrent.futures import ProcessPoolExecutor, as_completed
        from multiprocessing import get_context

        with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_single_threaded) as pool:
            futures = [pool.submit(work, *each) for each in arguments]
            for count, future in enumerate(as_completed(futures), 1):
                show(count, len(arguments))
                yield future.result()


def _single_threaded() -> None:
    """Processes that share the cores must not each take them all."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")
