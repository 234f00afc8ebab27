"""What nobody foresaw goes wrong in a worker of this process: it is replaced, as on Ray."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

import raygrad as rg
from raygrad.proto.errors import KernelError, WorkerLostError
from raygrad.proto.messages import MiniBatch, SessionOptions
from raygrad.scheduler.events import Run
from raygrad.scheduler.local_cluster import LocalCluster
from raygrad.scheduler.losses import MAX_LOSSES
from raygrad.scheduler.scheduler import Scheduler
from raygrad.scheduler.session import Session
from raygrad.workers.executor import Executor

from .serving import DEADLINE, mean_square, mini_batches, weights
from .steps import digest


class Clumsy(Executor):
    """Fails in a method, as often as it says there, whatever worker of the test it is."""

    fails: Mapping[str, int]

    def _fail(self, method: str) -> None:
        left = self.fails.get(method, 0)
        if left:
            self.fails = type(self).fails = {**self.fails, method: left - 1}
            raise MemoryError("no room")


def _clumsy(name: str) -> Any:
    def method(self: Clumsy, *arguments: Any) -> Any:
        self._fail(name)
        return getattr(super(Clumsy, self), name)(*arguments)

    return method


METHODS = ("open", "load", "put", "fence", "snapshot", "restore", "end_step")
for _name in (*METHODS, "_run"):
    setattr(Clumsy, _name, _clumsy(_name))


@contextmanager
def opened(workers: int = 1, **fails: int) -> Iterator[tuple[LocalCluster, Session]]:
    """A session with parameters, on workers that fail."""
    kind: Any = type("Clumsy", (Clumsy,), {"fails": fails})
    cluster = LocalCluster(workers, "numpy", executor=kind)
    scheduler = Scheduler(cluster)
    options = SessionOptions(replicas=workers, stages=1, snapshot_every=2)
    session = scheduler.create_session(rg.encode(mean_square()), options).result(DEADLINE)
    session.put(weights()).result(DEADLINE)
    yield cluster, session
    scheduler.close()


def run_step(cluster: LocalCluster, session: Session) -> str:
    """Five mini-batches, with a loss in between, so that every method is needed."""
    batches = [MiniBatch(feeds, index) for index, feeds in enumerate(mini_batches(5))]
    for batch in batches[:3]:
        session.step_batch(batch).result(DEADLINE)
    cluster.kill(0)
    for batch in batches[3:]:
        session.step_batch(batch).result(DEADLINE)
    return digest(session.gradients(expect=5).result(DEADLINE))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("method", METHODS)
def test_a_worker_that_cannot_prepare_is_replaced(method: str, workers: int) -> None:
    with opened(workers) as (cluster, session):
        expected = run_step(cluster, session)
    with opened(workers, **{method: 2}) as (cluster, session):
        assert run_step(cluster, session) == expected
        assert run_step(cluster, session) == expected
        (executor, *_) = cluster.executors.values()
        assert isinstance(executor, Clumsy)
        assert executor.fails[method] == 0 or (method, workers) == ("restore", 2)


def test_a_worker_that_never_can_is_given_up_with_the_reason() -> None:
    with opened(put=1000) as (cluster, session):
        with pytest.raises(WorkerLostError, match="no room"):
            session.step_batch(MiniBatch(mini_batches(1)[0], 0)).result(DEADLINE)
        assert cluster.workers == ()


def test_a_run_that_fails_in_some_way_ends_its_mini_batch_only() -> None:
    with opened(_run=1) as (_, session):
        batch = MiniBatch(mini_batches(1)[0], 0)
        with pytest.raises(KernelError, match="MemoryError: no room"):
            session.step_batch(batch).result(DEADLINE)
        session.step_batch(batch).result(DEADLINE)
        assert session.gradients(expect=1).result(DEADLINE).indices == (0,)
        assert session.reruns == 0


def test_an_interrupt_in_the_middle_of_a_call() -> None:
    """Ctrl-C in a notebook: the worker may have stopped anywhere, and the session goes on."""
    with opened() as (cluster, session):
        expected = run_step(cluster, session)
        executor = cluster.executors[0]
        run = executor.run

        def interrupted(*arguments: Any) -> Any:
            run(*arguments)
            raise KeyboardInterrupt

        executor.run = interrupted  # type: ignore[method-assign]
        batches = [MiniBatch(feeds, index) for index, feeds in enumerate(mini_batches(5))]
        with pytest.raises(KeyboardInterrupt):
            session.step_batch(batches[0])
        for batch in batches:
            session.step_batch(batch).result(DEADLINE)
        assert digest(session.gradients(expect=5).result(DEADLINE)) == expected


def test_more_losses_than_are_made_good() -> None:
    """As often as that, something kills the worker that a new one will not survive either."""
    with opened() as (cluster, session):
        session.step_batch(MiniBatch(mini_batches(1)[0], 0)).result(DEADLINE)

        def kill(run: Run) -> None:
            cluster.kill(run.worker, "killed by a test")

        cluster.before_run = kill
        with pytest.raises(WorkerLostError, match=f"{MAX_LOSSES + 1} times.*killed by a test"):
            session.forward(mini_batches(1)[0]).result(DEADLINE)
