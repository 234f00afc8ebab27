"""On a CUDA device: gradients of plain torch, the same bits however the work is spread, nothing left behind.

Single operators are compared with NumPy and with torch on every backend that is there, CUDA included, by
`test_operators`, `test_convolution`, `test_pooling` and the other tests of kernels.
"""

from __future__ import annotations

import random
from functools import cache

import numpy as np
import pytest
import torch

import raygrad as rg
from raygrad.proto.tensor import DType
from raygrad.scheduler.local_cluster import LocalCluster
from raygrad.scheduler.scheduler import Scheduler
from raygrad.scheduler.session import Session
from raygrad.workers.backends import open_backend
from tests.backends import NUMPY
from tests.evaluate import Array, run
from tests.network_cases import CASES, distances, ours, theirs
from tests.random_graphs import even_placement
from tests.samples import SAMPLES
from tests.sampling import LARGE, Sample
from tests.steps import DEADLINE, NETWORKS, accumulate, digest, network_work, one_by_one
from tests.test_local_cluster import Kills

pytestmark = pytest.mark.gpu

GPU = "torch-cuda"
WORKERS = 4
WINDOWED = [s for s in SAMPLES if "Conv" in s.operator.name or "Pool" in s.operator.name]

every_network = pytest.mark.parametrize("name", NETWORKS)


# -- plain torch and NumPy are the measure ----------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_float64_gradients_are_those_of_torch(case: str) -> None:
    write, module, draw = CASES[case]
    network, batches = write("float64"), draw("float64")
    losses, gradients = ours(network, batches, GPU)
    expected_losses, expected = theirs(module(), network.parameters, batches, torch.float64, device="cuda")
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-13)
    assert max(distances(gradients, expected).values()) <= 1e-11


@pytest.mark.parametrize(("case", "tolerance"), [("lenet", 1e-5), ("softplus", 1e-4), ("siamese", 1e-5)])
def test_float32_gradients_are_not_rounded_to_tf32(case: str, tolerance: float) -> None:
    """TF32 keeps 10 bits of a factor, which would show in the third digit."""
    write, module, draw = CASES[case]
    network, batches = write("float32"), draw("float32")
    _, gradients = ours(network, batches, GPU)
    _, expected = theirs(module(), network.parameters, batches, torch.float64, device="cuda")
    assert max(distances(gradients, expected).values()) <= tolerance


@pytest.mark.parametrize("sample", WINDOWED, ids=repr)
def test_convolution_and_pooling_in_any_dimension_are_those_of_numpy(sample: Sample) -> None:
    operator, arrays = sample.operator.bind(LARGE), sample.arrays(LARGE, DType.float64)
    results = zip(run(operator, arrays, open_backend(GPU)), run(operator, arrays, NUMPY), strict=True)
    for found, expected in results:
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12 * float(np.abs(expected).max()))


def test_samples_of_convolution_and_pooling_have_one_two_and_three_dimensions() -> None:
    for kind in ("Conv", "MaxPool", "AvgPool"):
        ranks = {len(s.inputs[0].shape) for s in WINDOWED if s.operator.name == kind}
        assert ranks == {3, 4, 5}


# -- the same bits ----------------------------------------------------------------------------------


@cache
def expected(name: str) -> str:
    """The bits of `rg.local()`."""
    given = network_work(name)
    with rg.local(given.graph, backend=GPU) as session:
        session.put(given.parameters)
        session.accumulate(given.batches, progress=False)
        return digest(session.gradients(expect=len(given.batches)))


class Opened:
    """A session on workers that share the GPU, in strict mode: in any order, every edge through the codec."""

    def __init__(self, name: str, replicas: int, stages: int) -> None:
        self.work = network_work(name)
        self.cluster = LocalCluster(WORKERS, GPU, strict=True)
        self.scheduler = Scheduler(self.cluster)
        placement = even_placement(self.work.graph, stages)
        self.session: Session = self.work.open(self.scheduler, placement, replicas)

    def close(self) -> None:
        self.session.close().result(DEADLINE)
        self.scheduler.close()


@pytest.mark.parametrize("replicas_and_stages", [(1, 1), (2, 1), (1, 2), (1, 3), (2, 2)])
@every_network
def test_partitions(name: str, replicas_and_stages: tuple[int, int]) -> None:
    opened = Opened(name, *replicas_and_stages)
    assert digest(accumulate(opened.session, opened.work.batches)) == expected(name)
    assert opened.session.reruns == 0
    opened.close()


@every_network
def test_another_order(name: str) -> None:
    opened = Opened(name, 2, 1)
    assert digest(accumulate(opened.session, opened.work.batches[::-1])) == expected(name)
    opened.close()


@every_network
def test_forward_and_backward_one_by_one(name: str) -> None:
    opened = Opened(name, 2, 2)
    assert digest(one_by_one(opened.session, opened.work.batches)) == expected(name)
    opened.close()


@every_network
def test_killed_workers(name: str) -> None:
    opened = Opened(name, 2, 2)
    kills = Kills(opened.cluster, random.Random(name))
    assert digest(accumulate(opened.session, opened.work.batches)) == expected(name)
    assert kills.done == 3
    assert opened.session.reruns > 0
    opened.close()


# -- the worker -------------------------------------------------------------------------------------


def test_the_gpu_is_taken_and_named() -> None:
    given = network_work("lenet")
    with rg.local(given.graph) as session:
        plan = session.plan({"N": 4})
    assert plan.backend == GPU
    assert torch.cuda.get_device_name() in plan.fingerprint
    assert torch.version.cuda is not None
    assert torch.version.cuda in plan.fingerprint


def test_gradients_leave_the_gpu_with_their_bits_and_strides() -> None:
    backend = open_backend(GPU)
    arrays = [_drawn(shape) for shape in [(), (0, 3), (7,), (5, 4), (2, 3, 5, 4), (2, 3, 1, 5, 4)]]
    tensors = [backend.from_host(array) for array in arrays]
    found = backend.all_to_host(tensors)
    for array, tensor, back in zip(arrays, tensors, found, strict=True):
        alone = backend.to_host(tensor)
        assert (back.shape, back.strides, back.dtype) == (alone.shape, alone.strides, alone.dtype)
        assert back.tobytes() == array.tobytes()
        assert not torch.from_numpy(back).is_pinned()


def _drawn(shape: tuple[int, ...]) -> Array:
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


@every_network
def test_nothing_is_left_on_the_gpu(name: str) -> None:
    expected(name)  # libraries keep workspaces from the first use on
    before = torch.cuda.memory_allocated()
    opened = Opened(name, 2, 2)
    accumulate(opened.session, opened.work.batches)
    assert torch.cuda.memory_allocated() > before  # the parameters
    opened.close()
    assert torch.cuda.memory_allocated() == before
