"""Second-order gradients of LeNet, written by the client: PyTorch's numbers, the same bits on any partition.

`test_same_bits.py` has them on Ray.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

import raygrad as rg
from raygrad.scheduler.local_cluster import LocalCluster
from raygrad.scheduler.scheduler import Scheduler
from tests.network_cases import distances
from tests.second_order import KINDS, LOSS, given, on_one_worker, on_stages
from tests.steps import Work
from tests.torch_networks import Array, LeNet, prepared

every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
def test_gradients_are_those_of_torch(kind: str) -> None:
    step = given(kind, "float64")
    with rg.local(step.graph, loss=LOSS, backend="torch-cpu") as session:
        session.put(step.parameters)
        session.accumulate(step.batches, progress=False)
        found = session.gradients()
    assert max(distances(found, by_torch(kind, step)).values()) < 1e-11


def by_torch(kind: str, step: Work) -> dict[str, Array]:
    """The same by PyTorch's double backward pass, summed over the mini-batches."""
    module = prepared(LeNet(), {n: step.parameters[n] for n in step.graph.parameters}, torch.float64)
    parameters = dict(module.named_parameters())
    for batch in step.batches:
        x = torch.tensor(batch.feeds["x"], requires_grad=True)
        loss = module(x, torch.tensor(batch.feeds["y"]))
        if kind == "gradient penalty":
            (slope,) = torch.autograd.grad(loss, x, create_graph=True)
            second = loss + 10.0 * slope.square().sum()
        else:
            slopes = torch.autograd.grad(loss, list(parameters.values()), create_graph=True)
            vectors = [torch.tensor(step.parameters[f"v.{name}"]) for name in parameters]
            second = sum((s * v).sum() for s, v in zip(slopes, vectors, strict=True))
        second.backward()
    return {name: p.grad.numpy() for name, p in parameters.items()}


@pytest.fixture
def in_process() -> Iterator[Scheduler]:
    """Three workers that take turns, every edge through the codec."""
    scheduler = Scheduler(LocalCluster(3, "numpy", strict=True))
    yield scheduler
    scheduler.close()


@every_kind
@pytest.mark.parametrize("stages", [2, 3])
def test_the_same_bits_in_process(in_process: Scheduler, kind: str, stages: int) -> None:
    assert on_stages(in_process, kind, stages) == on_one_worker(kind, "numpy")
