"""Writing elements at indices in PyTorch, one after the other in index order."""

from __future__ import annotations

import torch

from raygrad.proto.operators.scatter import Scatter, ScatterReduce

from ..base import Kernel, Site, kernel
from .backend import FAMILY
from .indices import checked

_REDUCE = {"mul": "prod", "max": "amax", "min": "amin"}


@kernel(Scatter, family=FAMILY, exact=True)
def scatter(op: Scatter, site: Site) -> Kernel:
    check = checked(site, site.output.static[op.axis])
    return lambda x, indices, updates: torch.scatter(x, op.axis, check(indices), updates)


@kernel(ScatterReduce, family=FAMILY)
def scatter_reduce(op: ScatterReduce, site: Site) -> Kernel:
    check, reduce = checked(site, site.output.static[op.axis]), _REDUCE[op.reduction]
    return lambda x, indices, updates: torch.scatter_reduce(x, op.axis, check(indices), updates, reduce)
