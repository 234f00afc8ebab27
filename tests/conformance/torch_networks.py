"""Networks written for PyTorch through `from_torch` and `Remote`: results and gradients are PyTorch's.

Float64 gradients agree to 1e-10. In float32 the errors of PyTorch's own layouts are the measure: values near
0 change sign with any rounding, and the gradient jumps, so several mini-batches are taken; the smallest error
is rounding alone, the largest the largest jump.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as f

from raygrad.client.importers.torch import Remote, from_torch
from raygrad.client.local import local
from tests.vision_networks import CLASSES, DenseNet121, InceptionV3, ResNet18, VisionTransformer

from .suite import Case, Suite

Array = np.ndarray[Any, Any]
Gradients = Mapping[str, Array]

NETWORKS: dict[str, tuple[Callable[[], nn.Module], int]] = {  # and the size of their images
    "resnet18": (ResNet18, 64),
    "densenet121": (DenseNet121, 64),
    "inception_v3": (InceptionV3, 107),
    "vision_transformer": (VisionTransformer, 32),
}
BATCH, BATCHES = 4, 5


class WithLoss(nn.Module):
    """A classifier and its loss."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return f.cross_entropy(self.network(x), y)


def torch_networks() -> Suite:
    """Every network in float64 and float32, and training through `Remote`."""
    return Suite("torch-networks", cases, at_least=2 * len(NETWORKS) + 1)


def cases() -> Iterator[Case]:
    """The checks, on one thread like a worker: on more, PyTorch's sums have more parts and smaller errors."""
    torch.set_num_threads(1)
    for name in NETWORKS:
        yield Case(f"{name}, float64 gradients", partial(double_precision, name))
        yield Case(f"{name}, float32 gradients", partial(single_precision, name))
    yield Case("resnet18, five steps through Remote", train)


def double_precision(name: str) -> None:
    """Every parameter's gradient is PyTorch's to 1e-10."""
    module, batches = network(name, torch.float64)
    (ours,), (theirs,) = imported(module, batches[:1]), expected(module, batches[:1])
    total = np.linalg.norm(whole(theirs))
    for parameter, gradient in theirs.items():
        distance = np.linalg.norm(ours[parameter] - gradient)
        assert distance <= 1e-10 * max(np.linalg.norm(gradient), 1e-4 * total), (parameter, distance)


def single_precision(name: str) -> None:
    """The distance to the float64 gradient is at most twice that of PyTorch in its worse layout."""
    module, batches = network(name, torch.float32)
    true = [whole(g) for g in expected(copy.deepcopy(module).double(), batches)]
    found = errors(imported(module, batches), true)
    layouts = (torch.contiguous_format, torch.channels_last)
    torchs = [errors(expected(laid_out(module, layout), batches), true) for layout in layouts]
    for summary in (min, max):
        assert summary(found) <= 2 * max(map(summary, torchs)), (summary(found), torchs)


def train() -> None:
    """Five steps of SGD with momentum have PyTorch's losses to 1e-4."""
    module, batches = network("resnet18", torch.float32)
    with Remote(copy.deepcopy(module), backend="torch-cpu") as remote:
        losses = [descend(model, batches[0]) for model in (remote, module)]
    np.testing.assert_allclose(*losses, rtol=1e-4)


def descend(model: nn.Module, batch: tuple[Tensor, Tensor]) -> list[float]:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        loss = model(*batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def network(name: str, dtype: torch.dtype) -> tuple[nn.Module, list[tuple[Tensor, Tensor]]]:
    """A network with its loss, in training mode, and mini-batches of noise."""
    torch.manual_seed(0)
    make, size = NETWORKS[name]
    module = WithLoss(make()).to(dtype).train()
    images = torch.randn(BATCHES, BATCH, 3, size, size, dtype=dtype)
    return module, [(x, torch.randint(0, CLASSES, (BATCH,))) for x in images]


def laid_out(module: nn.Module, layout: torch.memory_format) -> nn.Module:
    """A copy whose weights lie in this layout; activations follow."""
    return copy.deepcopy(module).to(memory_format=layout)  # type: ignore[call-overload, no-any-return]


def imported(module: nn.Module, batches: Sequence[tuple[Tensor, Tensor]]) -> list[Gradients]:
    """The gradients of each mini-batch on the service."""
    model = from_torch(module, batches[0])
    found = []
    with local(model.graph, loss="output", backend="torch-cpu") as session:
        session.put(model.tensors)
        for x, y in batches:
            session.accumulate([{"x": x.numpy(), "y": y.numpy()}], progress=False)
            found.append({name: g.astype(np.float64) for name, g in session.gradients().items()})
    return found


def expected(module: nn.Module, batches: Sequence[tuple[Tensor, Tensor]]) -> list[Gradients]:
    """The gradients of each mini-batch by PyTorch."""
    return [_backward(module, *batch) for batch in batches]


def _backward(module: nn.Module, x: Tensor, y: Tensor) -> Gradients:
    dtype = next(module.parameters()).dtype
    module.zero_grad()
    module(x.to(dtype), y).backward()
    found = {name: p.grad for name, p in module.named_parameters()}
    return {name: np.asarray(g.double()) for name, g in found.items() if g is not None}


def whole(gradients: Gradients) -> Array:
    """The gradient of all parameters, as one vector."""
    return np.concatenate([gradients[name].ravel() for name in sorted(gradients)])


def errors(found: Sequence[Gradients], true: Sequence[Array]) -> list[float]:
    """‖g − g′‖ / ‖g′‖ of each mini-batch."""
    pairs = zip(map(whole, found), true, strict=True)
    return [float(np.linalg.norm(g - t) / np.linalg.norm(t)) for g, t in pairs]
