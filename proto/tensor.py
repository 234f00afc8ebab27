"""What a value is: dtypes, sizes that may be names, and tensor types.

A size is a number or a name (`"N"`). Names stand for sizes that are known only when a mini-batch
arrives; `bind` replaces them by numbers.
"""

from __future__ import annotations

import builtins
import enum
import functools
import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import cast

import ml_dtypes
import numpy as np
import numpy.typing as npt

from .errors import SizeError, TypeMismatchError

Size = int | str
Shape = tuple[Size, ...]
Array = npt.NDArray[np.generic]

INTEGERS = (int, np.integer)
"""What counts as a number of places where a program gives one: NumPy's arithmetic gives its own."""

MOST_ELEMENTS = 1 << 32
"""Elements of one value, unless a server says otherwise."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z")


class DType(enum.Enum):
    """The element types. The value is the name that travels."""

    float64 = "float64"
    float32 = "float32"
    float16 = "float16"
    bfloat16 = "bfloat16"
    int64 = "int64"
    int32 = "int32"
    int16 = "int16"
    int8 = "int8"
    uint64 = "uint64"
    uint32 = "uint32"
    uint16 = "uint16"
    uint8 = "uint8"
    bool = "bool"

    __hash__ = object.__hash__
    """Members are what they are; Python's own hash of an enumeration is slow."""

    @property
    def numpy(self) -> np.dtype[np.generic]:
        """The NumPy dtype, little-endian."""
        return _NUMPY[self]

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return _NUMPY[self].itemsize

    @functools.cached_property
    def is_floating(self) -> builtins.bool:
        """Whether values of this dtype have derivatives."""
        return self in _FLOATING

    @functools.cached_property
    def is_half(self) -> builtins.bool:
        """Whether this is a floating-point dtype of 16 bits, in which sums and products lose digits."""
        return self in (DType.float16, DType.bfloat16)

    @property
    def is_integer(self) -> builtins.bool:
        """Whether this is a signed or unsigned integer (bool is not)."""
        return not self.is_floating and self is not DType.bool

    def holds(self, number: float) -> builtins.bool:
        """Whether the number is within the range of this dtype, and a number at all if that is integers."""
        if self is DType.bool:
            return True
        if self.is_floating:
            largest = float(ml_dtypes.finfo(self.numpy).max)  # type: ignore[no-untyped-call]
            return not math.isfinite(number) or abs(number) <= largest
        info = np.iinfo(self.value)
        return math.isfinite(number) and info.min <= int(number) <= info.max

    def __repr__(self) -> str:
        return self.value

    @classmethod
    def of(cls, dtype: DType | npt.DTypeLike) -> DType:
        """The DType of a name, a NumPy dtype or type; `TypeMismatchError` for any other (complex, object)."""
        if isinstance(dtype, DType):
            return dtype
        if isinstance(dtype, np.dtype) and (known := _BY_NUMPY.get(dtype)) is not None:
            return known
        try:
            if dtype is None:
                raise TypeError("NumPy takes None for float64")
            found = np.dtype(dtype)
        except (TypeError, ValueError, SyntaxError) as exc:
            raise TypeMismatchError(f"{dtype!r} is no dtype; use one of {[d.value for d in cls]}") from exc
        for candidate, numpy in _NUMPY.items():
            if numpy == found:
                return candidate
        raise TypeMismatchError(f"dtype {found} is not supported; use one of {[d.value for d in cls]}")


_NUMPY: dict[DType, np.dtype[np.generic]] = {
    d: np.dtype(ml_dtypes.bfloat16) if d is DType.bfloat16 else np.dtype(d.value) for d in DType
}
_BY_NUMPY = {numpy: d for d, numpy in _NUMPY.items()}
_FLOATING = frozenset({DType.float64, DType.float32, DType.float16, DType.bfloat16})


def check_size(size: Size) -> Size:
    """`size` if it is a non-negative number or a well-formed name, else `SizeError`."""
    if isinstance(size, str):
        if not _NAME.match(size):
            raise SizeError(f"size name {size!r} is not an identifier")
        return size
    if isinstance(size, bool) or not isinstance(size, INTEGERS) or size < 0:
        raise SizeError(f"size {size!r} is neither a non-negative number nor a name")
    return int(size)


def bind_size(size: Size, sizes: Mapping[str, int]) -> Size:
    """The number that `sizes` gives the name, or `size` itself."""
    return sizes.get(size, size) if isinstance(size, str) else size


def names_in(shape: Iterable[Size]) -> set[str]:
    """The named sizes of a shape."""
    return {s for s in shape if isinstance(s, str)}


def split_product(shape: Iterable[Size]) -> tuple[int, tuple[str, ...]]:
    """A shape's element count as (product of the numbers, sorted names): comparable without binding."""
    sizes = tuple(shape)
    number = math.prod(s for s in sizes if isinstance(s, int))
    return number, tuple(sorted(s for s in sizes if isinstance(s, str)))


def merged(sizes: Iterable[Size]) -> Size | None:
    """The size of axes of these sizes as one: a number, or the one name among ones; else `None`."""
    number, names = split_product(sizes)
    if not names:
        return number
    return names[0] if number == len(names) == 1 else None


def span(shape: Iterable[Size]) -> int:
    """The number of elements with names and empty axes counted as 1.

    Empty axes count, because array libraries refuse (0, 2⁶²) as they refuse 2⁶².
    """
    return math.prod(size or 1 for size in shape if isinstance(size, int))


@dataclass(frozen=True, slots=True)
class TensorType:
    """A shape (numbers and names) and a dtype."""

    shape: Shape
    dtype: DType

    def __str__(self) -> str:
        return f"{self.dtype.value}[{','.join(map(str, self.shape))}]"

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def static(self) -> tuple[int, ...]:
        """The shape as numbers; `SizeError` if a name is left."""
        if str in map(type, self.shape):
            raise SizeError(f"{self} has unbound sizes {sorted(names_in(self.shape))}")
        return cast("tuple[int, ...]", self.shape)

    @property
    def elements(self) -> int:
        """The number of elements of a bound type."""
        return math.prod(self.static)

    @property
    def nbytes(self) -> int:
        """Bytes of a dense array of a bound type."""
        return self.elements * self.dtype.itemsize

    def axis(self, axis: int) -> int:
        """`axis` counted from the front; `TypeMismatchError` if there is no such axis."""
        if not isinstance(axis, INTEGERS) or isinstance(axis, bool):
            raise TypeMismatchError(f"an axis of {self} is an integer, got {axis!r:.80}")
        if not -self.rank <= axis < self.rank:
            raise TypeMismatchError(f"axis {axis} does not exist in {self}")
        return axis % self.rank

    def axes(self, axes: Collection[int]) -> tuple[int, ...]:
        """The axes counted from the front, sorted; an axis named twice is an error."""
        found = sorted(self.axis(a) for a in axes)
        if len(set(found)) != len(found):
            raise TypeMismatchError(f"axes {tuple(axes)} of {self} name one axis twice")
        return tuple(found)

    def without(self, axes: Collection[int]) -> TensorType:
        """The type with `axes` dropped: what a reduction returns."""
        dropped = self.axes(axes)
        return self.of_shape(s for i, s in enumerate(self.shape) if i not in dropped)

    def kept(self, axes: Collection[int]) -> Shape:
        """The shape with `axes` at size 1: what broadcasts against this type again."""
        ones = self.axes(axes)
        return tuple(1 if i in ones else s for i, s in enumerate(self.shape))

    def of_shape(self, shape: Iterable[Size]) -> TensorType:
        """The same dtype in another shape."""
        return TensorType(tuple(shape), self.dtype)

    def of_dtype(self, dtype: DType) -> TensorType:
        """The same shape of another dtype."""
        return TensorType(self.shape, dtype)

    def bind(self, sizes: Mapping[str, int]) -> TensorType:
        """The type with the names in `sizes` replaced."""
        return self.of_shape(bind_size(s, sizes) for s in self.shape)
