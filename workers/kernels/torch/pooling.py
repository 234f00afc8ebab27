"""Pooling in PyTorch, channels-last in and out for two and three axes; one axis is computed as two."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from raygrad.proto.operators.convolution import ConvInputGrad
from raygrad.proto.operators.pooling import (
    AveragePooling,
    AvgPool,
    AvgPoolGrad,
    MaxPool,
    MaxPoolGather,
    MaxPoolGrad,
    Pooling,
)
from raygrad.proto.tensor import TensorType

from ..base import Kernel, Site, kernel
from ..common.precision import widened
from ..pooling import divisors, windows_of
from .backend import FAMILY
from .indices import checked, known_within
from .padding import Padder

_aten = torch.ops.aten


class Planes:
    """A pooling's windows in the two or three axes that PyTorch wants, and how tensors get there and back."""

    def __init__(self, op: Pooling, x: TensorType) -> None:
        self.single = x.rank == 3
        self.shape = self._lifted(x.static[2:], 1)
        self.kernel = self._lifted(op.kernel, 1)
        self.stride = self._lifted(op.stride, 1)
        self.spacing = self._lifted(op.spacing, 1)
        self.padding = self._lifted(op.padding, (0, 0))
        axes = zip(self.shape, self.kernel, self.spacing, strict=True)
        most = [_most_padding(*axis) for axis in axes]
        self.padder = Padder(self.padding, x.of_shape((*x.static[:2], *self.shape)), most)

    def _lifted(self, values: tuple[Any, ...], single: Any) -> tuple[Any, ...]:
        return (single, *values) if self.single else values

    def enter(self, x: torch.Tensor) -> torch.Tensor:
        return x.unsqueeze(2) if self.single else x

    def leave(self, x: torch.Tensor) -> torch.Tensor:
        return x.squeeze(2) if self.single else x

    @property
    def two(self) -> bool:
        """Whether two axes are pooled, and not three."""
        return len(self.shape) == 2


def _most_padding(size: int, kernel: int, spacing: int) -> int:
    """What PyTorch pads: half a window; for the mean over three axes, none on an axis that is smaller."""
    return (spacing * (kernel - 1) + 1) // 2 if size >= kernel else 0


# -- the largest ------------------------------------------------------------------------------------


@kernel(MaxPool, family=FAMILY)
def max_pool(op: MaxPool, site: Site) -> Kernel:
    planes = Planes(op, site.inputs[0])
    padder, nn = planes.padder, torch._C._nn
    pool = nn.max_pool2d_with_indices if planes.two else nn.max_pool3d_with_indices
    arguments = (planes.kernel, planes.stride, padder.both, planes.spacing)
    plane = math.prod(planes.shape)
    # In a window of −∞, padding that was written out wins, and channels-last on CUDA any element does.
    repairs = padder.pads or _is_cuda(site)
    first = site.constant(windows_of(op, site.inputs[0]).first_places()[None, None]) if repairs else None

    def run(x: Any) -> Any:
        y, indices = map(planes.leave, pool(padder.pad(planes.enter(x), -torch.inf), *arguments))
        if padder.pads:
            indices = _unpadded(indices, planes)
        if first is not None:
            indices = torch.where(y == -torch.inf, first, indices)
        return y, known_within(indices, plane)

    return run


def _unpadded(indices: torch.Tensor, planes: Planes) -> torch.Tensor:
    """Places in the padded input as places in the input itself."""
    places, step = torch.zeros_like(indices), 1
    for padded, size, (before, _) in reversed(
        list(zip(planes.padder.shape[2:], planes.shape, planes.padding, strict=True))
    ):
        places += (indices % padded - before) * step
        indices, step = indices // padded, step * size
    return places


def _is_cuda(site: Site) -> bool:
    return site.backend.name == "torch-cuda"


@kernel(MaxPoolGrad, family=FAMILY, fresh=True)
def max_pool_grad(op: MaxPoolGrad, site: Site) -> Kernel:
    planes = Planes(op, site.output)
    # On CUDA the sums of PyTorch's own backward have no fixed order.
    return _scatter(site) if planes.padder.pads or _is_cuda(site) else _native_scatter(planes)


def _native_scatter(planes: Planes) -> Kernel:
    """PyTorch's own backward."""
    name = "max_pool2d_with_indices_backward" if planes.two else "max_pool3d_with_indices_backward"
    backward = getattr(_aten, name).default
    arguments = (planes.kernel, planes.stride, planes.padder.both, planes.spacing, False)
    size = math.prod(planes.shape)

    def run(g: Any, indices: Any) -> Any:
        _require_below(size, indices)
        x = planes.padder.empty(like=g)
        return planes.leave(backward(planes.enter(g), x, *arguments, planes.enter(indices)))

    return run


def _require_below(size: int, indices: torch.Tensor) -> None:
    """`ValueError` unless all indices (int64, on the CPU) are in [0, size): PyTorch would write anywhere.

    One pass, as unsigned numbers, of which a negative one is the largest. NumPy's is six times as fast.
    """
    if indices.numel() and (highest := int(indices.numpy().view(np.uint64).max())) >= size:
        found = highest if highest < 2**63 else highest - 2**64
        raise ValueError(f"index {found} does not lie within 0 to {size - 1}")


def _scatter(site: Site) -> Kernel:
    """Each g added at its index, in the order of the windows.

    Channels last, as tensors lie, and along one axis: on CUDA, PyTorch flattens several for itself, slowly.
    """
    batch, channels, *sizes = site.output.static
    plane, windows = math.prod(sizes), math.prod(site.inputs[0].static[2:])
    check = checked(site, plane)
    first = np.arange(batch)[:, None, None] * (plane * channels) + np.arange(channels)
    firsts = site.constant(first)

    def run(g: Any, indices: Any) -> Any:
        places = check(indices).movedim(1, -1).reshape(batch, windows, channels) * channels + firsts
        result = g.new_zeros(batch * plane * channels)
        result.scatter_add_(0, places.reshape(-1), g.movedim(1, -1).reshape(-1))
        return result.reshape(batch, *sizes, channels).movedim(-1, 1)

    return run


@kernel(MaxPoolGather, family=FAMILY, exact=True)
def max_pool_gather(op: MaxPoolGather, site: Site) -> Kernel:
    target = site.output.static
    check = checked(site, math.prod(site.inputs[0].static[2:]))

    def run(x: Any, indices: Any) -> Any:
        return x.flatten(2).gather(2, check(indices).flatten(2)).reshape(target)

    return run


# -- the mean ---------------------------------------------------------------------------------------


class Averages(Planes):
    """The arguments of PyTorch's averages; where padding is written out, sums, which are divided here."""

    def __init__(self, op: AveragePooling, x: TensorType, site: Site) -> None:
        super().__init__(op, x)
        self.divisors = self.enter(_divisors(op, x, site)) if self.padder.pads else None
        override = 1 if self.padder.pads else None
        self.arguments = (self.kernel, self.stride, self.padder.both, False, op.count_include_pad, override)


def _divisors(op: AveragePooling, x: TensorType, site: Site) -> torch.Tensor:
    """What the sum of each window is divided by, of shape (1, 1, *windows)."""
    found: torch.Tensor = site.constant(divisors(op, windows_of(op, x)).astype(x.dtype.numpy)[None, None])
    return found


@kernel(AvgPool, family=FAMILY)
def avg_pool(op: AvgPool, site: Site) -> Kernel:
    planes = Averages(op, site.inputs[0], site)
    pool = torch._C._nn.avg_pool2d if planes.two else torch._C._nn.avg_pool3d

    def run(x: Any) -> Any:
        y = pool(planes.padder.pad(planes.enter(x)), *planes.arguments)
        return planes.leave(y if planes.divisors is None else y / planes.divisors)

    return run if planes.two else widened(run, site)  # PyTorch has no half precision for three axes


@kernel(AvgPoolGrad, family=FAMILY, fresh=True)
def avg_pool_grad(op: AvgPoolGrad, site: Site) -> Kernel:
    return _spread_by_convolution(op, site) if _is_cuda(site) else _native_spread(op, site)


def _native_spread(op: AvgPoolGrad, site: Site) -> Kernel:
    """PyTorch's own backward."""
    planes = Averages(op, site.output, site)
    backward = (_aten.avg_pool2d_backward if planes.two else _aten.avg_pool3d_backward).default

    def run(g: Any) -> Any:
        inner = planes.enter(g)
        share = inner if planes.divisors is None else inner / planes.divisors
        x = planes.padder.empty(like=g)
        return planes.leave(planes.padder.crop(backward(share, x, *planes.arguments)))

    return run if planes.two else widened(run, site)


def _spread_by_convolution(op: AvgPoolGrad, site: Site) -> Kernel:
    """The adjoint of a convolution with ones, plane by plane.

    For CUDA, where PyTorch's own backward adds in no fixed order for three axes, and for two, channels-last,
    forgets padding that differs between them (seen in 2.11).
    """
    backend, x, g = site.backend, site.output, site.inputs[0]
    planes = x.static[0] * x.static[1]
    types = g.of_shape((planes, 1, *g.static[2:])), g.of_shape((1, 1, *op.kernel))
    operator = ConvInputGrad(op.stride, op.padding, op.spacing, 1, x.static[2:])
    spread = backend.compile(operator, types, operator.infer_types(types))
    place, ones = backend.layout(types[0]), site.constant(np.ones(op.kernel, x.dtype.numpy)[None, None])
    counts = _divisors(op, x, site)
    return lambda g: spread(place((g / counts).reshape(types[0].static)), ones).reshape(x.static)
