"""The same bits on Ray, whatever the partition, the replicas, the order, and the way to ask."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest

import raygrad as rg
from raygrad.client import functions
from raygrad.proto.builder import Builder
from raygrad.proto.errors import ParametersFixedError
from raygrad.proto.graph import Graph
from raygrad.proto.operators.shape import Concatenate
from raygrad.proto.plan import Mode, Placement, PlanKey
from raygrad.scheduler.planner import make_plan
from raygrad.scheduler.ray_cluster import RayCluster
from raygrad.scheduler.scheduler import Scheduler

from . import second_order
from .random_graphs import even_placement, homes
from .steps import DEADLINE, NETWORKS, Work, accumulate, digest, network_work, one_by_one, work

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module", params=["numpy", "torch-cpu"])
def scheduler(request: pytest.FixtureRequest, ray_started: None) -> Iterator[Scheduler]:
    """Four workers with one backend."""
    scheduler = Scheduler(RayCluster(4, request.param))
    yield scheduler
    scheduler.close()


@cache
def expected(name: str, backend: str) -> str:
    """The bits of `rg.local()`."""
    given = network_work(name)
    with rg.local(given.graph, backend=backend, timeout=DEADLINE) as session:
        session.put(given.parameters)
        session.accumulate(given.batches, progress=False)
        return digest(session.gradients(expect=len(given.batches)))


def backend_of(scheduler: Scheduler) -> str:
    return scheduler.cluster.info(0).backend


@pytest.mark.parametrize("replicas_and_stages", [(1, 1), (2, 1), (1, 2), (1, 3), (2, 2)])
@pytest.mark.parametrize("name", NETWORKS)
def test_partitions(scheduler: Scheduler, name: str, replicas_and_stages: tuple[int, int]) -> None:
    replicas, stages = replicas_and_stages
    given = network_work(name)
    session = given.open(scheduler, even_placement(given.graph, stages), replicas)
    assert digest(accumulate(session, given.batches)) == expected(name, backend_of(scheduler))
    assert session.reruns == 0
    session.close()


def test_requests_keep_their_order_while_a_plan_is_made(scheduler: Scheduler) -> None:
    given = network_work("lenet")
    session = given.open(scheduler, even_placement(given.graph, 1), 2)
    try:
        sent = session.step_batch(given.batches[0])  # not waited for: its plan is still to be made
        refused = session.put(given.parameters)
        gradients = session.gradients()
        assert isinstance(refused.exception(60), ParametersFixedError)
        assert gradients.result(60).indices == (sent.result(60).index,)
    finally:
        session.close()


@pytest.mark.parametrize("stages", [2, 3])
@pytest.mark.parametrize("kind", second_order.KINDS)
def test_second_order_gradients(scheduler: Scheduler, kind: str, stages: int) -> None:
    expected = second_order.on_one_worker(kind, backend_of(scheduler))
    assert second_order.on_stages(scheduler, kind, stages) == expected


@pytest.mark.parametrize("name", NETWORKS)
def test_another_order(scheduler: Scheduler, name: str) -> None:
    given = network_work(name)
    session = given.open(scheduler, even_placement(given.graph, 2), replicas=2)
    assert digest(accumulate(session, given.batches[::-1])) == expected(name, backend_of(scheduler))
    session.close()


@pytest.mark.parametrize("name", NETWORKS)
def test_forward_and_backward_one_by_one(scheduler: Scheduler, name: str) -> None:
    given = network_work(name)
    session = given.open(scheduler, even_placement(given.graph, 2), replicas=2)
    assert digest(one_by_one(session, given.batches)) == expected(name, backend_of(scheduler))
    session.close()


@pytest.mark.parametrize("replicas_and_stages", [(2, 1), (2, 2)])
def test_dropout(scheduler: Scheduler, replicas_and_stages: tuple[int, int]) -> None:
    """What is dropped is the mini-batch's, wherever it runs."""
    replicas, stages = replicas_and_stages
    given = dropping_work()
    with rg.local(given.graph, backend=backend_of(scheduler), timeout=DEADLINE) as local:
        local.put(given.parameters)
        local.accumulate(given.batches, progress=False)
        wanted = digest(local.gradients(expect=len(given.batches)))
    session = given.open(scheduler, even_placement(given.graph, stages), replicas)
    assert digest(accumulate(session, given.batches[::-1])) == wanted
    session.close()


def dropping_work() -> Work:
    """Two layers with dropout before each."""
    builder = Builder()
    x, w = builder.input("x", ("N", 8)), builder.parameter("w", (8, 8))
    h = functions.relu(functions.dropout(x, 0.25) @ w)
    builder.output("loss", (functions.dropout(h) @ w).square().mean())
    return work(builder.graph(), {"w": np.eye(8, dtype=np.float32)})


def test_an_edge_that_skips_two_stages(scheduler: Scheduler) -> None:
    """Four stages through both branches; what the first stage knows joins in the last."""
    given = network_work("siamese")
    placement = by_layers(given.graph)
    plan = make_plan(given.graph, placement, PlanKey(Mode.STEP, (("N", 4),), ("loss",)))
    stage_of = {segment.id: segment.stage for segment in plan.segments}
    edges = {(stage_of[e.source], stage_of[e.target]) for segment in plan.segments for e in segment.sends}
    assert {(0, 3), (3, 0)} <= edges
    session = given.open(scheduler, placement)
    assert digest(accumulate(session, given.batches)) == expected("siamese", backend_of(scheduler))
    session.close()


def by_layers(graph: Graph) -> Placement:
    """The siamese network by its layers, which both branches share; the rest where its inputs are."""
    layers = {"conv1": 0, "conv2": 1, "fc1": 2, "fc2": 3}
    stage_of: dict[int, int] = {}
    for number in homes(graph):
        node = graph[number]
        before = [stage_of[ref.node] for ref in node.inputs if ref.node in stage_of]
        joins = 3 if isinstance(node.operator, Concatenate) else 0
        stage_of[number] = layers.get(node.label, max([joins, *before]))
    return Placement(stage_of, len(layers))


def test_two_sessions_at_once(scheduler: Scheduler) -> None:
    """They share workers, and do not mind each other."""
    names = ("lenet", "siamese")
    sessions = [
        network_work(n).open(scheduler, even_placement(network_work(n).graph, 2), replicas=2) for n in names
    ]
    futures = [
        [s.step_batch(b) for b in network_work(n).batches] for s, n in zip(sessions, names, strict=True)
    ]
    for future in futures[0] + futures[1]:
        future.result(DEADLINE)
    found = [digest(s.gradients(expect=12).result(DEADLINE)) for s in sessions]
    assert found == [expected(n, backend_of(scheduler)) for n in names]
    for session in sessions:
        session.close()
