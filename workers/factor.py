"""Exact products: the weight of a mini-batch times a gradient, as float64 arrays that lose nothing.

A product of two float64 has up to 106 bits and an exponent that float64 may not have. It is therefore made of
partial products, each short enough to be exact, in *lanes*: an array in lane k stands for its values times
2**(LANE_BITS·k), so neither an overflow nor an underflow can occur.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from .expansion import FloatArray, Scratch

LANE_BITS = 600
"""Neighbouring lanes differ by a factor of 2**LANE_BITS."""

_ORDINARY = 2.0**300  # |x| in [2**-300, 2**300) stays in lane 0; scaled, all lie in [2**-474, 2**424)
_SAFE = 2.0**900  # values below this can be added 2**123 times before a sum overflows
_FLOAT64_BITS = 53
_HALF_BITS = 27  # of the longer half of a float64
_HIGH_HALF = np.int64(-1 << _HALF_BITS)

_buffers = Scratch(3)


class Factor:
    """A finite weight, ready to be multiplied with values of at most `precision` significant bits."""

    __slots__ = ("_lane", "_parts", "_wide", "weight")

    def __init__(self, weight: float, precision: int) -> None:
        self.weight = weight
        self._wide = precision > _HALF_BITS
        self._lane = _lane_of(weight)
        self._parts = _parts(_scaled(weight, self._lane), _FLOAT64_BITS - min(precision, _HALF_BITS))

    def products(self, values: FloatArray, peak: float) -> Iterator[tuple[int, FloatArray]]:
        """(lane, array) pairs that add up to weight · values exactly.

        `values` are finite and below `peak` in magnitude. An array is valid until the next one is asked for;
        the consumer may overwrite it. `values` themselves may be overwritten too.
        """
        if self.weight == 1.0 and peak < _SAFE:
            yield 0, values
            return
        _, _, product = _buffers.take(values.size)
        for lane, scaled in _by_lane(values) if self._wide else ((0, values),):
            for half in self._halves(scaled):
                for part in self._parts:
                    yield lane + self._lane, np.multiply(half, part, out=product)

    def _halves(self, values: FloatArray) -> tuple[FloatArray, ...]:
        """Arrays that add up to `values`, short enough for exact products with a part of the weight."""
        if not self._wide or _is_power_of_two(self._parts):
            return (values,)
        high, low, _ = _buffers.take(values.size)
        np.bitwise_and(values.view(np.int64), _HIGH_HALF, out=high.view(np.int64))
        np.subtract(values, high, out=low)
        return high, low


def _lane_of(weight: float) -> int:
    if abs(weight) >= _ORDINARY:
        return 1
    return -1 if 0.0 < abs(weight) < 1.0 / _ORDINARY else 0


def _scaled(weight: float, lane: int) -> float:
    return math.ldexp(weight, -LANE_BITS * lane)


def _parts(weight: float, bits: int) -> tuple[float, ...]:
    """Numbers of at most `bits` significant bits that add up to `weight`; none for zero."""
    parts = []
    while weight != 0.0:
        fraction, exponent = math.frexp(weight)
        part = math.ldexp(math.trunc(math.ldexp(fraction, bits)), exponent - bits)
        parts.append(part)
        weight -= part
    return tuple(parts)


def _is_power_of_two(parts: tuple[float, ...]) -> bool:
    return len(parts) == 1 and abs(math.frexp(parts[0])[0]) == 0.5


def _by_lane(values: FloatArray) -> Iterator[tuple[int, FloatArray]]:
    """(lane, array) pairs that add up to `values`, with nonzero elements in [2**-474, 2**424)."""
    magnitude = np.abs(values)
    huge = magnitude >= _ORDINARY
    tiny = (magnitude < 1.0 / _ORDINARY) & (values != 0.0)
    for lane, members in ((1, huge), (-1, tiny)):
        if members.any():
            yield lane, np.ldexp(np.where(members, values, 0.0), -LANE_BITS * lane)
    strange = huge | tiny
    yield 0, np.where(strange, 0.0, values) if strange.any() else values
