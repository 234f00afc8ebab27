"""How windows over spatial axes are given: per axis, with padding by number or by name."""

from __future__ import annotations

from collections.abc import Sequence

from raygrad.proto.errors import ConfigurationError, TypeMismatchError
from raygrad.proto.value import Value

PerAxis = int | Sequence[int]
"""A number for all spatial axes, or one for each."""

Padding = PerAxis | Sequence[tuple[int, int]] | str
"""Elements on both sides of all axes, of each axis, or (before, after) of each axis; or "valid" or "same"."""


def spatial_rank(x: Value) -> int:
    """The number of spatial axes."""
    if not 3 <= x.rank <= 5:
        raise TypeMismatchError(f"needs (N, channels, *spatial) with one to three spatial axes, got {x.type}")
    return x.rank - 2


def each(number: PerAxis, count: int) -> tuple[int, ...]:
    return (number,) * count if isinstance(number, int) else tuple(number)


def sides_of(
    padding: Padding, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[tuple[int, int], ...]:
    """The padding as (before, after) of each axis."""
    if isinstance(padding, str):
        return _named_sides(padding, kernel, stride, dilation)
    if isinstance(padding, int):
        return ((padding, padding),) * len(kernel)
    return tuple((p, p) if isinstance(p, int) else (p[0], p[1]) for p in padding)


def _named_sides(
    padding: str, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[tuple[int, int], ...]:
    if padding == "valid":
        return ((0, 0),) * len(kernel)
    if padding != "same":
        raise ConfigurationError(f"padding must be numbers, 'valid' or 'same', got {padding!r}")
    if any(s != 1 for s in stride):
        raise ConfigurationError(f"padding 'same' keeps sizes at stride 1 only, got {stride}: give numbers")
    reach = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return tuple((r // 2, r - r // 2) for r in reach)
