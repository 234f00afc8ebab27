"""Workers on Ray are killed at named points: the step ends with the same bits, and nobody sees an error."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, NoReturn

import pytest
from ray import cloudpickle

import raygrad as rg
from raygrad.client import networks
from raygrad.proto.errors import ResourceError
from raygrad.scheduler.events import Close, ClusterEvent, WorkerGone, WorkerLost
from raygrad.scheduler.ray_cluster import RayCluster
from raygrad.scheduler.scheduler import Budgets, Scheduler
from raygrad.scheduler.session import Session
from raygrad.workers.store import RunKey

from . import mortal
from .random_graphs import even_placement
from .serving import eventually
from .steps import DEADLINE, Work, accumulate, digest, work

pytestmark = pytest.mark.ray

CALL_TIMEOUT = 5.0
"""Seconds until a silent worker is killed: enough for a call on a busy machine."""


@dataclass(frozen=True)
class Arena:
    """Workers that die where a file says so, as replicas of two stages."""

    scheduler: Scheduler
    folder: Path
    replicas: int

    def open(self, snapshot_every: int = 0) -> Session:
        """A session on all workers."""
        given = work_()
        return given.open(self.scheduler, even_placement(given.graph, 2), self.replicas, snapshot_every)

    def arm(self, point: str) -> Path:
        """Whoever comes to this point first dies."""
        armed = self.folder / point
        armed.touch()
        return armed


@pytest.fixture(scope="module", params=[1, 2], ids=["1x2", "2x2"])
def arena(
    request: pytest.FixtureRequest, ray_started: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Arena]:
    """Replicas of two stages, with NumPy, since a new process has to start for every test."""
    cloudpickle.register_pickle_by_value(mortal)  # type: ignore[no-untyped-call]
    folder = tmp_path_factory.mktemp("points")
    cluster = RayCluster(2 * request.param, "numpy", executor=partial(mortal.Mortal, folder=folder))
    scheduler = Scheduler(cluster, Budgets(call_timeout=CALL_TIMEOUT))
    yield Arena(scheduler, folder, request.param)
    scheduler.close()


@cache
def work_() -> Work:
    """A step of the siamese network, whose stages share parameters."""
    network = networks.siamese()
    return work(network.graph, network.parameters, rows=4)


@cache
def expected() -> str:
    """The bits without any loss."""
    given = work_()
    with rg.local(given.graph, backend="numpy", timeout=DEADLINE) as session:
        session.put(given.parameters)
        session.accumulate(given.batches, progress=False)
        return digest(session.gradients())


def require_recovered(session: Session, gradients: rg.Gradients) -> None:
    """The same bits; something ran again, every contribution counts once on each stage, nothing is left."""
    assert digest(gradients) == expected()
    assert session.reruns > 0
    taken = session._taken
    assert taken is not None
    for parts in taken.parts.values():
        held = [index for part in parts for index in part.ledger]
        assert sorted(held) == list(range(12))
    session.close()
    cluster = session._scheduler.cluster
    assert isinstance(cluster, RayCluster)
    eventually(lambda: not cluster._bundles)  # nor is anything kept of the attempts that came to nothing


@pytest.mark.parametrize(
    "point",
    [
        "F0 of 5",  # in the forward pass
        "FB1 of 5",
        "B0 of 5",  # in the backward pass, after the other stage has added
        "stage 0 added 5",  # added, and not told
        "stage 1 added 5",
    ],
)
def test_killed_at_a_point(arena: Arena, point: str) -> None:
    armed = arena.arm(point)
    session = arena.open()
    gradients = accumulate(session, work_().batches)
    assert not armed.exists(), "nobody died"
    require_recovered(session, gradients)


def test_killed_after_a_snapshot(arena: Arena) -> None:
    armed = arena.arm("after a snapshot")
    session = arena.open(snapshot_every=3)
    gradients = accumulate(session, work_().batches)
    assert not armed.exists(), "nobody died"
    require_recovered(session, gradients)


def test_killed_between_two_mini_batches(arena: Arena) -> None:
    session = arena.open()
    batches = work_().batches
    for batch in batches[:6]:
        session.step_batch(batch).result(DEADLINE)
    os.kill(arena.scheduler.cluster.info(session.workers[0]).pid, signal.SIGKILL)
    for batch in batches[6:]:
        session.step_batch(batch).result(DEADLINE)
    require_recovered(session, session.gradients(expect=12).result(DEADLINE))


def test_a_worker_that_hangs(arena: Arena) -> None:
    session = arena.open()
    batches = work_().batches
    for batch in batches[:3]:
        session.step_batch(batch).result(DEADLINE)
    os.kill(arena.scheduler.cluster.info(session.workers[1]).pid, signal.SIGSTOP)
    rest = [session.step_batch(batch) for batch in batches[3:]]
    for future in rest:
        future.result(DEADLINE)
    require_recovered(session, session.gradients(expect=12).result(DEADLINE))


def test_a_lease_outlives_its_worker(arena: Arena) -> None:
    session = arena.open()
    leases = [
        session.forward(b.feeds, keep=True, index=b.index, weight=b.weight).result(DEADLINE).lease
        for b in work_().batches
    ]
    os.kill(arena.scheduler.cluster.info(session.workers[1]).pid, signal.SIGKILL)
    for lease in leases:
        session.backward(lease).result(DEADLINE)
    require_recovered(session, session.gradients(expect=12).result(DEADLINE))


def test_a_worker_that_cannot_prepare_is_replaced_alone(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others hear of it by the arguments of their calls, and stay."""
    armed = arena.arm("cannot load stage 0")
    session = arena.open()
    cluster = arena.scheduler.cluster
    assert isinstance(cluster, RayCluster)
    blamed: set[int] = set()
    lose = cluster._workers.lose

    def count(worker: int, actor: object, reason: str) -> None:
        blamed.update({worker} if "no room" in reason else ())
        lose(worker, actor, reason)

    monkeypatch.setattr(cluster._workers, "lose", count)
    gradients = accumulate(session, work_().batches)
    assert not armed.exists(), "nobody failed"
    assert len(blamed) == 1
    require_recovered(session, gradients)


def test_workers_that_go_together_are_all_missed_at_once(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it takes to start another process for the first of them."""
    cluster = arena.scheduler.cluster
    assert isinstance(cluster, RayCluster)
    eventually(lambda: not any(map(cluster._workers.is_absent, cluster.workers)))  # of the tests before
    missed: list[int] = []
    all_missed, post, replace = threading.Event(), cluster._workers.post, cluster._workers._replace

    def listen(session: str | None, event: ClusterEvent) -> None:
        if isinstance(event, WorkerLost):
            missed.append(event.worker)
        if len(missed) == len(cluster.workers):
            all_missed.set()
        post(session, event)

    def slow(worker: int, reason: str) -> None:
        assert all_missed.wait(DEADLINE)
        replace(worker, reason)

    monkeypatch.setattr(cluster._workers, "post", listen)
    monkeypatch.setattr(cluster._workers, "_replace", slow)
    for worker in cluster.workers:
        cluster._workers.lose(worker, cluster._workers[worker], "a node is gone")
    assert all_missed.wait(DEADLINE)
    gradients = accumulate(session := arena.open(), work_().batches)
    assert digest(gradients) == expected()
    session.close()


def test_a_session_that_ends_while_its_workers_are_away_leaves_no_references(arena: Arena) -> None:
    cluster = arena.scheduler.cluster
    assert isinstance(cluster, RayCluster)
    cluster._bundles[RunKey("ended", 0, 0, 0)] = {}
    cluster._workers._absent.add(0)
    cluster.execute(Close(0, "ended"))
    cluster._workers._absent.discard(0)
    assert not cluster._bundles


def test_a_cluster_closes_while_a_replacement_is_waited_for(
    ray_started: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as one for which there is no node: it may be waited for as long as the first workers may take."""
    cluster = RayCluster(1, "numpy", join_timeout=10 * DEADLINE)
    workers = cluster._workers
    monkeypatch.setitem(workers._resources, "num_cpus", 1e6)
    workers.lose(0, workers[0], "a node is gone")
    eventually(lambda: bool(workers._coming))
    closing = threading.Thread(target=cluster.close, daemon=True)
    closing.start()
    closing.join(DEADLINE)
    assert not closing.is_alive()


def test_sessions_hear_of_whatever_keeps_a_replacement_away(
    ray_started: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = RayCluster(1, "numpy")
    workers, heard = cluster._workers, list[Any]()

    def fail() -> NoReturn:
        raise OSError("no descriptor is left")

    monkeypatch.setattr(workers, "post", lambda session, event: heard.append(event))
    monkeypatch.setattr(workers, "_new_actor", fail)
    workers.lose(0, workers[0], "killed")
    eventually(lambda: any(isinstance(event, WorkerGone) for event in heard))
    assert "no descriptor is left" in heard[-1].reason
    cluster.close()


def test_workers_that_cannot_start_say_why(ray_started: None) -> None:
    with pytest.raises(ResourceError, match="abacus"):
        RayCluster(1, "abacus")
