"""Reductions without the array-API wrappers, which cost as much as the sum of a small tensor.

PyTorch adds half precision up in float32 by itself. To PyTorch no axes mean all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from raygrad.proto.operators.reduction import LogSumExp, Max, Min, Reduction, Sum

from ..base import Kernel, Site, kernel
from ..common.precision import widened
from .backend import FAMILY

_FUNCTIONS: dict[type[Reduction], Callable[..., Any]] = {
    Max: torch.amax,
    Min: torch.amin,
    LogSumExp: torch.logsumexp,
}


@kernel(Sum, family=FAMILY)
def sum_(op: Sum, site: Site) -> Kernel:
    if not op.axes:
        return lambda x: x
    return lambda x: torch.sum(x, op.axes, dtype=x.dtype)


@kernel(*_FUNCTIONS, family=FAMILY)
def function(op: Reduction, site: Site) -> Kernel:
    if not op.axes:
        return lambda x: x
    found = _FUNCTIONS[type(op)]
    return (
        widened(lambda x: found(x, op.axes), site)
        if found is torch.logsumexp
        else lambda x: found(x, op.axes)
    )
