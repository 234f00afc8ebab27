"""Where the largest is, and stable sorts, in NumPy; of bfloat16 in float32, which puts NaN in its place."""

from __future__ import annotations

from typing import Any

import numpy as np

from raygrad.proto.operators.sorting import ArgMax, ArgMin, TopK
from raygrad.proto.tensor import DType

from ..base import Kernel, Site, kernel
from .backend import FAMILY, Numbers


@kernel(ArgMax, family=FAMILY, exact=True)
def argmax(op: ArgMax, site: Site) -> Kernel:
    return lambda x: np.argmax(_comparable(x), axis=op.axis)


@kernel(ArgMin, family=FAMILY, exact=True)
def argmin(op: ArgMin, site: Site) -> Kernel:
    return lambda x: np.argmin(_comparable(x), axis=op.axis)


@kernel(TopK, family=FAMILY, exact=True)
def topk(op: TopK, site: Site) -> Kernel:
    count, size = site.outputs[0].static[op.axis], site.inputs[0].static[op.axis]
    kept = (*[slice(None)] * op.axis, slice(0, count))

    def run(x: Any) -> Any:
        keys = _comparable(x)
        if op.largest:  # the reverse of an ascending sort of the reverse keeps equal elements in order
            order = size - 1 - np.flip(_ascending(np.flip(keys, op.axis), op.axis), op.axis)
        else:
            order = _ascending(keys, op.axis)
        indices = order[kept]
        return np.take_along_axis(x, indices, axis=op.axis), indices

    return run


def _ascending(keys: Numbers, axis: int) -> Numbers:
    return np.argsort(keys, axis=axis, kind="stable")


def _comparable(x: Numbers) -> Numbers:
    return x.astype(np.float32) if x.dtype == DType.bfloat16.numpy else x
