"""Logic on bool, and the same on the bits of integers; shifts. Without derivatives."""

from __future__ import annotations

from typing import Any

from ..tensor import TensorType
from .base import Cotangents, Operator, require, same


class Bitwise(Operator, abstract=True):
    """A function of the bits of two integers, or of two truth values."""

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        found = same(self, a, b)
        require(not found.dtype.is_floating, self, f"needs bool or integers, got {found}")
        return found

    def vjp(self, *_: Any) -> Cotangents:
        return None, None


class And(Bitwise):
    """a and b"""


class Or(Bitwise):
    """a or b, or both"""


class Xor(Bitwise):
    """Either a or b"""


class Shift(Bitwise, abstract=True):
    """An integer shifted by b places; b ≥ 0, and from the width of the dtype on nothing is left."""

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        found = super().infer(a, b)
        require(found.dtype.is_integer, self, f"needs integers, got {found}")
        return found


class ShiftLeft(Shift):
    """a · 2ᵇ, without the bits that leave the dtype"""


class ShiftRight(Shift):
    """⌊a / 2ᵇ⌋"""
