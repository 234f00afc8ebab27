"""Steps of sessions, run in every way that must give the same bits; for tests on local and Ray clusters."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from raygrad.client import networks
from raygrad.proto.codec import encode
from raygrad.proto.graph import Graph
from raygrad.proto.messages import Gradients, MiniBatch, SessionOptions
from raygrad.proto.plan import Placement
from raygrad.proto.tensor import Array
from raygrad.scheduler.scheduler import Scheduler
from raygrad.scheduler.session import Session

DEADLINE = 60.0  # seconds: no wait takes longer
NETWORKS = ("lenet", "resnet14", "siamese")


@dataclass(frozen=True)
class Work:
    """A graph with parameters and the mini-batches of a step."""

    graph: Graph
    parameters: Mapping[str, Array]
    batches: Sequence[MiniBatch]

    def open(
        self, scheduler: Scheduler, placement: Placement, replicas: int = 1, snapshot_every: int = 0
    ) -> Session:
        """A session with its parameters put."""
        chosen = SessionOptions(
            placement=dict(placement.stage_of), replicas=replicas, snapshot_every=snapshot_every
        )
        session = scheduler.create_session(encode(self.graph), chosen).result(DEADLINE)
        session.put(self.parameters).result(DEADLINE)
        return session


def work(graph: Graph, parameters: Mapping[str, Array], count: int = 12, rows: int = 8) -> Work:
    """Random mini-batches with weights; the last one is smaller."""
    rng = np.random.default_rng(7)
    sizes = [rows] * (count - 1) + [rows - 3]
    weights = [(1.0, 0.5, -3.0, 1 / 3)[i % 4] for i in range(count)]
    batches = [
        MiniBatch(_feeds(graph, rng, n), i, w) for i, (n, w) in enumerate(zip(sizes, weights, strict=True))
    ]
    return Work(graph, parameters, batches)


@cache
def network_work(name: str, rows: int = 4) -> Work:
    """A step of one of the `NETWORKS`, images of ResNet-14 smaller than usual."""
    network = networks.resnet14(size=16) if name == "resnet14" else getattr(networks, name)()
    return work(network.graph, network.parameters, rows=rows)


def _feeds(graph: Graph, rng: np.random.Generator, rows: int) -> dict[str, Array]:
    """Images are normal, labels and kinds are counts."""
    bound = graph.bind({"N": rows})
    return {
        name: _feed(rng, node.types[0].static, node.types[0].dtype.numpy)
        for name, node in bound.inputs.items()
    }


def _feed(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Array:
    if len(shape) == 1:
        return rng.integers(0, 2, shape).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


def accumulate(session: Session, batches: Iterable[MiniBatch]) -> Gradients:
    """All mini-batches at once, and the gradients."""
    futures = [session.step_batch(batch) for batch in batches]
    for future in futures:
        future.result(DEADLINE)
    return session.gradients(expect=len(futures)).result(DEADLINE)


def one_by_one(session: Session, batches: Iterable[MiniBatch]) -> Gradients:
    """Forward, then backward, mini-batch by mini-batch."""
    count = 0
    for batch in batches:
        kept = session.forward(batch.feeds, keep=True, index=batch.index, weight=batch.weight).result(
            DEADLINE
        )
        session.backward(kept.lease).result(DEADLINE)
        count += 1
    return session.gradients(expect=count).result(DEADLINE)


def digest(gradients: Mapping[str, Array]) -> str:
    """SHA-256 over names, types and bits."""
    found = hashlib.sha256()
    for name, array in gradients.items():
        found.update(f"{name}{array.dtype}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()
