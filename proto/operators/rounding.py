"""Rounding to whole numbers; the derivatives are 0 wherever they exist, so none is sent back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .base import Cotangents
from .elementwise import UnaryFloat

if TYPE_CHECKING:
    from ..value import Value


class Rounding(UnaryFloat, abstract=True):
    """A whole number near one floating-point number."""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (None,)


class Floor(Rounding):
    """⌊x⌋"""


class Ceil(Rounding):
    """⌈x⌉"""


class Trunc(Rounding):
    """x without its fraction: rounded toward 0"""


class Round(Rounding):
    """The nearest whole number; of two equally near, the even one"""
