"""What a sum of arrays can do, and the plain sum: in the gradient's dtype, rounding at every addition."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

import numpy as np

from raygrad.proto.errors import TensorDTypeError, TensorError, TensorShapeError
from raygrad.proto.tensor import Array

ONE = Fraction(1)


@dataclass(frozen=True, eq=False)
class Limb:
    """Elements start, start + 1, … of one limb; they stand for values · 2**(LANE_BITS · lane)."""

    start: int
    lane: int
    values: Array


@dataclass(frozen=True, eq=False)
class Limbs:
    """A sum as plain arrays, which nobody else holds: what a snapshot carries of it.

    An element's sum is the exact sum of all limbs that cover it, unless `specials` (one flag byte per
    element, or None) says that it is a NaN or an infinity.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    limbs: tuple[Limb, ...]
    specials: Array | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        flags = 0 if self.specials is None else self.specials.nbytes
        return flags + sum(limb.values.nbytes for limb in self.limbs)

    def __repr__(self) -> str:
        return f"Limbs({self.dtype}{list(self.shape)}, {len(self.limbs)} limbs, {self.nbytes} bytes)"


class ArraySum(ABC):
    """The sum of arrays of one shape and dtype. It starts from +0."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> None:
        self.shape = shape
        self.dtype = dtype
        self.size = math.prod(shape)

    @abstractmethod
    def add(self, x: Array, weight: float = 1.0) -> None:
        """Add weight · x. Raises TensorError where x or the weight does not fit; nothing is added then."""

    @abstractmethod
    def absorb(self, limbs: Limbs) -> None:
        """Add all that another sum of this kind held when its limbs were taken."""

    @abstractmethod
    def round(self, divisor: Fraction = ONE) -> Array:
        """The sum, divided by `divisor` (dyadic, not zero), as a new array of the sum's shape and dtype."""

    @abstractmethod
    def limbs(self) -> Limbs:
        """The sum as plain arrays, copied: later additions do not change them."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Bytes held by the sum's arrays."""

    def merge(self, other: Self) -> None:
        """Add all that `other` holds, which is left as it is. Raises TensorError if it is of another kind."""
        if (type(other), other.shape, other.dtype) != (type(self), self.shape, self.dtype):
            raise TensorError(f"{other!r} cannot be merged into {self!r}")
        self.absorb(other.limbs())

    @classmethod
    def from_limbs(cls, limbs: Limbs) -> Self:
        """A sum of the same value, which does not share memory with `limbs`."""
        total = cls(limbs.shape, limbs.dtype)
        total.absorb(limbs)
        return total

    def check(self, x: Array, weight: float) -> None:
        """Raise TensorShapeError, TensorDTypeError or, for a weight that is not finite, TensorError."""
        if x.shape != self.shape:
            raise TensorShapeError(f"gradient has shape {x.shape}, its sum has {self.shape}")
        if x.dtype != self.dtype:
            raise TensorDTypeError(f"gradient has dtype {x.dtype}, its sum has {self.dtype}")
        if not math.isfinite(weight):
            raise TensorError(f"weight {weight} is not finite")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.dtype}{list(self.shape)}, {self.nbytes} bytes)"


class FastSum(ArraySum):
    """The sum in the gradient's own dtype: least memory, and a result that depends on the order."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> None:
        super().__init__(shape, dtype)
        self._total = np.zeros(shape, dtype)

    def add(self, x: Array, weight: float = 1.0) -> None:
        self.check(x, weight)
        with np.errstate(all="ignore"):
            product = x if weight == 1.0 else np.multiply(x, self.dtype.type(weight))
            np.add(self._total, product, out=self._total)

    def absorb(self, limbs: Limbs) -> None:
        self.add(limbs.limbs[0].values.reshape(self.shape))

    def round(self, divisor: Fraction = ONE) -> Array:
        with np.errstate(all="ignore"):
            return np.divide(self._total, self.dtype.type(float(divisor)))

    def limbs(self) -> Limbs:
        return Limbs(self.shape, self.dtype, (Limb(0, 0, self._total.flatten()),))

    @property
    def nbytes(self) -> int:
        return self._total.nbytes
