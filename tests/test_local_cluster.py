"""The local cluster in strict mode: the same bits for random graphs and placements, whatever goes wrong."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache

import numpy as np
import pytest

from raygrad.proto.builder import Builder
from raygrad.proto.codec import encode
from raygrad.proto.errors import NonFiniteError, SessionNotFoundError
from raygrad.proto.messages import Gradients, MiniBatch, SessionOptions
from raygrad.proto.plan import Mode, Placement, PlanKey
from raygrad.scheduler.events import Run
from raygrad.scheduler.local_cluster import Faults, LocalCluster
from raygrad.scheduler.planner import make_plan
from raygrad.scheduler.scheduler import Scheduler
from raygrad.scheduler.session import Session

from .random_graphs import even_placement, homes, random_graph, random_placement, random_tensors
from .steps import DEADLINE, Work, digest, work

GRAPHS = range(50)


@cache
def work_of(seed: int) -> Work:
    """A random graph, its parameters, and twelve mini-batches."""
    graph = random_graph(seed)
    return work(graph, random_tensors(seed, graph).parameters, rows=5)


def backend_of(seed: int) -> str:
    return ("numpy", "torch-cpu")[seed % 2]


def finish(cluster: LocalCluster, scheduler: Scheduler, done: Callable[[], bool]) -> None:
    """Work is done as it is asked for; if a reply was lost, time has to pass until that is noticed."""
    for _ in range(200):
        if done():
            return
        cluster.skip(scheduler.budgets.call_timeout)
        scheduler.wake()
    raise AssertionError("it does not come to an end")


def run_step(cluster: LocalCluster, given: Work, placement: Placement, replicas: int = 1) -> tuple[str, int]:
    """All mini-batches and the gradients; their digest, and how much was run again. Nothing is left over."""
    scheduler = Scheduler(cluster)
    session = given.open(scheduler, placement, replicas)
    futures = [session.step_batch(batch) for batch in given.batches]
    finish(cluster, scheduler, lambda: all(future.done() for future in futures))
    asked = session.gradients(expect=len(futures))
    finish(cluster, scheduler, asked.done)
    assert [future.result(DEADLINE).index for future in futures] == list(range(len(futures)))
    require_nothing_kept(cluster)
    found = digest(asked.result(DEADLINE)), session.reruns
    session.close()
    assert not any(executor._sessions for executor in cluster.executors.values())
    scheduler.close()
    return found


def require_nothing_kept(cluster: LocalCluster) -> None:
    """No activations, no edges, no sums."""
    assert not cluster._bundles
    for executor in cluster.executors.values():
        assert len(executor.store) == 0
        assert not any(state.accumulators for state in executor._sessions.values())


@cache
def expected(seed: int) -> str:
    """The bits of one worker that is not strict."""
    given = work_of(seed)
    return run_step(LocalCluster(1, backend_of(seed)), given, even_placement(given.graph, 1))[0]


def placement_of(seed: int) -> Placement:
    """Each node on any of two or three stages."""
    graph = work_of(seed).graph
    placement = random_placement(seed, graph, 2 + seed % 2)
    used = sorted(set(placement.stage_of.values()))
    return Placement({n: used.index(s) for n, s in placement.stage_of.items()}, len(used))


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("seed", GRAPHS)
def test_random_placements(seed: int, replicas: int) -> None:
    cluster = LocalCluster(6, backend_of(seed), strict=True, faults=Faults(seed))
    assert run_step(cluster, work_of(seed), placement_of(seed), replicas) == (expected(seed), 0)


def test_random_placements_give_several_segments_per_stage() -> None:
    """Otherwise the tests here would not test what they say."""
    most = []
    for seed in GRAPHS:
        placement = placement_of(seed)
        plan = make_plan(work_of(seed).graph, placement, PlanKey(Mode.STEP, (("N", 5),), ("loss",)))
        most.append(max(len(plan.of_stage(stage)) for stage in range(placement.stages)))
    assert sum(segments >= 4 for segments in most) > len(most) / 2


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("seed", GRAPHS)
def test_killed_workers(seed: int, replicas: int) -> None:
    cluster = LocalCluster(6, backend_of(seed), strict=True, faults=Faults(seed))
    kills = Kills(cluster, random.Random(seed))
    digest_, reruns = run_step(cluster, work_of(seed), placement_of(seed), replicas)
    assert digest_ == expected(seed)
    assert kills.done == 3
    assert reruns > 0


class Kills:
    """Kills the worker that is about to run a call, three times."""

    def __init__(self, cluster: LocalCluster, rng: random.Random) -> None:
        self.done = 0
        self._cluster = cluster
        self._calls = 0
        self._at = set(rng.sample(range(4, 20), 3))
        cluster.before_run = self

    def __call__(self, run: Run) -> None:
        self._calls += 1
        if self._calls in self._at:
            self.done += 1
            self._cluster.kill(run.worker)


@pytest.mark.parametrize("seed", GRAPHS)
def test_delayed_repeated_and_lost_replies(seed: int) -> None:
    faults = Faults(seed, delay=0.2, repeat=0.1, lose=0.005)
    cluster = LocalCluster(6, backend_of(seed), strict=True, faults=faults)
    assert run_step(cluster, work_of(seed), placement_of(seed), 2)[0] == expected(seed)


@pytest.mark.parametrize("seed", range(10))
def test_forward_and_backward_one_by_one_with_kills(seed: int) -> None:
    given = work_of(seed)
    cluster = LocalCluster(6, backend_of(seed), strict=True, faults=Faults(seed, delay=0.2, repeat=0.1))
    Kills(cluster, random.Random(seed))
    scheduler = Scheduler(cluster)
    session = given.open(scheduler, placement_of(seed), replicas=2)
    assert digest(_one_by_one(session, given)) == expected(seed)
    assert session.reruns > 0
    require_nothing_kept(cluster)
    scheduler.close()


def _one_by_one(session: Session, given: Work) -> Gradients:
    leases = [
        session.forward(b.feeds, keep=True, index=b.index, weight=b.weight).result(DEADLINE).lease
        for b in given.batches
    ]
    for lease in reversed(leases):
        session.backward(lease).result(DEADLINE)
    return session.gradients(expect=len(leases)).result(DEADLINE)


def test_sessions_share_workers() -> None:
    given = [work_of(seed) for seed in (0, 2)]
    cluster = LocalCluster(3, "numpy", strict=True, faults=Faults(5, delay=0.3, repeat=0.2))
    scheduler = Scheduler(cluster)
    placements = [even_placement(w.graph, 3) for w in given]
    sessions = [w.open(scheduler, p) for w, p in zip(given, placements, strict=True)]
    for first, second in zip(given[0].batches, given[1].batches, strict=True):
        sessions[0].step_batch(first)
        sessions[1].step_batch(second)
    assert [digest(s.gradients(expect=12).result(DEADLINE)) for s in sessions] == [expected(0), expected(2)]
    scheduler.close()


def test_a_lost_worker_is_replaced_for_sessions_to_come() -> None:
    """A session that begins while a worker is away starts it anew when it is back."""
    given = work_of(0)
    cluster = LocalCluster(2, "numpy", strict=True)
    scheduler = Scheduler(cluster)
    session = given.open(scheduler, even_placement(given.graph, 2))
    cluster.kill(0)
    futures = [session.step_batch(batch) for batch in given.batches]
    assert all(future.result(DEADLINE) for future in futures)
    assert digest(session.gradients(expect=12).result(DEADLINE)) == expected(0)
    scheduler.close()


def two_stages(scheduler: Scheduler) -> Session:
    """y = 1 / (x @ w) on the first worker, the sum of its products with v on the second."""
    g = Builder()
    x, w, v = g.input("x", ("N", 2)), g.parameter("w", (2, 2)), g.parameter("v", (2, 2))
    inverse = 1.0 / (x @ w)
    g.output("loss", (inverse @ v).square().mean())
    graph = g.graph()
    placement = {n: int(n > inverse.ref.node) for n in homes(graph)}
    options = SessionOptions(placement=placement, check="finite")
    session = scheduler.create_session(encode(graph), options).result(DEADLINE)
    ones = np.ones((2, 2), np.float32)
    session.put({"w": ones, "v": ones}).result(DEADLINE)
    return session


@pytest.mark.parametrize("strict", [False, True])
def test_a_kernel_that_fails_holds_up_no_other_worker(strict: bool) -> None:
    """Calls that wait, on other workers, for what it would have returned fail with it."""
    cluster = LocalCluster(2, "numpy", strict=strict)
    scheduler = Scheduler(cluster)
    session = two_stages(scheduler)
    zeros, ones = np.zeros((3, 2), np.float32), np.ones((3, 2), np.float32)
    with pytest.raises(NonFiniteError):
        session.step_batch(MiniBatch({"x": zeros}, 0)).result(DEADLINE)
    with pytest.raises(NonFiniteError):
        session.forward({"x": zeros}).result(DEADLINE)
    assert session.step_batch(MiniBatch({"x": ones}, 1)).result(DEADLINE).index == 1
    assert session.gradients(expect=1).result(DEADLINE).indices == (1,)
    assert session.reruns == 0
    require_nothing_kept(cluster)
    scheduler.close()


def test_an_evaluation_that_is_restarted_holds_up_no_other_worker() -> None:
    """Parameters are put when its first stage is done, and its second one queued."""
    cluster = LocalCluster(2, "numpy")
    scheduler = Scheduler(cluster)
    session = two_stages(scheduler)
    twos = np.full((2, 2), 2, np.float32)
    puts: list[Future[None]] = []

    def put_once(run: Run) -> None:
        if not puts:
            puts.append(session.put({"v": twos}))

    cluster.before_run = put_once
    found = session.forward({"x": np.ones((3, 2), np.float32)})
    assert found.result(0).outputs["loss"] == 4.0
    assert puts[0].done()
    assert session.reruns == 1
    require_nothing_kept(cluster)
    scheduler.close()


def test_an_evaluation_that_is_lost_on_its_way_leaves_nothing_behind() -> None:
    """The second worker dies with the bundle of the first one before it; no step's end comes to free that."""
    cluster = LocalCluster(2, "numpy")
    scheduler = Scheduler(cluster)
    session = two_stages(scheduler)

    def kill_once(run: Run) -> None:
        if run.worker == 1 and not session.reruns:
            cluster.before_run = lambda run: None
            cluster.kill(1)

    cluster.before_run = kill_once
    found = session.forward({"x": np.ones((3, 2), np.float32)})
    assert found.result(0).outputs["loss"] == 1.0
    assert session.reruns == 1
    assert not cluster._bundles
    assert not any(executor.store.runs for executor in cluster.executors.values())
    scheduler.close()


def test_a_session_that_ends_while_its_workers_are_away_leaves_nothing_behind() -> None:
    cluster = LocalCluster(2, "numpy")
    scheduler = Scheduler(cluster)
    session = two_stages(scheduler)

    def end(run: Run) -> None:
        if run.worker == 1:
            cluster.before_run = lambda run: None
            assert cluster._bundles  # what the first stage has sent
            cluster.kill(0)
            cluster.kill(1)
            session.close()

    cluster.before_run = end
    asked = session.step_batch(MiniBatch({"x": np.ones((3, 2), np.float32)}, 0))
    with pytest.raises(SessionNotFoundError):
        asked.result(0)
    assert not cluster._bundles
    assert not any(executor._sessions for executor in cluster.executors.values())
    scheduler.close()


def test_homes_are_all_placed() -> None:
    """The placements here cover what a client's placement must."""
    assert all(set(homes(work_of(s).graph)) == set(placement_of(s).stage_of) for s in GRAPHS)
