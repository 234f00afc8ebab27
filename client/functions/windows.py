"""How windows over spatial axes are given: per axis, with padding by number or by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from raygrad.proto.errors import ConfigurationError, SizeError, TypeMismatchError
from raygrad.proto.tensor import INTEGERS, Size
from raygrad.proto.value import Value

PerAxis = int | Sequence[int]
"""A number for all spatial axes, or one for each."""

Padding = PerAxis | Sequence[tuple[int, int]] | str
"""Elements on both sides of all axes, of each axis, or (before, after) of each axis; or "valid" or "same"."""

Sides = tuple[tuple[int, int], ...]
"""Elements (before, after) of each spatial axis."""


@dataclass(frozen=True)
class Windows:
    """The windows of a pooling. `extension` is what the last ones reach beyond the padding."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Sides
    dilation: tuple[int, ...]
    extension: tuple[int, ...]

    @property
    def reaching(self) -> Sides:
        """The padding with the extension."""
        return tuple(
            (before, after + more) for (before, after), more in zip(self.padding, self.extension, strict=True)
        )

    def without_padding(self) -> Windows:
        """The same windows over what is padded already."""
        return replace(self, padding=((0, 0),) * len(self.kernel))


def windows_over(
    x: Value, kernel: PerAxis, stride: PerAxis | None, padding: Padding, dilation: PerAxis, ceil_mode: bool
) -> Windows:
    """The windows over x; without a stride they do not overlap."""
    count = spatial_rank(x)
    sizes, spacing = each(kernel, count), each(dilation, count)
    steps = sizes if stride is None else each(stride, count)
    sides = sides_of(padding, sizes, steps, spacing)
    if not ceil_mode:
        return Windows(sizes, steps, sides, spacing, (0,) * count)
    axes = zip(x.shape[2:], sizes, steps, sides, spacing, strict=True)
    return Windows(sizes, steps, sides, spacing, tuple(_extension(*axis) for axis in axes))


def _extension(size: Size, kernel: int, stride: int, padding: tuple[int, int], dilation: int) -> int:
    """How far the last window of ceil mode reaches beyond the padding. It begins before the end of x."""
    before, after = padding
    if stride <= 1:  # the operator refuses what is below 1
        return 0
    if isinstance(size, str):
        raise SizeError(f"ceil_mode cannot be expressed for the size {size!r}: give a number for it")
    left = size + before + after - dilation * (kernel - 1) - 1
    last = -(-left // stride) * stride
    if last >= size + before:
        last -= stride
    return max(last - left, 0)


def spatial_rank(x: Value) -> int:
    """The number of spatial axes."""
    if not 3 <= x.rank <= 5:
        raise TypeMismatchError(f"needs (N, channels, *spatial) with one to three spatial axes, got {x.type}")
    return x.rank - 2


def each(number: PerAxis, count: int) -> tuple[int, ...]:
    """A number for each of `count` spatial axes."""
    numbers = (number,) * count if isinstance(number, INTEGERS) else tuple(number)
    if len(numbers) != count:
        raise TypeMismatchError(f"{numbers} do not fit {count} spatial axes: one for all, or one for each")
    return numbers


def sides_of(
    padding: Padding, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> Sides:
    """The padding as (before, after) of each axis."""
    if isinstance(padding, str):
        return _named_sides(padding, kernel, stride, dilation)
    if isinstance(padding, INTEGERS):
        return ((padding, padding),) * len(kernel)
    if len(padding) != len(kernel):
        raise TypeMismatchError(f"{len(kernel)} spatial axes take as many paddings, got {padding}")
    return tuple((p, p) if isinstance(p, INTEGERS) else (p[0], p[1]) for p in padding)


def _named_sides(
    padding: str, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> Sides:
    if padding == "valid":
        return ((0, 0),) * len(kernel)
    if padding != "same":
        raise ConfigurationError(f"padding must be numbers, 'valid' or 'same', got {padding!r}")
    if any(s != 1 for s in stride):
        raise ConfigurationError(f"padding 'same' keeps sizes at stride 1 only, got {stride}: give numbers")
    reach = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return tuple((r // 2, r - r // 2) for r in reach)
