"""Exact sums of float64 arrays: unevaluated sums of limbs that widen before they would lose a bit.

An expansion holds, per element, an exact sum as limb 0 + limb 1 + …, each a float64. Adding goes down the
limbs with TwoSum, whose error is the carry into the next limb; a carry out of the last limb becomes a new
limb. So one limb serves while no addition rounds, two for almost everything, and more where magnitudes spread
further; what was widened when never changes the sum that the limbs stand for.

Arrays have at most `BLOCK` elements: the limb, the carry and the work space then stay in the L2 cache, which
makes an addition several times as fast as on whole arrays.
"""

from __future__ import annotations

import threading
from itertools import pairwise

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

BLOCK = 16384
"""Elements per block: seven float64 arrays of this length take 0.9 MB of cache."""

_PAIR = 2


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

    __slots__ = ("_limit", "limbs")

    def __init__(self) -> None:
        self.limbs: list[FloatArray] = []
        self._limit = _PAIR

    def add(self, carry: FloatArray) -> None:
        """Add finite values exactly; `carry` is used as work space and holds nothing of use afterwards.

        The caller sees to it that no sum overflows float64.
        """
        for limb in self.limbs:
            two_sum(limb, carry)
            if not carry.any():
                return
        self.limbs.append(carry.copy())
        if len(self.limbs) > self._limit:
            self._renormalise()

    def _renormalise(self) -> None:
        """Push the limbs upwards until they hardly overlap, and drop those that became zero.

        The next renormalisation waits until the limbs have doubled, so that many additions share its cost.
        """
        for _ in range(len(self.limbs)):
            for lower, upper in pairwise(reversed(self.limbs)):
                two_sum(upper, lower)
            while len(self.limbs) > 1 and not self.limbs[-1].any():
                self.limbs.pop()
            if len(self.limbs) <= _PAIR:
                break
        self._limit = _PAIR if len(self.limbs) <= _PAIR else 2 * len(self.limbs)
