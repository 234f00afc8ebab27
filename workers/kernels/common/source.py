"""Sources that a kernel makes: constants, sizes as numbers, places. All are made once, at compile time."""

from __future__ import annotations

import math

import numpy as np

from raygrad.proto.operators.source import Constant, Iota, SizeOf
from raygrad.proto.tensor import TensorType

from ..base import Kernel, Site, kernel


@kernel(Constant, exact=True)
def constant(op: Constant, site: Site) -> Kernel:
    value = site.constant(op.array)
    return lambda: value


@kernel(SizeOf, exact=True)
def size_of(op: SizeOf, site: Site) -> Kernel:
    count = math.prod(TensorType(op.sizes, op.dtype).static)
    value = site.constant(np.asarray(count, dtype=op.dtype.numpy))
    return lambda: value


@kernel(Iota, exact=True)
def iota(op: Iota, site: Site) -> Kernel:
    value = site.constant(np.arange(site.output.elements).astype(op.dtype.numpy))
    return lambda: value
