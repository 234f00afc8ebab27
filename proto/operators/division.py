"""Division with a whole quotient, and what is left over. A zero divisor of integers is a `KernelError`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .base import Cotangents
from .elementwise import Binary
from .rounding import Round

if TYPE_CHECKING:
    from ..value import Value


class FloorDiv(Binary):
    """⌊a / b⌋, as Python's `//`"""

    def vjp(self, g: Value, y: Value, a: Value, b: Value) -> Cotangents:
        return None, None


class Leftover(Binary, abstract=True):
    """a − q · b for a whole q, which the derivative takes for constant."""

    def vjp(self, g: Value, y: Value, a: Value, b: Value) -> Cotangents:
        quotient: Value = Round()((a - y) / b)
        return g, -(g * quotient)


class Remainder(Leftover):
    """a − ⌊a / b⌋ · b, which has the sign of b, as Python's `%`"""


class Fmod(Leftover):
    """a − trunc(a / b) · b, which has the sign of a, as C's `fmod`"""
