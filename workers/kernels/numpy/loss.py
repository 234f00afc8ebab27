"""Log-softmax and cross-entropy in NumPy, shifted by the maximum so that no exponential overflows."""

from __future__ import annotations

from typing import Any

import numpy as np

from raygrad.proto.operators.loss import CrossEntropy, CrossEntropyGrad, LogSoftmax

from ..base import Kernel, Site, kernel
from ..common.indices import checked
from ..common.precision import widened
from .backend import FAMILY, Numbers


def log_softmax(x: Numbers, axis: int) -> Numbers:
    """x − log Σ eˣ along `axis`."""
    shifted = x - x.max(axis=axis, keepdims=True, initial=-np.inf)
    found: Numbers = shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))
    return found


@kernel(LogSoftmax, family=FAMILY)
def log_softmax_kernel(op: LogSoftmax, site: Site) -> Kernel:
    return widened(lambda x: log_softmax(x, op.axis), site)


@kernel(CrossEntropy, family=FAMILY)
def cross_entropy(op: CrossEntropy, site: Site) -> Kernel:
    check = checked(site, site.inputs[0].static[-1])

    def run(x: Any, labels: Any) -> Any:
        chosen = np.take_along_axis(log_softmax(x, -1), check(labels)[..., None], axis=-1)
        return -chosen[..., 0]

    return widened(run, site)


@kernel(CrossEntropyGrad, family=FAMILY)
def cross_entropy_grad(op: CrossEntropyGrad, site: Site) -> Kernel:
    classes = site.output.static[-1]
    check = checked(site, classes)

    def run(g: Any, x: Any, labels: Any) -> Any:
        softmax = np.exp(log_softmax(x, -1))
        at_label = check(labels)[..., None]
        np.put_along_axis(softmax, at_label, np.take_along_axis(softmax, at_label, axis=-1) - 1, axis=-1)
        return g[..., None] * softmax

    return widened(run, site)
