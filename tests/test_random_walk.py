"""Sessions on a strict local cluster, with all that clients do and that can go wrong: the same bits."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest

from raygrad.proto.errors import KernelError
from raygrad.proto.plan import Placement
from raygrad.scheduler.events import Run
from raygrad.scheduler.local_cluster import Faults, LocalCluster
from raygrad.scheduler.scheduler import Budgets, Scheduler
from raygrad.workers.calls import Call, Reply
from raygrad.workers.executor import Bundle, Executor

from .random_client import Client, Reference
from .random_graphs import random_graph, random_placement, random_tensors
from .steps import Work, work

STEPS = 2


class Unlucky(Executor):
    """Kernels fail now and then; sometimes a worker cannot do what later calls rely on."""

    rng = random.Random(0)
    failures = 0.0

    def _run(self, call: Call, bundles: Sequence[Bundle]) -> tuple[Reply, tuple[Bundle, ...]]:
        if self.rng.random() < self.failures:
            raise KernelError("fails")
        return super()._run(call, bundles)

    def put(self, session: str, tensors: Any) -> None:
        if self.rng.random() < self.failures:
            raise MemoryError("no room")
        super().put(session, tensors)


@cache
def work_of(seed: int) -> Work:
    graph = random_graph(seed, steps=8)
    return work(graph, random_tensors(seed, graph).parameters, rows=3)


class Walk:
    """Clients on a cluster that loses workers and replies, and delays what it can."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        rng = self.rng
        backend = ("numpy", "torch-cpu")[seed % 2]
        faults = Faults(seed, rng.choice([0.0, 0.3]), rng.choice([0.0, 0.2]), rng.choice([0.0, 0.01]))
        kind: Any = type("Unlucky", (Unlucky,), {"rng": rng, "failures": rng.choice([0.0, 0.01])})
        self.cluster = LocalCluster(4, backend, strict=True, faults=faults, executor=kind)
        budgets = Budgets(feed_budget=rng.choice([1, 1000, 1 << 30]), idle_seconds=1e9)
        self.scheduler = Scheduler(self.cluster, budgets)
        self.clients = [self._client(seed + i, backend) for i in range(rng.choice([1, 2]))]
        self.kills = 0
        self.cluster.before_run = self._between

    def _client(self, seed: int, backend: str) -> Client:
        given = work_of(seed % 20)
        stages, replicas = self.rng.choice([(1, 1), (2, 1), (3, 1), (1, 2), (2, 2), (1, 3), (1, 4)])
        placement = random_placement(seed, given.graph, stages)
        used = sorted(set(placement.stage_of.values()))
        placement = Placement({n: used.index(s) for n, s in placement.stage_of.items()}, len(used))
        session = given.open(self.scheduler, placement, replicas, self.rng.choice([0, 1, 3]))
        return Client(session, given, Reference(given, backend), self.rng)

    def _between(self, run: Run) -> None:
        """Before a worker's call."""
        if self.rng.random() < 0.5:
            self.rng.choice(self.clients).act()
        if self.kills < 4 and self.rng.random() < 0.02:
            self.kills += 1
            self.cluster.kill(self.rng.choice([run.worker, self.rng.randrange(4)]))

    def step(self) -> None:
        """Until the clients have had enough; then what is missing, and the gradients."""
        self.kills = 0
        for _ in range(6):
            for client in self.clients:
                client.act()
        self._settle()
        for client in self.clients:
            client.check()
            client.ending = True
        while sum(client.complete() for client in self.clients):  # all of them, every time
            self._settle()
        taken = [client.take() if client.sent else None for client in self.clients]
        self._settle()
        for client, found in zip(self.clients, taken, strict=True):
            client.begin(found)
        self._settle()
        self._require_nothing_kept()
        self.cluster.skip(200.0)  # losses long ago count no more

    def _settle(self) -> None:
        """Nothing is owed any more; a lost reply is noticed when its time is up."""
        for _ in range(300):
            if all(client.idle for client in self.clients):
                return
            self.cluster.skip(self.scheduler.budgets.call_timeout)
            self.scheduler.wake()
        raise AssertionError("it does not come to an end")

    def _require_nothing_kept(self) -> None:
        assert not self.cluster._bundles
        for executor in self.cluster.executors.values():
            assert len(executor.store) == 0
            assert not any(state.accumulators for state in executor._sessions.values())

    def close(self) -> None:
        for client in self.clients:
            client.session.close()
            client.reference.close()
        assert not any(executor._sessions for executor in self.cluster.executors.values())
        self.scheduler.close()


@pytest.mark.parametrize("seed", range(10))
def test_whatever_clients_do_and_whatever_fails(seed: int) -> None:
    walk = Walk(seed)
    for _ in range(STEPS):
        walk.step()
    walk.close()
