"""Dropout: integer arithmetic that is the same on every backend, to the bit."""

from __future__ import annotations

import math
from typing import Any

from array_api_compat import device

from raygrad.proto.operators.random import Dropout
from raygrad.proto.tensor import DType

from ..base import Kernel, Site, kernel
from ..philox import stream_words
from .movement import namespace_dtype
from .precision import widened

BLOCK = 1 << 14
"""Counters at a time: their words stay in the cache next to the cores."""


@kernel(Dropout, exact=True)
def dropout(op: Dropout, site: Site) -> Kernel:
    xp, int64, shape = site.xp, namespace_dtype(site, DType.int64), site.output.static
    count, threshold = math.prod(shape), round((1.0 - op.p) * 2.0**32)
    counters = -(-count // 4)
    scale = 1.0 / (1.0 - op.p) if op.p < 1 else 0.0

    def kept(start: int, key: list[int], place: Any) -> Any:
        position = xp.arange(start, min(start + BLOCK, counters), dtype=int64, device=place)
        words = xp.stack(stream_words(position, op.stream, key), axis=-1)
        return xp.reshape(words < threshold, (-1,))

    def run(x: Any, key: Any) -> Any:
        numbers, place = key.tolist(), device(x)
        if numbers[0] < 0 or not count:
            return x
        mask = xp.concat([kept(start, numbers, place) for start in range(0, counters, BLOCK)])
        zero = xp.zeros((), dtype=x.dtype, device=place)
        return xp.where(xp.reshape(mask[:count], shape), x * scale, zero)

    return widened(run, site)
