"""Cumulative sums in PyTorch, which on CUDA adds floating-point numbers in no fixed order.

There they are added by doubling (Hillis and Steele, Data Parallel Algorithms, 1986), in log₂ n steps.
"""

from __future__ import annotations

import torch

from raygrad.proto.operators.scan import CumSum

from ..base import COMMON, Kernel, Site, find, kernel
from ..common.scan import scan
from .backend import FAMILY, TorchBackend


@kernel(CumSum, family=FAMILY)
def cumsum(op: CumSum, site: Site) -> Kernel:
    backend = site.backend
    assert isinstance(backend, TorchBackend)
    if backend.device.type == "cuda" and site.output.dtype.is_floating:
        return scan(op, site, doubling, 0)
    return find(op, COMMON)(op, site)


def doubling(x: torch.Tensor, axis: int, dtype: torch.dtype) -> torch.Tensor:
    """The cumulative sum along `axis`, in a fixed order."""
    found = x.to(dtype)
    size, reach = found.shape[axis], 1
    while reach < size:
        rest = size - reach
        added = found.narrow(axis, reach, rest) + found.narrow(axis, 0, rest)
        found = torch.cat([found.narrow(axis, 0, reach), added], axis)
        reach *= 2
    return found
