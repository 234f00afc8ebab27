"""The networks beside their twins in plain torch: mini-batches, a step of either, and their distance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional as tf

from raygrad.client import networks
from raygrad.client.functions import softplus
from raygrad.client.local import local
from raygrad.client.networks import Network
from raygrad.client.session import Session
from raygrad.proto.graph import Graph
from tests.torch_networks import Array, LeNet, ResNet14, Siamese, loss_and_gradients, prepared

Batches = Sequence[Mapping[str, Array]]
MARGIN = 8.0  # pairs begin about this far apart, so both sides of the loss are met


def classified(shape: tuple[int, ...], dtype: str) -> Batches:
    """Two mini-batches of noise with labels, the second one smaller."""
    rng = np.random.default_rng(7)
    return [
        {"x": rng.standard_normal((n, *shape)).astype(dtype), "y": rng.integers(0, 10, n)} for n in (6, 4)
    ]


def paired(dtype: str) -> Batches:
    """Two mini-batches of pairs, half of them of one kind."""
    rng = np.random.default_rng(8)
    sides = ("left", "right")
    return [
        {side: rng.standard_normal((n, 1, 28, 28)).astype(dtype) for side in sides}
        | {"same": (np.arange(n) % 2).astype(dtype)}
        for n in (6, 4)
    ]


CASES: dict[str, tuple[Callable[[str], Network], Callable[[], nn.Module], Callable[[str], Batches]]] = {
    "lenet": (lambda d: networks.lenet(dtype=d), LeNet, lambda d: classified((1, 28, 28), d)),
    "resnet14": (lambda d: networks.resnet14(dtype=d), ResNet14, lambda d: classified((3, 32, 32), d)),
    "softplus": (
        lambda d: networks.resnet14(softplus, size=20, dtype=d),
        lambda: ResNet14(tf.softplus),
        lambda d: classified((3, 20, 20), d),
    ),
    "siamese": (lambda d: networks.siamese(margin=MARGIN, dtype=d), lambda: Siamese(MARGIN), paired),
}


def halves(graph: Graph) -> dict[int, int]:
    """A placement on two stages, cut in the middle of the document."""
    nodes = [node.id for node in graph if not node.operator.source]
    return {node: int(2 * i >= len(nodes)) for i, node in enumerate(nodes)}


def ours(network: Network, batches: Batches, backend: str) -> tuple[list[float], dict[str, Array]]:
    """Losses, and the sum of the gradients, on two replicas of two stages in this process."""
    placement = halves(network.graph)
    with local(network.graph, backend=backend, workers=4, placement=placement, replicas=2) as session:
        return step(session, network, batches)


def step(session: Session, network: Network, batches: Batches) -> tuple[list[float], dict[str, Array]]:
    """Losses, and the sum of the gradients as float64."""
    session.put(network.parameters)
    losses = [float(r.outputs["loss"]) for r in session.accumulate(batches, progress=False)]
    return losses, {name: g.astype(np.float64) for name, g in session.gradients().items()}


def theirs(
    module: nn.Module,
    parameters: Mapping[str, Array],
    batches: Batches,
    dtype: torch.dtype,
    layout: torch.memory_format = torch.contiguous_format,
    device: str = "cpu",
) -> tuple[list[float], dict[str, Array]]:
    """What plain torch finds for the same parameters and mini-batches."""
    twin = prepared(module, parameters, dtype, layout).to(device)
    found = [loss_and_gradients(twin, feeds) for feeds in batches]
    total = {name: np.sum([gradients[name] for _, gradients in found], axis=0) for name in parameters}
    return [loss for loss, _ in found], total


def distances(found: Mapping[str, Array], expected: Mapping[str, Array]) -> dict[str, float]:
    """‖g − g′‖ / ‖g′‖ of each parameter; no g′ vanishes."""
    assert found.keys() == expected.keys()
    norms = {name: float(np.linalg.norm(g)) for name, g in expected.items()}
    assert min(norms.values()) > 1e-6
    return {name: float(np.linalg.norm(found[name] - expected[name])) / norms[name] for name in norms}
