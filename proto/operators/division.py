"""Division with a whole quotient, and what is left over. A zero divisor of integers is a `KernelError`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .base import Cotangents
from .elementwise import Binary
from .rounding import Trunc

if TYPE_CHECKING:
    from ..value import Value


class FloorDiv(Binary):
    """⌊a / b⌋, as Python's `//`"""

    def vjp(self, g: Value, y: Value, a: Value, b: Value) -> Cotangents:
        return None, None


class Remainder(Binary):
    """a − ⌊a / b⌋ · b, which has the sign of b, as Python's `%`; the derivative takes ⌊a / b⌋ for constant"""

    def vjp(self, g: Value, y: Value, a: Value, b: Value) -> Cotangents:
        quotient: Value = FloorDiv()(a, b)
        return g, -(g * quotient)


class Fmod(Binary):
    """a − trunc(a / b) · b, which has the sign of a, as C's `fmod`; its quotient is constant too"""

    def vjp(self, g: Value, y: Value, a: Value, b: Value) -> Cotangents:
        quotient: Value = Trunc()(a / b)
        return g, -(g * quotient)
