"""The networks of the training benchmarks, beside their twins in plain torch, and a step of raygrad."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

import raygrad as rg
from tests.torch_networks import LeNet, ResNet14

MINI_BATCHES = 8
"""Mini-batches to a step."""

Feeds = Sequence[Mapping[str, NDArray[np.generic]]]
Step = Callable[[], None]


@dataclass(frozen=True)
class Candidate:
    """A network, its twin, and the shape of one image."""

    network: Callable[[], rg.networks.Network]
    module: Callable[[], torch.nn.Module]
    shape: tuple[int, ...]


NETWORKS = {
    "lenet": Candidate(rg.networks.lenet, LeNet, (1, 28, 28)),
    "resnet14": Candidate(rg.networks.resnet14, ResNet14, (3, 32, 32)),
}


def mini_batches(shape: tuple[int, ...], batch: int) -> Feeds:
    """A step's random images and labels: what is in them does not change the time."""
    rng = np.random.default_rng(0)
    return [
        {
            "x": rng.standard_normal((batch, *shape), dtype=np.float32),
            "y": rng.integers(0, 10, batch, dtype=np.int64),
        }
        for _ in range(MINI_BATCHES)
    ]


def raygrad_step(session: rg.Session, network: rg.networks.Network, feeds: Feeds) -> Step:
    """A step of raygrad: new parameters, all mini-batches, the gradients."""

    def step() -> None:
        session.put(network.parameters)
        session.accumulate(feeds, progress=False)
        session.gradients(expect=len(feeds))

    return step
