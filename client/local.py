"""Sessions without a server: the scheduler and its workers in this process.

The same graphs, results and bits as through a server; for notebooks, tests and small work.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from concurrent.futures import Future
from typing import TypeVar, Unpack

from raygrad.proto.arguments import public
from raygrad.proto.builder import Builder, graph_of
from raygrad.proto.codec import encode
from raygrad.proto.errors import ConfigurationError
from raygrad.proto.graph import Graph
from raygrad.proto.messages import PlanSummary, SessionOptions
from raygrad.proto.tensor import INTEGERS, Array
from raygrad.scheduler import session as domain
from raygrad.scheduler.local_cluster import LocalCluster
from raygrad.scheduler.scheduler import Scheduler

from .options import Options
from .session import Session

T = TypeVar("T")

MOST_WORKERS = 1024
_public = functools.partial(public, unchecked=("graph", "workers"))


class InProcess:
    """A session of a scheduler in this process, which ends with it. Calls do their work at once."""

    inline = True
    keeps = True

    def __init__(self, session: domain.Session, scheduler: Scheduler) -> None:
        self.id = session.id
        self._session = session
        self._scheduler = scheduler
        self.put = session.put
        self.step_batch = session.step_batch
        self.forward = session.forward
        self.backward = session.backward
        self.release = session.release
        self.gradients = session.gradients
        self.room = session.room

    def get(self) -> Future[Mapping[str, Array]]:
        """Parameters and buffers as last put."""
        return _done(self._session.get())

    def plan(self, sizes: Mapping[str, int] | None = None) -> Future[PlanSummary]:
        """How the session is spread over the workers."""
        return _done(self._session.plan(sizes))

    def close(self) -> Future[None]:
        """Close the session, and the scheduler that was made for it."""
        closed = self._session.close()
        self._scheduler.close()
        return closed


@_public
def local(
    graph: Graph | Builder,
    *,
    backend: str = "auto",
    workers: int = 1,
    timeout: float | None = None,
    **options: Unpack[Options],
) -> Session:
    """A session for `graph` in this process, on `workers` workers that take turns.

    `backend` is "auto", "numpy", "torch", "torch-cpu" or "torch-cuda". Calls work in the caller's
    thread, so `timeout` bounds only waits for other threads. The other options are those of `connect`.
    """
    whole = graph_of(graph)
    check_workers(workers)
    return Session(open_in_process(whole, SessionOptions.of(options), backend, workers), whole, timeout)


def check_workers(workers: int) -> None:
    """`ConfigurationError` for a number of workers that nobody needs in one process."""
    if isinstance(workers, bool) or not isinstance(workers, INTEGERS) or not 1 <= workers <= MOST_WORKERS:
        raise ConfigurationError(f"workers must be 1 to {MOST_WORKERS}, got {workers!r:.80}")


def open_in_process(graph: Graph, options: SessionOptions, backend: str, workers: int) -> InProcess:
    """The other side of a new session: a scheduler of its own. The graph goes through its document."""
    scheduler = Scheduler(LocalCluster(workers, backend))
    try:
        return InProcess(scheduler.create_session(encode(graph), options).result(), scheduler)
    except BaseException:
        scheduler.close()
        raise


def _done(value: T) -> Future[T]:
    future: Future[T] = Future()
    future.set_result(value)
    return future
