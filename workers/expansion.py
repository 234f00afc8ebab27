"""Exact sums of float64 arrays: unevaluated sums of limbs that widen before they would lose a bit.

An expansion holds, per element, an exact sum as limb 0 + limb 1 + …, each a float64. Adding goes down the
limbs with TwoSum, whose error is the carry into the next limb; a carry out of the last limb becomes a new
limb. So one limb serves while no addition rounds, two for almost everything, and more where magnitudes spread
further; what was widened when never changes the sum that the limbs stand for. After N additions a limb is at
most N·2**-53 of the largest value that the limb before it ever had, so there are at most
1 + 2098/(53 - log2 N) limbs, however the values came.

Arrays have at most `BLOCK` elements: the limb, the carry and the work space then stay in the L2 cache, which
makes an addition several times as fast as on whole arrays.
"""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

BLOCK = 16384
"""Elements per block: seven float64 arrays of this length take 0.9 MB of cache."""


class Scratch(threading.local):
    """Float64 work space of one thread: `rows` arrays of up to `BLOCK` elements, allocated once."""

    def __init__(self, rows: int) -> None:
        self._rows = np.empty((rows, BLOCK))

    def take(self, n: int) -> list[FloatArray]:
        """Every row, cut to `n` elements; the content is whatever was left there."""
        return list(self._rows[:, :n])


_work = Scratch(3)


def two_sum(total: FloatArray, carry: FloatArray) -> None:
    """Replace (total, carry) by (fl(total + carry), what that rounding lost), in place and exactly.

    Exact for finite values whose sum does not overflow. Knuth, The Art of Computer Programming 2, 4.2.2.
    """
    rounded, came, kept = _work.take(total.size)
    np.add(total, carry, out=rounded)
    np.subtract(rounded, total, out=came)
    np.subtract(rounded, came, out=kept)
    np.subtract(carry, came, out=carry)
    np.subtract(total, kept, out=kept)
    np.add(kept, carry, out=carry)
    np.copyto(total, rounded)


class Expansion:
    """Exact sums of up to `BLOCK` elements; `limbs` are the float64 arrays that add up to them."""

    __slots__ = ("limbs",)

    def __init__(self) -> None:
        self.limbs: list[FloatArray] = []

    def add(self, carry: FloatArray) -> None:
        """Add finite values exactly; `carry` is used as work space and holds nothing of use afterwards.

        The caller sees to it that no sum overflows float64.
        """
        for limb in self.limbs:
            two_sum(limb, carry)
            if not carry.any():
                return
        self.limbs.append(carry.copy())
