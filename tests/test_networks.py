"""The networks against the same networks in plain torch: losses, and the gradients of a step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from raygrad.client import networks
from raygrad.client.connect import connect
from raygrad.client.local import local
from raygrad.proto.codec import encode
from raygrad.proto.graph import Ref
from raygrad.proto.tensor import DType
from tests.network_cases import CASES, classified, distances, halves, ours, step, theirs
from tests.test_cli import serving
from tests.torch_networks import Array, ResNet14, loss_and_gradients, prepared

BACKENDS = ("numpy", "torch-cpu")
every_backend = pytest.mark.parametrize("backend", BACKENDS)


@every_backend
@pytest.mark.parametrize("case", CASES)
def test_float64_gradients_are_those_of_torch(case: str, backend: str) -> None:
    write, module, draw = CASES[case]
    network, batches = write("float64"), draw("float64")
    losses, gradients = ours(network, batches, backend)
    expected_losses, expected = theirs(module(), network.parameters, batches, torch.float64)
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-13)
    assert max(distances(gradients, expected).values()) <= 1e-11


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server in a process of its own, with four workers on Ray."""
    options = ("--ray", "local", "--workers", "4", "--backend", "torch-cpu", "--listen", "127.0.0.1:0")
    with serving(*options) as (process, ready):
        assert ready, process.communicate(timeout=60)
        yield ready.split()[4]
        process.terminate()
        process.communicate(timeout=60)


@pytest.mark.ray
@pytest.mark.parametrize("case", CASES)
def test_float64_gradients_from_a_server_are_those_of_torch(case: str, address: str) -> None:
    write, module, draw = CASES[case]
    network, batches = write("float64"), draw("float64")
    placement = halves(network.graph)
    with connect(address, network.graph, placement=placement, replicas=2) as session:
        losses, gradients = step(session, network, batches)
    expected_losses, expected = theirs(module(), network.parameters, batches, torch.float64)
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-13)
    assert max(distances(gradients, expected).values()) <= 1e-11


@every_backend
@pytest.mark.parametrize(("case", "tolerance"), [("lenet", 1e-5), ("softplus", 1e-4), ("siamese", 1e-5)])
def test_float32_gradients_are_close_to_those_of_torch(case: str, tolerance: float, backend: str) -> None:
    write, module, draw = CASES[case]
    network, batches = write("float32"), draw("float32")
    _, gradients = ours(network, batches, backend)
    _, expected = theirs(module(), network.parameters, batches, torch.float32)
    assert max(distances(gradients, expected).values()) <= tolerance


@every_backend
@pytest.mark.usefixtures("one_thread")
def test_float32_gradients_of_a_relu_network_are_as_true_as_those_of_torch(backend: str) -> None:
    """The errors of torch's own layouts are the measure.

    Values near 0 change sign with any rounding, and the gradient jumps: in some mini-batches, in any
    layout. The smallest error is rounding alone, the largest the largest jump.
    """
    network, twin = networks.resnet14(), ResNet14()
    rng = np.random.default_rng(9)
    shape = (16, 8, 3, 32, 32)
    batches = [
        {"x": x, "y": rng.integers(0, 10, len(x))} for x in rng.standard_normal(shape, dtype=np.float32)
    ]
    true = [whole(theirs(twin, network.parameters, [b], torch.float64)[1]) for b in batches]
    torchs = [
        errors(
            [whole(theirs(twin, network.parameters, [b], torch.float32, layout)[1]) for b in batches], true
        )
        for layout in (torch.contiguous_format, torch.channels_last)
    ]
    found = errors([whole(ours(network, [b], backend)[1]) for b in batches], true)
    for summary in (min, max):
        assert summary(found) <= 2 * max(summary(each) for each in torchs)


def whole(gradients: Mapping[str, Array]) -> Array:
    """The gradient of all parameters, as one vector."""
    return np.concatenate([gradients[name].ravel() for name in sorted(gradients)])


def errors(found: Sequence[Array], true: Sequence[Array]) -> list[float]:
    """‖g − g′‖ / ‖g′‖ of each mini-batch."""
    return [float(np.linalg.norm(g - t) / np.linalg.norm(t)) for g, t in zip(found, true, strict=True)]


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Torch on one thread, like a worker: on more, its sums have more parts and smaller errors."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("case", CASES)
def test_networks_are_the_same_for_a_seed(case: str) -> None:
    write = CASES[case][0]
    first, again = write("float32"), write("float32")
    assert encode(first.graph) == encode(again.graph)
    for name, array in first.parameters.items():
        assert array.tobytes() == again.parameters[name].tobytes()


def test_another_seed_gives_other_parameters() -> None:
    first, other = networks.lenet(), networks.lenet(seed=1)
    assert (first.parameters["fc2.weight"] != other.parameters["fc2.weight"]).all()


def test_weights_begin_as_he_et_al_say() -> None:
    parameters = networks.lenet().parameters
    assert parameters["fc1.weight"].std() == pytest.approx((2 / 256) ** 0.5, rel=0.02)
    assert not parameters["fc1.bias"].any()


def test_batch_norm_statistics_are_outputs() -> None:
    network, feeds = networks.resnet14(dtype="float64"), classified((3, 32, 32), "float64")[0]
    twin = prepared(ResNet14(), network.parameters, torch.float64)
    norms = {name: module for name, module in twin.named_modules() if isinstance(module, nn.BatchNorm2d)}
    for norm in norms.values():
        norm.momentum = 1.0  # torch's running statistics become those of the last mini-batch
    loss_and_gradients(twin, feeds)
    with local(network.graph, backend="torch-cpu") as session:
        session.put(network.parameters)
        outputs: dict[str, Any] = dict(session.forward(feeds).outputs)
    assert len(norms) == 15
    for name, norm in norms.items():
        assert norm.running_mean is not None
        np.testing.assert_allclose(outputs[f"{name}.mean"], norm.running_mean.numpy(), atol=1e-12)
        assert (outputs[f"{name}.variance"] > 0).all()


def test_a_siamese_network_shares_its_parameters_and_skips_its_middle() -> None:
    graph = networks.siamese().graph
    weights = [node for name, node in graph.parameters.items() if name.endswith(".weight")]
    assert [len(graph.consumers[Ref(node.id, 0)]) for node in weights] == [2, 2, 2, 2]
    pools = [node for node in graph if node.operator.name == "MaxPool"]
    skipped = [node for node in pools if len(graph.consumers[Ref(node.id, 0)]) == 2]
    assert len(pools) == 4
    assert len(skipped) == 2  # the first of each branch is read by the next layer, and near the end


@pytest.mark.parametrize("dtype", ["float32", DType.float64])
def test_the_dtype_is_that_of_parameters_and_loss(dtype: str | DType) -> None:
    network = networks.lenet(dtype=dtype)
    assert {str(p.dtype) for p in network.parameters.values()} == {DType.of(dtype).value}
    assert network.graph.type(network.graph.outputs["loss"]).dtype is DType.of(dtype)
