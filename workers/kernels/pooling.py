"""What pooling kernels of all backends need to know about their windows."""

from __future__ import annotations

import math

import numpy as np

from raygrad.proto.operators.pooling import AveragePooling, Pooling
from raygrad.proto.tensor import TensorType

from .window import Ints, Windows


def windows_of(op: Pooling, x: TensorType) -> Windows:
    """The windows of a pooling over x."""
    return Windows(x.static[2:], op.kernel, op.stride, op.padding, op.spacing)


def divisors(op: AveragePooling, windows: Windows) -> Ints:
    """What each window's sum is divided by: its elements, with or without padding."""
    if op.count_include_pad:
        return np.full(windows.counts, math.prod(windows.kernel))
    return windows.covered()
