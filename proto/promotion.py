"""How operands meet: which shape several shapes broadcast to, and which dtype two dtypes promote to."""

from __future__ import annotations

import numpy as np

from .errors import TypeMismatchError
from .tensor import DType, Shape, Size


def broadcast_shapes(*shapes: Shape) -> Shape:
    """NumPy's broadcasting on sizes that may be names; `TypeMismatchError` where two differ."""
    rank = max(len(s) for s in shapes)
    padded = [(1,) * (rank - len(s)) + s for s in shapes]
    return tuple(_broadcast_size(sizes, shapes) for sizes in zip(*padded, strict=True))


def _broadcast_size(sizes: tuple[Size, ...], shapes: tuple[Shape, ...]) -> Size:
    found = [s for s in dict.fromkeys(sizes) if s != 1]
    if len(found) > 1:
        shown = ", ".join(map(str, shapes))
        raise TypeMismatchError(f"shapes {shown} do not broadcast: {found[0]} and {found[1]}")
    return found[0] if found else 1


def promote(a: DType, b: DType) -> DType:
    """The dtype both convert to without changing kind; `TypeMismatchError` across kinds."""
    if a is b:
        return a
    if a.is_floating != b.is_floating or DType.bool in (a, b):
        raise TypeMismatchError(f"{a!r} and {b!r} do not promote: cast one of them")
    if {a, b} == {DType.float16, DType.bfloat16}:
        return DType.float32
    found = DType.of(np.promote_types(a.numpy, b.numpy))
    if found.is_floating != a.is_floating:
        raise TypeMismatchError(f"no integer dtype holds both {a!r} and {b!r}: cast one of them")
    return found
