"""The networks of `raygrad.client.networks` as plain torch modules: the measure of results, and of speed.

Parameters have the same names and layouts. Each module's `forward` takes a network's feeds as tensors
and returns its loss.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as f

Array = npt.NDArray[Any]
Activation = Callable[[Tensor], Tensor]


class LeNet(nn.Module):
    """`networks.lenet`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 5)
        self.conv2 = nn.Conv2d(32, 64, 5)
        self.fc1 = nn.Linear(256, 200)
        self.fc2 = nn.Linear(200, 10)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        h = f.max_pool2d(f.relu(self.conv1(x)), 3)
        h = f.max_pool2d(f.relu(self.conv2(h)), 2)
        return f.cross_entropy(self.fc2(f.relu(self.fc1(h.flatten(1)))), y)


class Block(nn.Module):
    """A basic block of a residual network."""

    def __init__(self, inputs: int, outputs: int, stride: int, activation: Activation) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.downsample.append(nn.Conv2d(inputs, outputs, 1, stride, bias=False))
            self.downsample.append(nn.BatchNorm2d(outputs))
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        h = self.activation(self.bn1(self.conv1(x)))
        return self.activation(self.bn2(self.conv2(h)) + self.downsample(x))


class ResNet14(nn.Module):
    """`networks.resnet14`."""

    def __init__(self, activation: Activation = f.relu) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        for stage, (inputs, outputs) in enumerate(((16, 16), (16, 32), (32, 64))):
            first = Block(inputs, outputs, 2 if stage else 1, activation)
            self.add_module(f"layer{stage + 1}", nn.Sequential(first, Block(outputs, outputs, 1, activation)))
        self.fc = nn.Linear(64, 10)
        self.activation = activation

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        h = self.activation(self.bn1(self.conv1(x)))
        for stage in (1, 2, 3):
            h = self.get_submodule(f"layer{stage}")(h)
        return f.cross_entropy(self.fc(h.mean((2, 3))), y)


class Siamese(nn.Module):
    """`networks.siamese`."""

    def __init__(self, margin: float = 1.0) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 5)
        self.conv2 = nn.Conv2d(8, 16, 5)
        self.fc1 = nn.Linear(256, 32)
        self.fc2 = nn.Linear(40, 16, bias=False)
        self.margin = margin

    def embed(self, x: Tensor) -> Tensor:
        first = f.max_pool2d(f.relu(self.conv1(x)), 2)
        second = f.max_pool2d(f.relu(self.conv2(first)), 2)
        h = f.relu(self.fc1(second.flatten(1)))
        embedded: Tensor = self.fc2(torch.cat([h, first.mean((2, 3))], 1))
        return embedded

    def forward(self, left: Tensor, right: Tensor, same: Tensor) -> Tensor:
        distance = (self.embed(left) - self.embed(right)).norm(dim=1)
        apart = f.relu(self.margin - distance).square()
        return torch.mean(same * distance.square() + (1 - same) * apart)


def prepared(
    module: nn.Module,
    parameters: Mapping[str, Array],
    dtype: torch.dtype,
    layout: torch.memory_format = torch.contiguous_format,
) -> nn.Module:
    """The module with these parameters, which are all that it has, in this dtype and layout."""
    assert set(parameters) == {name for name, _ in module.named_parameters()}
    module.to(dtype=dtype)
    module.load_state_dict({name: torch.tensor(p) for name, p in parameters.items()}, strict=False)
    return module.to(memory_format=layout)  # type: ignore[call-overload, no-any-return]


def loss_and_gradients(module: nn.Module, feeds: Mapping[str, Array]) -> tuple[float, dict[str, Array]]:
    """The loss of a mini-batch, and its gradients by parameter, as float64.

    Feeds take the module's dtype and go to its device.
    """
    first = next(module.parameters())
    tensors = {name: torch.tensor(array, device=first.device) for name, array in feeds.items()}
    module.zero_grad()
    loss = module(**{n: t.to(first.dtype) if t.is_floating_point() else t for n, t in tensors.items()})
    loss.backward()
    found = {name: parameter.grad for name, parameter in module.named_parameters()}
    return loss.item(), {n: np.asarray(g.double().cpu()) for n, g in found.items() if g is not None}
