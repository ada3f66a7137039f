"""Runs a study on a Dask cluster, where one machine is too small: `parity study digits --dask tcp://host:8786`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor
from contextlib import contextmanager

PATIENCE = 10  # seconds for the scheduler to answer


class ClusterError(ConnectionError):
    """Raised where a cluster cannot be used, or is no longer there; the message says why and what to do."""


@contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """A context that yields the workers of the Dask scheduler at `address` as an executor; it starts and stops none.

    A call whose worker dies is made again on another, by default three times; then it fails with KilledWorker. Raises
    ClusterError where there is no scheduler, or where it is lost.
    """
    try:
        from distributed import Client  # noqa: PLC0415 - an extra
        from distributed.comm.addressing import get_address_host_port  # noqa: PLC0415
    except ImportError as error:
        raise ClusterError("a Dask cluster needs the package distributed: pip install distributed") from error
    try:
        get_address_host_port(address)  # Client leaves a thread behind where it cannot read the address
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ClusterError(f"no Dask scheduler at {address!r}: {error}") from error
    # What is lost is said below, and not by every task and every connection that lost it.
    for name in ("distributed", "distributed.client", "asyncio", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with client:
        try:
            yield client.get_executor(pure=False)
        except BrokenExecutor as error:
            raise ClusterError(
                f"the Dask scheduler at {address} was lost: run again to resume, finished runs are kept"
            ) from error
