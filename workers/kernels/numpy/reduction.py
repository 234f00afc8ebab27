"""Reductions that the array API has no function for, in NumPy."""

from __future__ import annotations

import numpy as np

from raygrad.proto.operators.reduction import LogSumExp

from ..base import Kernel, Site, kernel
from ..common.precision import widened
from .backend import FAMILY, Numbers


@kernel(LogSumExp, family=FAMILY)
def logsumexp(op: LogSumExp, site: Site) -> Kernel:
    def run(x: Numbers) -> Numbers:
        largest = x.max(axis=op.axes, keepdims=True, initial=-np.inf)
        largest = np.where(np.isfinite(largest), largest, x.dtype.type(0))
        found: Numbers = np.log(np.exp(x - largest).sum(axis=op.axes)) + largest.reshape(site.output.static)
        return found

    return widened(run, site)
