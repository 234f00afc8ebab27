"""Exact sums as integers of many digits: how a widened sum or a mean is rounded, once.

This is the slow, plain way: every element becomes an integer in units of one power of two, wide enough for
the largest and the smallest bit of the block. Integers add, divide and round without any special case.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from .expansion import FloatArray
from .rounding import Format

IntArray = npt.NDArray[np.int64]

_DIGIT = 32
_MASK = (1 << _DIGIT) - 1
_FLOAT64_BITS = 53
_WINDOW = 62  # bits that decide a rounding: at most 53 of the result, and two that say what lies below


class FixedPoint:
    """n numbers ±Σ digits[i]·2**(32·i + exponent), digits of shape (digits, n), in [0, 2**32)."""

    __slots__ = ("_digits", "_exponent", "_inexact", "_negative")

    def __init__(self, terms: Sequence[tuple[FloatArray, int]]) -> None:
        """The exact sum of values · 2**shift over the (values, shift) in `terms`, all of one length."""
        integers = [_integers(values, shift) for values, shift in terms]
        lowest, highest = _span(integers)
        self._exponent = lowest
        # Two digits more than the span: a shifted term reaches into them, and the sum may carry.
        self._digits = np.zeros(((highest - lowest) // _DIGIT + 3, terms[0][0].size), np.int64)
        for integer, position in integers:
            _add_shifted(self._digits, integer, np.where(integer == 0, 0, position - lowest))
        _propagate(self._digits)
        self._negative = self._digits[-1] < 0
        np.negative(self._digits, out=self._digits, where=self._negative)
        _propagate(self._digits)
        self._inexact = np.zeros_like(self._negative)

    def divide(self, divisor: Fraction) -> None:
        """Divide in place, exactly as far as a rounding can see; the divisor is dyadic and not zero."""
        power = divisor.denominator.bit_length() - 1
        odd_part = abs(divisor.numerator)
        self._negative ^= (divisor < 0) & self._digits.any(axis=0)
        # A quotient that begins at or below digit 0 still needs a full window of bits.
        extra = -(-(_WINDOW + 2 + odd_part.bit_length()) // _DIGIT)
        self._digits = np.concatenate([np.zeros((extra, self._digits.shape[1]), np.int64), self._digits])
        self._exponent += power - extra * _DIGIT
        long_division = _divide_short if odd_part < 1 << (_DIGIT - 1) else _divide_long
        self._inexact = long_division(self._digits, odd_part)

    def round(self, form: Format) -> FloatArray:
        """The numbers, rounded once, half to even, to the precision and the lowest bit of `form`.

        What overflows float64 is infinite; what overflows a narrower format becomes so when it is converted.
        """
        window, exponent = self._leading()
        shift = np.minimum(np.maximum(_WINDOW - form.precision, form.lowest_bit - exponent), _WINDOW + 1)
        kept = window >> shift
        cut = window - (kept << shift)
        half = np.left_shift(np.int64(1), shift - 1)
        kept += (cut > half) | ((cut == half) & (kept % 2 == 1))
        with np.errstate(over="ignore"):
            rounded = np.ldexp(kept.astype(np.float64), (exponent + shift).astype(np.int32))
        return np.where(self._negative, -rounded, rounded)

    def _leading(self) -> tuple[IntArray, IntArray]:
        """The leading 62 bits, the last one set if any bit below is, and the exponent of that last bit."""
        padded = np.concatenate([np.zeros((2, self._digits.shape[1]), np.int64), self._digits])
        nonzero = padded != 0
        top = np.maximum(len(padded) - 1 - np.argmax(nonzero[::-1], axis=0), 2)
        columns = np.arange(padded.shape[1])
        first, second, third = (padded[top - i, columns].astype(np.uint64) for i in range(3))
        bits = np.maximum(np.frexp(first.astype(np.float64))[1], 1).astype(np.uint64)
        leading = (first << (64 - bits)) | (second << (32 - bits)) | (third >> bits)
        below = (third & ((1 << bits) - 1) != 0) | (np.argmax(nonzero, axis=0) < top - 2) | self._inexact
        window = (leading >> 2) | (leading & 3 != 0) | below
        exponent = self._exponent + (top - 2) * _DIGIT + bits.astype(np.int64) - _WINDOW
        return window.astype(np.int64), exponent


def _integers(values: FloatArray, shift: int) -> tuple[IntArray, IntArray]:
    """values · 2**shift as integers of at most 53 bits, times 2**position."""
    fraction, exponent = np.frexp(values)
    integer = np.ldexp(fraction, _FLOAT64_BITS).astype(np.int64)
    return integer, exponent.astype(np.int64) + (shift - _FLOAT64_BITS)


def _span(integers: Sequence[tuple[IntArray, IntArray]]) -> tuple[int, int]:
    """The exponents of the lowest bit of all, and of the first bit above all; (0, 0) if all are zero."""
    positions = [position[integer != 0] for integer, position in integers]
    used = [position for position in positions if position.size]
    if not used:
        return 0, 0
    return min(int(p.min()) for p in used), max(int(p.max()) for p in used) + _FLOAT64_BITS


def _add_shifted(digits: IntArray, integer: IntArray, offset: IntArray) -> None:
    """Add integer · 2**offset to each column; digits are left unpropagated."""
    index, shift = offset // _DIGIT, offset % _DIGIT
    low, high = (integer & _MASK) << shift, (integer >> _DIGIT) << shift
    columns = np.arange(integer.size)
    for step, part in enumerate((low & _MASK, (low >> _DIGIT) + (high & _MASK), high >> _DIGIT)):
        digits[index + step, columns] += part


def _propagate(digits: IntArray) -> None:
    """Carry, so that all digits but the last lie in [0, 2**32); the last one keeps the sign."""
    for digit, above in pairwise(digits):
        above += digit >> _DIGIT
        digit &= _MASK


def _divide_short(digits: IntArray, divisor: int) -> npt.NDArray[np.bool_]:
    """Divide each column by a number below 2**31, in place; where a remainder is left."""
    remainder: IntArray = np.zeros(digits.shape[1], np.int64)
    for digit in digits[::-1]:
        digit[:], remainder = np.divmod((remainder << _DIGIT) + digit, divisor)
    return remainder.astype(np.bool_)


def _divide_long(digits: IntArray, divisor: int) -> npt.NDArray[np.bool_]:
    """Divide each column by a number of any length, in place, with Python's integers (some µs an element)."""
    quotients, remainders = zip(*(divmod(_to_int(column), divisor) for column in digits.T), strict=True)
    for i, digit in enumerate(digits):
        digit[:] = [quotient >> (_DIGIT * i) & _MASK for quotient in quotients]
    return np.array([remainder != 0 for remainder in remainders])


def _to_int(digits: IntArray) -> int:
    return int.from_bytes(digits.astype("<u4").tobytes(), "little")
