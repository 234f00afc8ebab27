"""Gather, take and their adjoints in PyTorch."""

from __future__ import annotations

from typing import Any

import torch

from raygrad.proto.operators.indexing import Gather, GatherGrad, Take, TakeGrad

from ..base import Kernel, Site, kernel
from .backend import FAMILY
from .indices import checked


@kernel(Gather, family=FAMILY, exact=True)
def gather(op: Gather, site: Site) -> Kernel:
    check = checked(site, site.inputs[0].static[op.axis])
    return lambda x, indices: torch.gather(x, op.axis, check(indices))


@kernel(GatherGrad, family=FAMILY)
def gather_grad(op: GatherGrad, site: Site) -> Kernel:
    target = site.output.static
    check = checked(site, target[op.axis])
    return lambda g, indices: g.new_zeros(target).scatter_add_(op.axis, check(indices), g)


@kernel(Take, family=FAMILY, exact=True)
def take(op: Take, site: Site) -> Kernel:
    target = site.output.static
    check = checked(site, site.inputs[0].static[op.axis])
    return lambda x, indices: torch.index_select(x, op.axis, check(indices).reshape(-1)).reshape(target)


@kernel(TakeGrad, family=FAMILY)
def take_grad(op: TakeGrad, site: Site) -> Kernel:
    target = site.output.static
    check = checked(site, target[op.axis])
    slices = (*target[: op.axis], site.inputs[1].elements, *target[op.axis + 1 :])

    def run(g: Any, indices: Any) -> Any:
        return g.new_zeros(target).index_add_(op.axis, check(indices).reshape(-1), g.reshape(slices))

    return run
