"""Rounding once: from exact sums to the dtype of a gradient, half to even.

Rounding to float64 and then to a narrower dtype rounds twice, and shows: a value just above the middle of
two float32 numbers may first fall onto the middle. Rounding *to odd* on the way (truncate, and set the last
bit if anything was cut off) keeps the knowledge that something was cut off, and the second rounding is then
right if at least two bits are dropped. Boldo and Melquiond, Emulation of FMA and Correctly Rounded Sums, IEEE
Transactions on Computers 57 (2008).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import ml_dtypes
import numpy as np
import numpy.typing as npt

from raygrad.proto.tensor import Array

from .expansion import FloatArray

_BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


@dataclass(frozen=True)
class Format:
    """A binary floating-point format."""

    precision: int  # bits of a significand, the leading one included
    lowest_bit: int  # the exponent of the smallest subnormal

    @classmethod
    def of(cls, dtype: np.dtype[np.generic]) -> Format:
        """The format of a floating-point dtype, bfloat16 included."""
        return _FORMATS[dtype]


_FORMATS = {
    np.dtype(np.float64): Format(53, -1074),
    np.dtype(np.float32): Format(24, -149),
    np.dtype(np.float16): Format(11, -24),
    _BFLOAT16: Format(8, -133),
}


_EXACT_RANGE = (2.0**-900, 2.0**900)
"""Magnitudes that scaling by a power of two up to 2**64 keeps exact, whatever their significand."""

_QUOTIENT_ERROR = 8
"""Units in the last place: more than what three roundings to float64 make (3)."""


def divided_exactly(values: FloatArray, divisor: Fraction) -> FloatArray | None:
    """values / divisor if that needs no rounding: for powers of two, away from the ends of the range."""
    if divisor == 1:
        return values
    powers = {divisor.numerator.bit_count(), divisor.denominator.bit_count()}
    if divisor < 0 or powers != {1} or max(divisor.numerator, divisor.denominator) > 1 << 64:
        return None
    magnitudes = np.abs(values[values != 0.0])
    if magnitudes.size and not _EXACT_RANGE[0] < magnitudes.min() <= magnitudes.max() < _EXACT_RANGE[1]:
        return None
    return values * float(1 / divisor)


def round_quotient(
    high: FloatArray, low: FloatArray | None, divisor: Fraction, dtype: np.dtype[np.generic]
) -> tuple[Array, npt.NDArray[np.intp]]:
    """(high + low) / divisor, rounded once to a `dtype` narrower than float64; and where that is in doubt.

    The quotient in float64 is so near to the true one that both round alike, unless the middle of two
    neighbouring numbers of the dtype is as near. (Ziv, Fast evaluation of elementary mathematical functions
    with correctly rounded last bit, ACM TOMS 17 (1991), decides so whether an approximation will do.)
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # what overflows is in doubt
        total = high if low is None else high + low
        quotient = total / float(divisor) + 0.0  # a zero is +0, by a negative divisor too
        rounded = _narrow(quotient, dtype)
    return rounded, np.flatnonzero(_in_doubt(quotient, Format.of(dtype)) & (total != 0.0))


def _in_doubt(quotient: FloatArray, form: Format) -> npt.NDArray[np.bool_]:
    """Where the error of a quotient reaches to the middle of two numbers of the format, or is not known.

    Subnormal numbers lie as far apart as the smallest normal ones: all of them count.
    """
    cut = 53 - form.precision  # bits of a float64 that are rounded away; 100… is a middle
    from_middle = quotient.view(np.int64) + (_QUOTIENT_ERROR - (1 << (cut - 1)))
    beside = from_middle & ((1 << cut) - 1) <= 2 * _QUOTIENT_ERROR
    magnitude = np.abs(quotient)
    known = (magnitude >= math.ldexp(1.0, form.lowest_bit + form.precision)) & (magnitude < _EXACT_RANGE[1])
    doubt: npt.NDArray[np.bool_] = beside | ~known
    return doubt


def round_pair(high: FloatArray, low: FloatArray | None, dtype: np.dtype[np.generic]) -> Array:
    """high + low, rounded once to `dtype`; a new array, in which an exact zero is +0."""
    if low is None:
        return _narrow(high + 0.0, dtype)
    total = high + low
    if dtype == np.float64:
        return total + 0.0
    # TwoSum's error once more, on whole arrays: this runs once a step, not once a mini-batch.
    came = total - high
    _make_odd(total, (high - (total - came)) + (low - came), np.int64)
    return _narrow(total + 0.0, dtype)


def _narrow(values: FloatArray, dtype: np.dtype[np.generic]) -> Array:
    """Float64 values, exact or rounded to odd, rounded half to even to `dtype`."""
    with np.errstate(over="ignore"):
        if dtype != _BFLOAT16:
            return values.astype(dtype)
        # ml_dtypes converts by way of float32, which would round twice.
        single = values.astype(np.float32)
        _make_odd(single, values - single, np.int32)
        return single.astype(dtype)


def _make_odd(rounded: Array, error: FloatArray, bits: type[np.signedinteger]) -> None:
    """Turn the nearest value into the one rounded to odd, in place; `error` is what the rounding lost.

    Neighbouring numbers of one sign have neighbouring bit patterns. Infinity is even, and the largest finite
    number odd, so an overflow needs no care.
    """
    pattern = rounded.view(bits)
    away = np.where(np.signbit(error) == (pattern < 0), 1, -1)
    np.add(pattern, np.where((error != 0.0) & (pattern % 2 == 0), away, 0), out=pattern, casting="unsafe")
