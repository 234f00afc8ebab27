"""Four networks for images as plain torch modules: what `from_torch` must read, and its measure.

They have the shape of torchvision's: ResNet-18 (He et al., 2016), DenseNet-121 (Huang et al., 2017),
Inception v3 without its auxiliary head (Szegedy et al., 2016), and a small vision transformer (Dosovitskiy
et al., 2021). Each gives logits for `CLASSES` classes.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as f

CLASSES = 10


def classifier(features: int) -> nn.Sequential:
    """The mean over all places, and a linear layer."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(features, CLASSES))


# -- ResNet-18 ------------------------------------------------------------------------------------


class BasicBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            projection = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        h = self.relu(self.bn1(self.conv1(x)))
        h = self.bn2(self.conv2(h))
        h += shortcut
        return self.relu(h)


class ResNet18(nn.Sequential):
    def __init__(self) -> None:
        stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
        blocks = [
            BasicBlock(max(width // 2, 64) if first else width, width, 2 if first and width > 64 else 1)
            for width in (64, 128, 256, 512)
            for first in (True, False)
        ]
        super().__init__(*stem, *blocks, classifier(512))


# -- DenseNet-121 ---------------------------------------------------------------------------------

GROWTH = 32


class DenseLayer(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(inputs), nn.Conv2d(inputs, 4 * GROWTH, 1, bias=False)
        self.norm2, self.conv2 = (
            nn.BatchNorm2d(4 * GROWTH),
            nn.Conv2d(4 * GROWTH, GROWTH, 3, 1, 1, bias=False),
        )

    def forward(self, features: list[Tensor]) -> Tensor:
        h = self.conv1(f.relu(self.norm1(torch.cat(features, 1)), inplace=True))
        return self.conv2(f.relu(self.norm2(h), inplace=True))


class DenseBlock(nn.ModuleList):
    def forward(self, x: Tensor) -> Tensor:
        features = [x]
        for layer in self:
            features.append(layer(features))
        return torch.cat(features, 1)


class DenseNet121(nn.Sequential):
    def __init__(self) -> None:
        width = 64
        layers = [nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        layers.append(nn.MaxPool2d(3, 2, 1))
        for count in (6, 12, 24, 16):
            layers.append(DenseBlock(DenseLayer(width + GROWTH * i) for i in range(count)))
            width += GROWTH * count
            layers += [nn.BatchNorm2d(width), nn.ReLU()]
            if count != 16:
                layers += [nn.Conv2d(width, width // 2, 1, bias=False), nn.AvgPool2d(2)]
                width //= 2
        super().__init__(*layers, classifier(width))


# -- Inception v3 ---------------------------------------------------------------------------------

Size = int | tuple[int, int]


def unit(inputs: int, outputs: int, kernel: Size, stride: int = 1, padding: Size = 0) -> nn.Sequential:
    """Convolution, batch norm, ReLU."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs, eps=0.001), nn.ReLU(inplace=True))


class Branches(nn.ModuleList):
    """What several branches make of one input, joined."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self], 1)


def pooled(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.AvgPool2d(3, 1, 1), unit(inputs, outputs, 1))


def mixed_a(inputs: int, pool: int) -> Branches:
    five = nn.Sequential(unit(inputs, 48, 1), unit(48, 64, 5, padding=2))
    three = nn.Sequential(unit(inputs, 64, 1), unit(64, 96, 3, padding=1), unit(96, 96, 3, padding=1))
    return Branches([unit(inputs, 64, 1), five, three, pooled(inputs, pool)])


def mixed_b(inputs: int) -> Branches:
    three = nn.Sequential(unit(inputs, 64, 1), unit(64, 96, 3, padding=1), unit(96, 96, 3, 2))
    return Branches([unit(inputs, 384, 3, 2), three, nn.MaxPool2d(3, 2)])


def mixed_c(inputs: int, width: int) -> Branches:
    def chain(*widths: int) -> nn.Sequential:
        kernels: list[tuple[int, int]] = [(7, 1), (1, 7)] if len(widths) > 3 else [(1, 7), (7, 1)]
        units = [unit(inputs, widths[0], 1)]
        for i, (a, b) in enumerate(pairwise(widths)):
            kernel = kernels[i % 2]
            units.append(unit(a, b, kernel, padding=(kernel[0] // 2, kernel[1] // 2)))
        return nn.Sequential(*units)

    seven, twice = chain(width, width, 192), chain(width, width, width, width, 192)
    return Branches([unit(inputs, 192, 1), seven, twice, pooled(inputs, 192)])


def mixed_d(inputs: int) -> Branches:
    three = nn.Sequential(unit(inputs, 192, 1), unit(192, 320, 3, 2))
    cross = [unit(192, 192, (1, 7), padding=(0, 3)), unit(192, 192, (7, 1), padding=(3, 0))]
    seven = nn.Sequential(unit(inputs, 192, 1), *cross, unit(192, 192, 3, 2))
    return Branches([three, seven, nn.MaxPool2d(3, 2)])


def mixed_e(inputs: int) -> Branches:
    def fork() -> Branches:
        return Branches([unit(384, 384, (1, 3), padding=(0, 1)), unit(384, 384, (3, 1), padding=(1, 0))])

    three = nn.Sequential(unit(inputs, 384, 1), fork())
    twice = nn.Sequential(unit(inputs, 448, 1), unit(448, 384, 3, padding=1), fork())
    return Branches([unit(inputs, 320, 1), three, twice, pooled(inputs, 192)])


class InceptionV3(nn.Sequential):
    def __init__(self) -> None:
        stem = [unit(3, 32, 3, 2), unit(32, 32, 3), unit(32, 64, 3, padding=1), nn.MaxPool2d(3, 2)]
        stem += [unit(64, 80, 1), unit(80, 192, 3), nn.MaxPool2d(3, 2)]
        small = [mixed_a(192, 32), mixed_a(256, 64), mixed_a(288, 64), mixed_b(288)]
        middle = [mixed_c(768, width) for width in (128, 160, 160, 192)]
        last = [mixed_d(768), mixed_e(1280), mixed_e(2048)]
        super().__init__(*stem, *small, *middle, *last, classifier(2048))


# -- vision transformer ---------------------------------------------------------------------------


class EncoderBlock(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm1(x)
        x = x + self.attention(h, h, h, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class VisionTransformer(nn.Module):
    """For images of 32×32: 4×4 patches and a token for the class, four blocks with four heads."""

    def __init__(self, size: int = 32, patch: int = 8, width: int = 64) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.places = nn.Parameter(torch.randn(1, (size // patch) ** 2 + 1, width) * 0.02)
        self.blocks = nn.Sequential(*(EncoderBlock(width, 4) for _ in range(4)))
        self.norm, self.head = nn.LayerNorm(width, eps=1e-6), nn.Linear(width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        h = self.patches(x).flatten(2).transpose(1, 2)
        h = torch.cat([self.token.expand(x.shape[0], -1, -1), h], 1) + self.places
        return self.head(self.norm(self.blocks(h))[:, 0])
