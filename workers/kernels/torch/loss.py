"""Log-softmax and cross-entropy in PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from raygrad.proto.operators.loss import CrossEntropy, CrossEntropyGrad, LogSoftmax
from raygrad.proto.tensor import DType

from ..base import Kernel, Site, kernel
from ..common.precision import widened
from .backend import FAMILY
from .indices import checked


@kernel(LogSoftmax, family=FAMILY)
def log_softmax(op: LogSoftmax, site: Site) -> Kernel:
    return widened(lambda x: torch.log_softmax(x, op.axis), site)


@kernel(CrossEntropy, family=FAMILY)
def cross_entropy(op: CrossEntropy, site: Site) -> Kernel:
    check = checked(site, site.inputs[0].static[-1])

    def run(x: Any, labels: Any) -> Any:
        at_label = check(labels).unsqueeze(-1)
        return -torch.log_softmax(x, -1).gather(-1, at_label).squeeze(-1)

    return widened(run, site)


@kernel(CrossEntropyGrad, family=FAMILY)
def cross_entropy_grad(op: CrossEntropyGrad, site: Site) -> Kernel:
    classes = site.output.static[-1]
    check, every = checked(site, classes), site.constant(np.arange(classes))
    wide = DType.float32 if site.output.dtype.is_half else site.output.dtype
    zero = site.constant(np.zeros((), wide.numpy))

    def run(g: Any, x: Any, labels: Any) -> Any:
        # Not by scatter_add_, for which CUDA sorts to add in a fixed order: there is one label to a row.
        column = g.unsqueeze(-1)
        at_label = torch.where(check(labels).unsqueeze(-1) == every, column, zero)
        return torch.softmax(x, -1).mul_(column).sub_(at_label)

    return widened(run, site)
