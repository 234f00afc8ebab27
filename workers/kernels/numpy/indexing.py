"""Gather, take and their adjoints. `numpy.add.at` adds in index order, so sums are the same every time."""

from __future__ import annotations

from typing import Any

import numpy as np

from raygrad.proto.operators.indexing import Gather, GatherGrad, Take, TakeGrad

from ..base import Kernel, Site, kernel
from ..common.indices import checked
from .backend import FAMILY, Numbers


@kernel(Gather, family=FAMILY, exact=True)
def gather(op: Gather, site: Site) -> Kernel:
    check = checked(site, site.inputs[0].static[op.axis])
    return lambda x, indices: np.take_along_axis(x, check(indices), axis=op.axis)


@kernel(GatherGrad, family=FAMILY)
def gather_grad(op: GatherGrad, site: Site) -> Kernel:
    target = site.output.static
    check = checked(site, target[op.axis])

    def run(g: Any, indices: Any) -> Any:
        result = np.zeros(target, dtype=g.dtype)
        np.add.at(result, places_of(check(indices), op.axis), g)
        return result

    return run


def places_of(indices: Numbers, axis: int) -> tuple[Numbers, ...]:
    """What `x[…]` takes to reach the elements that `Gather` reads."""
    places: list[Numbers] = list(np.indices(indices.shape, sparse=True))
    places[axis] = indices
    return tuple(places)


@kernel(Take, family=FAMILY, exact=True)
def take(op: Take, site: Site) -> Kernel:
    check = checked(site, site.inputs[0].static[op.axis])
    return lambda x, indices: np.take(x, check(indices), axis=op.axis)


@kernel(TakeGrad, family=FAMILY)
def take_grad(op: TakeGrad, site: Site) -> Kernel:
    target = site.output.static
    check = checked(site, target[op.axis])

    def run(g: Any, indices: Any) -> Any:
        result = np.zeros(target, dtype=g.dtype)
        np.add.at(result, (*[slice(None)] * op.axis, check(indices)), g)
        return result

    return run
