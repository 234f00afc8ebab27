"""Where the largest is, and stable sorts, in PyTorch, whose own top-k takes equal elements in any order."""

from __future__ import annotations

from typing import Any

import torch

from raygrad.proto.operators.sorting import ArgMax, ArgMin, TopK

from ..base import Kernel, Site, kernel
from .backend import FAMILY


@kernel(ArgMax, family=FAMILY, exact=True)
def argmax(op: ArgMax, site: Site) -> Kernel:
    return lambda x: torch.argmax(x, op.axis)


@kernel(ArgMin, family=FAMILY, exact=True)
def argmin(op: ArgMin, site: Site) -> Kernel:
    return lambda x: torch.argmin(x, op.axis)


@kernel(TopK, family=FAMILY, exact=True)
def topk(op: TopK, site: Site) -> Kernel:
    count, size = site.outputs[0].static[op.axis], site.inputs[0].static[op.axis]

    def run(x: Any) -> Any:
        found = torch.sort(x, dim=op.axis, descending=op.largest, stable=True)
        if count == size:
            return found.values, found.indices
        return found.values.narrow(op.axis, 0, count), found.indices.narrow(op.axis, 0, count)

    return run
