"""Elementwise functions in NumPy: half precision in float32, and the error functions of C's library."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from raygrad.proto.operators.base import Operator
from raygrad.proto.operators.division import FloorDiv, Fmod, Remainder
from raygrad.proto.operators.special import Erf, Erfc

from ..base import COMMON, Kernel, Site, find, kernel
from ..common.elementwise import FUNCTIONS
from ..common.precision import widened
from .backend import FAMILY, Numbers


@kernel(*FUNCTIONS, FloorDiv, Fmod, Remainder, family=FAMILY)
def function(op: Operator, site: Site) -> Kernel:
    return widened(find(op, COMMON)(op, site), site)


@kernel(Erf, family=FAMILY)
def erf(op: Erf, site: Site) -> Kernel:
    return widened(_each(math.erf), site)


@kernel(Erfc, family=FAMILY)
def erfc(op: Erfc, site: Site) -> Kernel:
    return widened(_each(math.erfc), site)


def _each(function: Callable[[float], float]) -> Kernel:
    """A function of one float64 applied to each element."""

    def run(x: Numbers) -> Numbers:
        return np.fromiter(map(function, x.ravel().tolist()), x.dtype, x.size).reshape(x.shape)

    return run
