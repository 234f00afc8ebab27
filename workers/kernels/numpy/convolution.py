"""Convolution in NumPy: windows are written out as columns, and one matrix product does the rest.

See Chellapilla, Puri and Simard, "High Performance Convolutional Neural Networks for Document
Processing" (2006). The batch is taken in blocks, so that the columns stay within a few megabytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from raygrad.proto.operators.convolution import Conv, ConvInputGrad, Convolution, ConvWeightGrad
from raygrad.proto.tensor import TensorType

from ..base import Kernel, Site, kernel
from ..common.precision import widened
from ..window import Index, Windows
from .backend import FAMILY, Numbers
from .windows import pad, taps

BLOCK_BYTES = 8 << 20
"""Columns of one block of the batch: small enough for the cache next to the cores, large enough for BLAS."""


class Columns:
    """The columns of a convolution, [n, group, channel × kernel, window], of its types x and w."""

    def __init__(self, op: Convolution, x: TensorType, w: TensorType) -> None:
        kernel = w.static[2:]
        self.windows = Windows(x.static[2:], kernel, op.stride, op.padding, op.dilation)
        self.groups = op.groups
        self.channels = w.static[1]
        self.samples = x.static[0]
        self.rows = self.channels * math.prod(kernel)
        self.width = math.prod(self.windows.counts)
        self._shape = (self.groups, self.channels, *kernel, *self.windows.counts)

    def blocks(self) -> Iterator[slice]:
        """The batch in blocks."""
        sample = 8 * self.groups * self.rows * self.width
        size = max(1, BLOCK_BYTES // max(sample, 1))
        return (slice(i, min(i + size, self.samples)) for i in range(0, self.samples, size))

    def of(self, x: Numbers) -> Numbers:
        """The columns of a block of inputs."""
        padded = self._grouped(pad(x, self.windows))
        columns = np.empty((len(x), *self._shape), dtype=x.dtype)
        for offsets, place in taps(self.windows):
            columns[_at(offsets)] = padded[place]
        return columns.reshape(len(x), self.groups, self.rows, self.width)

    def add(self, columns: Numbers) -> Numbers:
        """The adjoint of `of`: each element of the columns added to where it came from."""
        parts = columns.reshape(len(columns), *self._shape)
        padded = np.zeros(
            (len(columns), self.groups, self.channels, *self.windows.padded), dtype=columns.dtype
        )
        for offsets, place in taps(self.windows):
            padded[place] += parts[_at(offsets)]
        inside = padded[self.windows.inside]
        return inside.reshape(len(columns), -1, *self.windows.sizes)

    def _grouped(self, x: Numbers) -> Numbers:
        return x.reshape(len(x), self.groups, self.channels, *x.shape[2:])

    def weights(self, w: Numbers) -> Numbers:
        """w as one matrix per group: [group, output, channel × kernel]."""
        return w.reshape(self.groups, -1, self.rows)

    def outputs(self, y: Numbers) -> Numbers:
        """y as one matrix per sample and group: [n, group, output, window]."""
        return y.reshape(len(y), self.groups, -1, self.width)


def _at(offsets: tuple[int, ...]) -> Index:
    """Where the elements at `offsets` of all windows lie in columns of all samples, groups and channels."""
    return (slice(None), slice(None), slice(None), *offsets)


@kernel(Conv, family=FAMILY)
def conv(op: Conv, site: Site) -> Kernel:
    columns, target = Columns(op, *site.inputs[:2]), site.output.static

    def run(x: Any, w: Any, bias: Any = None) -> Any:
        y = np.empty(target, dtype=x.dtype)
        for block in columns.blocks():
            np.matmul(columns.weights(w), columns.of(x[block]), out=columns.outputs(y[block]))
        if bias is not None:
            y += bias.reshape(-1, *[1] * (y.ndim - 2))
        return y

    return widened(run, site)


@kernel(ConvInputGrad, family=FAMILY)
def conv_input_grad(op: ConvInputGrad, site: Site) -> Kernel:
    columns, target = Columns(op, site.output, site.inputs[1]), site.output.static

    def run(g: Any, w: Any) -> Any:
        x = np.empty(target, dtype=g.dtype)
        transposed = columns.weights(w).swapaxes(1, 2)
        for block in columns.blocks():
            x[block] = columns.add(transposed @ columns.outputs(g[block]))
        return x

    return widened(run, site)


@kernel(ConvWeightGrad, family=FAMILY)
def conv_weight_grad(op: ConvWeightGrad, site: Site) -> Kernel:
    columns, target = Columns(op, site.inputs[0], site.output), site.output.static

    def run(x: Any, g: Any) -> Any:
        w = np.zeros(target, dtype=x.dtype)
        total = columns.weights(w)
        for block in columns.blocks():
            transposed = columns.of(x[block]).swapaxes(2, 3)
            total += (columns.outputs(g[block]) @ transposed).sum(axis=0)
        return w

    return widened(run, site)
