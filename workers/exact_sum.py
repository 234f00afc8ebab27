"""The exact sum of arrays: rounded once, whatever the order, the merges or the widening.

Every finite float64, float32, float16 and bfloat16 input is summed without loss, whole range and weights
included. An array is cut into blocks that fit the cache; each keeps the limbs that its own elements need.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from raygrad.proto.tensor import Array

from .array_sum import ONE, ArraySum, Limb, Limbs
from .expansion import BLOCK, Expansion, FloatArray, Scratch
from .factor import LANE_BITS, Factor
from .fixed_point import FixedPoint
from .rounding import Format, divided_exactly, round_pair, round_quotient

_NAN, _PLUS, _MINUS = 1, 2, 4  # flags of an element that met a NaN, +∞ or −∞

_buffers = Scratch(1)


class ExactSum(ArraySum):
    """The exact sum of arrays of one shape, in a floating-point dtype.

    Takes 8 bytes per element while no addition rounds in float64, 16 for almost all others, and 8 more in
    each block of `BLOCK` elements for each further limb that it needs. NaN and infinities stick: NaN, or ∞
    with −∞, gives the one canonical NaN.
    """

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> None:
        super().__init__(shape, dtype)
        self._format = Format.of(dtype)
        self._blocks = [_Block(min(BLOCK, self.size - start)) for start in range(0, self.size, BLOCK)]

    def add(self, x: Array, weight: float = 1.0) -> None:
        """Add weight · x exactly, the product included."""
        self.check(x, weight)
        factor = Factor(weight, self._format.precision)
        flat = x.reshape(-1)
        for start, block in self._starts():
            block.add(flat[start : start + BLOCK], factor)

    def absorb(self, limbs: Limbs) -> None:
        for limb in limbs.limbs:
            self._blocks[limb.start // BLOCK].absorb(limb.lane, limb.values)
        if limbs.specials is not None:
            for start, block in self._starts():
                block.mark(limbs.specials[start : start + BLOCK])

    def round(self, divisor: Fraction = ONE) -> Array:
        """The exact sum divided by `divisor` (dyadic, not zero), rounded once, half to even.

        Overflow gives ±∞, subnormal results are right, and a sum of exactly zero is +0.
        """
        result = np.empty(self.size, self.dtype)
        for start, block in self._starts():
            result[start : start + BLOCK] = block.round(divisor, self.dtype)
        return result.reshape(self.shape)

    def limbs(self) -> Limbs:
        limbs = (
            Limb(start, lane, _frozen(values))
            for start, block in self._starts()
            for lane, values in block.limbs()
        )
        return Limbs(self.shape, self.dtype, tuple(limbs), self._specials())

    @property
    def nbytes(self) -> int:
        return sum(block.nbytes for block in self._blocks)

    def _starts(self) -> Iterator[tuple[int, _Block]]:
        return zip(range(0, self.size, BLOCK), self._blocks, strict=True)

    def _specials(self) -> Array | None:
        if all(block.specials is None for block in self._blocks):
            return None
        return _frozen(np.concatenate([block.flags() for block in self._blocks]))


class _Block:
    """Up to `BLOCK` neighbouring elements: an expansion per lane, and flags once an element is not finite."""

    __slots__ = ("_lanes", "_size", "specials")

    def __init__(self, size: int) -> None:
        self._size = size
        self._lanes: dict[int, Expansion] = {}
        self.specials: npt.NDArray[np.uint8] | None = None

    def add(self, x: Array, factor: Factor) -> None:
        (values,) = _buffers.take(self._size)
        np.copyto(values, x)
        peak = max(values.max(), -values.min())
        if not peak < np.inf:
            self._set_aside_specials(values, factor.weight)
        for lane, product in factor.products(values, peak):
            self._lane(lane).add(product)

    def absorb(self, lane: int, values: Array) -> None:
        """Add a limb of another sum, which is left as it is."""
        (carry,) = _buffers.take(self._size)
        np.copyto(carry, values)
        self._lane(lane).add(carry)

    def mark(self, flags: Array) -> None:
        """Add flags of elements that are not finite."""
        if flags.any():
            self.specials = self.flags() | flags.astype(np.uint8)

    def flags(self) -> npt.NDArray[np.uint8]:
        return np.zeros(self._size, np.uint8) if self.specials is None else self.specials

    def limbs(self) -> Iterator[tuple[int, FloatArray]]:
        """Each limb, with its lane."""
        return ((lane, limb) for lane, expansion in self._lanes.items() for limb in expansion.limbs)

    def round(self, divisor: Fraction, dtype: np.dtype[np.generic]) -> Array:
        rounded = self._round_finite(divisor, dtype)
        if self.specials is not None:
            flags = self.specials
            sign = -1.0 if divisor < 0 else 1.0
            rounded[flags == _PLUS] = sign * np.inf
            rounded[flags == _MINUS] = sign * -np.inf
            rounded[(flags & _NAN != 0) | (flags == _PLUS | _MINUS)] = np.nan
        return rounded

    @property
    def nbytes(self) -> int:
        flags = 0 if self.specials is None else self.specials.nbytes
        return flags + sum(limb.nbytes for _, limb in self.limbs())

    def _lane(self, lane: int) -> Expansion:
        return self._lanes.setdefault(lane, Expansion())

    def _set_aside_specials(self, values: FloatArray, weight: float) -> None:
        """Flag what weight · values makes of NaN and infinities, and put zeros in their place."""
        special = ~np.isfinite(values)
        with np.errstate(invalid="ignore"):
            product = np.where(special, values * np.sign(weight), 0.0)
        self.mark(np.isnan(product) * _NAN | (product == np.inf) * _PLUS | (product == -np.inf) * _MINUS)
        values[special] = 0.0

    def _round_finite(self, divisor: Fraction, dtype: np.dtype[np.generic]) -> Array:
        limbs = list(self.limbs()) or [(0, np.zeros(self._size))]
        if len(limbs) > 2 or any(lane for lane, _ in limbs):
            return _rounded_digits(limbs, divisor, dtype)
        high, low = limbs[0][1], limbs[1][1] if len(limbs) == 2 else None
        scaled = [divided_exactly(limb, divisor) for _, limb in limbs]
        if scaled[0] is not None and scaled[-1] is not None:
            return round_pair(scaled[0], None if low is None else scaled[1], dtype)
        if dtype == np.float64 or not _is_ordinary(divisor):
            return _rounded_digits(limbs, divisor, dtype)
        rounded, doubtful = round_quotient(high, low, divisor, dtype)
        if doubtful.size:
            rounded[doubtful] = _rounded_digits([(0, limb[doubtful]) for _, limb in limbs], divisor, dtype)
        return rounded


def _is_ordinary(divisor: Fraction) -> bool:
    """Whether it is a float64 far from the ends of the range, if rounded."""
    return Fraction(1, 1 << 100) < abs(divisor) < 1 << 100


def _rounded_digits(
    limbs: Sequence[tuple[int, FloatArray]], divisor: Fraction, dtype: np.dtype[np.generic]
) -> Array:
    """The sum of limbs (lane, values), divided and rounded once: any number of them, at a price."""
    fixed = FixedPoint([(limb, LANE_BITS * lane) for lane, limb in limbs])
    if divisor != 1:
        fixed.divide(divisor)
    with np.errstate(over="ignore"):
        return fixed.round(Format.of(dtype)).astype(dtype)


def _frozen(values: Array) -> Array:
    copy = values.copy()
    copy.setflags(write=False)
    return copy
