"""Plans that are used no more are forgotten, by the scheduler and by workers, and made again the same."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from raygrad.proto.messages import Gradients
from raygrad.scheduler import dispatcher, plans
from raygrad.scheduler.local_cluster import Faults, LocalCluster
from raygrad.scheduler.ray_cluster import RayCluster
from raygrad.scheduler.scheduler import Scheduler
from raygrad.scheduler.session import Session

from .random_graphs import even_placement, random_graph, random_placement, random_tensors
from .steps import DEADLINE, Work, accumulate, digest, work

KEPT = 2
GRAPHS = range(3)


@cache
def many_sizes(seed: int) -> Work:
    """Mini-batches of four sizes, each twice, so that each comes back after it was forgotten."""
    graph = random_graph(seed)
    parameters = random_tensors(seed, graph).parameters
    batches = [work(graph, parameters, rows=rows).batches[0] for rows in range(4, 8)] * 2
    return Work(graph, parameters, [replace(batch, index=i) for i, batch in enumerate(batches)])


def leased(session: Session, work: Work) -> Gradients:
    """All forward passes, and then all backward passes: between them, the forward plans are forgotten."""
    kept = [session.forward(b.feeds, keep=True, index=b.index, weight=b.weight) for b in work.batches]
    leases = [future.result(DEADLINE).lease for future in kept]
    for lease in reversed(leases):
        session.backward(lease).result(DEADLINE)
    return session.gradients(expect=len(leases)).result(DEADLINE)


def steps(session: Session, work: Work) -> list[str]:
    """Three steps (what is drawn at random differs from one to the next)."""
    taken = [accumulate(session, work.batches), accumulate(session, work.batches), leased(session, work)]
    return [digest(gradients) for gradients in taken]


def expected(work: Work) -> list[str]:
    """The steps on one worker, which forgets nothing."""
    with pytest.MonkeyPatch.context() as patch:
        keep(patch, 100)
        scheduler = Scheduler(LocalCluster(1, "numpy"))
        found = steps(work.open(scheduler, even_placement(work.graph, 1)), work)
        scheduler.close()
    return found


def keep(patch: pytest.MonkeyPatch, count: int) -> None:
    for module in (plans, dispatcher):
        patch.setattr(module, "PLANS_KEPT", count)


@pytest.fixture(autouse=True)
def few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    keep(monkeypatch, KEPT)


def loaded(cluster: LocalCluster) -> set[int]:
    """How many plans the workers have programs of."""
    states = [state for executor in cluster.executors.values() for state in executor._sessions.values()]
    return {len({plan for plan, _ in state.programs}) for state in states}


@pytest.mark.parametrize("seed", GRAPHS)
def test_the_same_bits_and_nothing_more_is_kept(seed: int) -> None:
    given = many_sizes(seed)
    cluster = LocalCluster(2, "numpy", strict=True, faults=Faults(seed))
    scheduler = Scheduler(cluster)
    session = given.open(scheduler, random_placement(seed, given.graph, 2))
    assert steps(session, given) == expected(given)
    assert len(session._plans._plans) == KEPT
    assert loaded(cluster) == {KEPT}
    assert session.reruns == 0
    scheduler.close()


@pytest.mark.ray
def test_on_ray(ray_started: None) -> None:
    given = many_sizes(3)
    scheduler = Scheduler(RayCluster(2, "numpy"))
    session = given.open(scheduler, random_placement(3, given.graph, 2))
    assert steps(session, given) == expected(given)
    scheduler.close()
