"""Products with logarithms, which are 0 where the factor is."""

from __future__ import annotations

from typing import Any

import numpy as np

from raygrad.proto.operators import elementwise as ew
from raygrad.proto.operators.base import Operator
from raygrad.proto.operators.special import BinaryCrossEntropy, Entropy, XLog1pY, XLogY
from raygrad.proto.tensor import DType

from ..base import Kernel, Site, kernel
from .precision import widened


@kernel(XLogY, XLog1pY)
def x_log_y(op: Operator, site: Site) -> Kernel:
    xp, zero = site.xp, _scalar(site, 0)
    log = xp.log if isinstance(op, XLogY) else xp.log1p

    def run(x: Any, y: Any) -> Any:
        return xp.where((x == zero) & (y == y), zero, x * log(y))

    return widened(run, site)


@kernel(Entropy)
def entropy(op: Entropy, site: Site) -> Kernel:
    xp, zero, below = site.xp, _scalar(site, 0), _scalar(site, -np.inf)

    def run(x: Any) -> Any:
        otherwise = xp.where(x == zero, zero, xp.where(x < zero, below, x))
        return xp.where(x > zero, -(x * xp.log(x)), otherwise)

    return widened(run, site)


@kernel(BinaryCrossEntropy)
def binary_cross_entropy(op: BinaryCrossEntropy, site: Site) -> Kernel:
    xp, least, one = site.xp, _scalar(site, -100), _scalar(site, 1)

    def run(p: Any, t: Any) -> Any:
        return (t - one) * xp.maximum(xp.log1p(-p), least) - t * xp.maximum(xp.log(p), least)

    return widened(run, site)


@kernel(ew.Sgn, exact=True)
def sgn(op: ew.Sgn, site: Site) -> Kernel:
    xp = site.xp
    if not site.output.dtype.is_floating:
        found: Kernel = xp.sign
        return found
    zero = site.constant(np.zeros((), site.output.dtype.numpy))
    return lambda x: xp.where(x == x, xp.sign(x), zero)


def _scalar(site: Site, number: float) -> Any:
    """A number of the dtype in which a kernel computes: float32 for half precision."""
    dtype = DType.float32 if site.output.dtype.is_half else site.output.dtype
    return site.constant(np.asarray(number, dtype=dtype.numpy))
