"""A fused step keeps what the plan says, by the allocator's count; after a session nothing is left."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from raygrad.scheduler.ray_cluster import RayCluster
from raygrad.scheduler.scheduler import Scheduler

from . import mortal
from .memory_probe import ENVIRONMENT, Kept, measure, traced
from .random_graphs import even_placement
from .steps import DEADLINE, NETWORKS, network_work, one_by_one

MARGIN = 1.1
PAGES = 1 << 20
"""What a process grows by for other reasons: small against the steps here, which keep 40 MB and more."""


@pytest.fixture
def tracing() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.parametrize("network", NETWORKS)
def test_a_fused_step_with_numpy_keeps_what_is_planned(tracing: None, network: str) -> None:
    require_planned(measure("numpy", network, 32, traced), 0)


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
def test_a_fused_step_with_torch_keeps_what_is_planned(network: str) -> None:
    command = [sys.executable, "-m", "tests.memory_probe", "torch-cpu", network, "384"]
    root = Path(__file__).parent.parent
    run = subprocess.run(
        command, env=os.environ | ENVIRONMENT, cwd=root, timeout=DEADLINE, capture_output=True, check=True
    )
    require_planned(Kept(**json.loads(run.stdout)), PAGES)


def require_planned(kept: Kept, other: int) -> None:
    assert kept.saved <= MARGIN * kept.predicted_saved + other
    assert kept.peak <= MARGIN * kept.predicted_peak + other
    assert kept.saved > kept.predicted_saved / 2, "the count misses what is kept"


# -- on Ray ---------------------------------------------------------------------------------------


@pytest.fixture
def cluster(ray_started: None, tmp_path: Path) -> Iterator[RayCluster]:
    """Two workers that say what they hold."""
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(mortal)
    cluster = RayCluster(2, "numpy", executor=partial(mortal.Mortal, folder=tmp_path))
    yield cluster
    cluster.close()


@pytest.mark.ray
def test_nothing_is_left_on_ray(cluster: RayCluster) -> None:
    """Neither in the workers nor in Ray's object store, after steps, evaluations and leases of all ends."""
    before = object_store_bytes()
    scheduler = Scheduler(cluster)
    given = network_work("lenet", 64)  # whose edges are too large to travel inside replies
    session = given.open(scheduler, even_placement(given.graph, 2), snapshot_every=2)
    futures = [session.step_batch(batch) for batch in given.batches]
    most = 0
    while not all(future.done() for future in futures):
        most = max(most, object_store_bytes())
    assert most > before, "the edges did not go through the object store"
    assert [future.result(DEADLINE).index for future in futures] == list(range(12))
    session.gradients(expect=12).result(DEADLINE)
    one_by_one(session, given.batches[:3])
    evaluated, kept = (
        session.forward(given.batches[0].feeds, keep=keep).result(DEADLINE) for keep in (False, True)
    )
    assert evaluated.outputs.keys() == kept.outputs.keys()
    session.release(kept.lease).result(DEADLINE)
    assert holdings(cluster) == {(0, 0, 1)}
    left_open = session.forward(given.batches[1].feeds, keep=True).result(DEADLINE)
    assert left_open.lease
    del futures, evaluated, kept, left_open
    session.close()
    wait_until(lambda: holdings(cluster) == {(0, 0, 0)}, "workers hold something")
    gc.collect()
    wait_until(lambda: object_store_bytes() <= before, "the object store holds something")
    scheduler.close()


def holdings(cluster: RayCluster) -> set[tuple[int, int, int]]:
    """What the workers say that they hold, behind all that they were told before."""
    import ray

    asked = [cluster._workers[w].do.remote(cluster._before(w), "held") for w in cluster.workers]
    return set(ray.get(asked, timeout=DEADLINE))


def object_store_bytes() -> int:
    """What Ray's object store holds on this node."""
    import ray
    from ray._private.internal_api import get_memory_info_reply, get_state_from_address

    state = get_state_from_address(ray.get_runtime_context().gcs_address)
    used: int = get_memory_info_reply(state).store_stats.object_store_bytes_used
    return used


def wait_until(condition: Callable[[], bool], otherwise: str) -> None:
    """Ask again until it holds; each question takes its time."""
    deadline = time.monotonic() + DEADLINE / 4
    while not condition():
        assert time.monotonic() < deadline, otherwise
