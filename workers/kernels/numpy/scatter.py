"""Writing elements at indices in NumPy, one after the other in index order."""

from __future__ import annotations

from typing import Any

import numpy as np

from raygrad.proto.operators.scatter import Scatter, ScatterReduce

from ..base import Kernel, Site, kernel
from ..common.indices import checked
from .backend import FAMILY
from .indexing import places_of

_COMBINE: dict[str, np.ufunc] = {"mul": np.multiply, "max": np.maximum, "min": np.minimum}


@kernel(Scatter, family=FAMILY, exact=True)
def scatter(op: Scatter, site: Site) -> Kernel:
    check = checked(site, site.output.static[op.axis])

    def run(x: Any, indices: Any, updates: Any) -> Any:
        result = x.copy()
        np.put_along_axis(result, check(indices), updates, axis=op.axis)
        return result

    return run


@kernel(ScatterReduce, family=FAMILY)
def scatter_reduce(op: ScatterReduce, site: Site) -> Kernel:
    check, combine = checked(site, site.output.static[op.axis]), _COMBINE[op.reduction]

    def run(x: Any, indices: Any, updates: Any) -> Any:
        result = x.copy()
        combine.at(result, places_of(check(indices), op.axis), updates)
        return result

    return run
