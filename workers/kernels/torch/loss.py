"""Log-softmax and cross-entropy in PyTorch."""

from __future__ import annotations

from typing import Any

import torch

from raygrad.proto.operators.loss import CrossEntropy, CrossEntropyGrad, LogSoftmax

from ..base import Kernel, Site, kernel
from ..common.indices import checked
from .backend import FAMILY


@kernel(LogSoftmax, family=FAMILY)
def log_softmax(op: LogSoftmax, site: Site) -> Kernel:
    return lambda x: torch.log_softmax(x, op.axis)


@kernel(CrossEntropy, family=FAMILY)
def cross_entropy(op: CrossEntropy, site: Site) -> Kernel:
    check = checked(site, site.inputs[0].static[-1])

    def run(x: Any, labels: Any) -> Any:
        at_label = check(labels).unsqueeze(-1)
        return -torch.log_softmax(x, -1).gather(-1, at_label).squeeze(-1)

    return run


@kernel(CrossEntropyGrad, family=FAMILY)
def cross_entropy_grad(op: CrossEntropyGrad, site: Site) -> Kernel:
    check = checked(site, site.output.static[-1])

    def run(g: Any, x: Any, labels: Any) -> Any:
        at_label, column = check(labels).unsqueeze(-1), g.unsqueeze(-1)
        return torch.softmax(x, -1).mul_(column).scatter_add_(-1, at_label, -column)

    return run
