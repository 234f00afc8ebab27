"""Clients that go away while their requests wait or run: nobody computes for them, nothing stays behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

import raygrad as rg
from raygrad.proto.v1 import raygrad_pb2 as pb
from raygrad.proto.v1 import raygrad_pb2_grpc as rpc
from raygrad.proto.v1.tensors import pack
from raygrad.scheduler.local_cluster import LocalCluster

from .serving import (
    DEADLINE,
    Busy,
    Running,
    Threaded,
    eventually,
    mean_square,
    mini_batches,
    running,
    weights,
)


@contextmanager
def served(cluster: LocalCluster) -> Iterator[tuple[Running, Any, str]]:
    """A server, its stub, and a session with parameters that has had a first evaluation."""
    with running(cluster=cluster) as server, grpc.insecure_channel(server.address) as channel:
        service: Any = rpc.GraphServiceStub(channel)  # type: ignore[no-untyped-call]
        document = pb.CreateSessionRequest(document=rg.encode(mean_square()))
        session = service.CreateSession(iter([document]), timeout=DEADLINE).session_id
        put = pb.PutTensorsRequest(session_id=session, tensors=next(pack(weights())))
        service.PutTensors(iter([put]), timeout=DEADLINE)
        list(forward(service, session))
        yield server, service, session


def forward(service: Any, session: str, keep: bool = False) -> Any:
    """A call that is under way."""
    feeds = next(pack(mini_batches(2)[0]))
    request = pb.ForwardRequest(session_id=session, keep=keep, feeds=feeds)
    return service.Forward(iter([request]), timeout=DEADLINE)


@pytest.mark.parametrize("kind", [LocalCluster, Threaded])
def test_an_evaluation_that_waits_is_dropped(kind: type[LocalCluster]) -> None:
    cluster = kind(1, "numpy")
    with served(cluster) as (server, service, session):
        busy = Busy(cluster)
        first = forward(service, session)
        assert busy.reached.wait(DEADLINE)
        others = [forward(service, session) for _ in range(8)]
        owed, calls = server.scheduler.session(session)._promises, server.server._service._calls
        pool = calls._pool
        eventually(lambda: pool._work_queue.qsize() == 8 if pool else len(owed._futures) == 9)
        for gone in others[4:]:
            gone.cancel()
        cancelled = server.server._service.metrics.calls.labels("Forward", "CANCELLED")
        eventually(lambda: cancelled._value.get() == 4)
        busy.go_on()
        for call in [first, *others[:4]]:
            assert list(call)
        eventually(lambda: not owed.owed)
        assert len(busy.ran) == 5


def test_a_lease_that_nobody_got_is_released() -> None:
    cluster = Threaded(1, "numpy")
    with served(cluster) as (server, service, session):
        busy = Busy(cluster)
        machine = server.scheduler.session(session)._machine
        assert machine is not None
        gone = forward(service, session, keep=True)
        assert busy.reached.wait(DEADLINE)
        gone.cancel()
        eventually(lambda: not server.scheduler.session(session)._promises.owed)
        busy.go_on()
        eventually(lambda: not machine.leases and not cluster.executors[0].store.runs)
        assert not machine.batches


def test_a_mini_batch_of_a_step_counts() -> None:
    """Its client may come back, and ask for the step's gradients."""
    cluster = Threaded(1, "numpy")
    with served(cluster) as (server, service, session):
        busy = Busy(cluster)
        feeds = next(pack(mini_batches(2)[0]))
        request = pb.AccumulateRequest(session_id=session, mini_batch=pb.MiniBatch(index=0), feeds=feeds)
        gone = service.Accumulate(iter([request]), timeout=DEADLINE)
        assert busy.reached.wait(DEADLINE)
        gone.cancel()
        asking = service.GetGradients(pb.GetGradientsRequest(session_id=session, step=0), timeout=DEADLINE)
        eventually(lambda: len(server.scheduler.session(session)._promises._futures) == 2)
        asking.cancel()  # and is away again
        busy.go_on()
        wanted = pb.GetGradientsRequest(session_id=session, step=0, expect_count=1)
        found = list(service.GetGradients(wanted, timeout=DEADLINE))
        assert list(found[0].indices) == [0]
