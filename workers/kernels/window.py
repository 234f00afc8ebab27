"""Sliding windows as arrays: which elements they cover, where they begin, how many they hold."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from raygrad.proto.operators.window import Padding

Ints = npt.NDArray[np.int64]

Index = tuple[Any, ...]
"""An index of arrays whose last axes are spatial."""


@dataclass(frozen=True)
class Windows:
    """The windows over an input's spatial axes: all sizes are numbers, one per axis."""

    sizes: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Padding
    dilation: tuple[int, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """How many windows lie along each axis."""
        return tuple(len(self._begins(axis)) for axis in range(len(self.sizes)))

    @property
    def padded(self) -> tuple[int, ...]:
        """The sizes with padding."""
        return tuple(s + a + b for s, (a, b) in zip(self.sizes, self.padding, strict=True))

    @property
    def inside(self) -> Index:
        """Where the input lies within its padded self."""
        return (..., *(slice(a, a + s) for s, (a, _) in zip(self.sizes, self.padding, strict=True)))

    def tap(self, offsets: tuple[int, ...]) -> Index:
        """Where, in the padded input, the elements at `offsets` of all windows lie."""
        spans = zip(offsets, self.dilation, self.stride, self.counts, strict=True)
        return (..., *(slice(o * d, o * d + (n - 1) * s + 1, s) for o, d, s, n in spans))

    def covered(self) -> Ints:
        """How many elements, padding left out, each window holds."""
        return self._outer([self._covered(axis) for axis in range(len(self.sizes))], np.multiply)

    def places(self, offsets: tuple[int, ...]) -> Ints:
        """The elements at `offsets` of all windows, counted in C order over the input (outside: anything)."""
        spans = zip(map(self._starts, range(len(self.sizes))), self.dilation, offsets, strict=True)
        return self._flat([starts + spacing * offset for starts, spacing, offset in spans])

    def first_places(self) -> Ints:
        """The first element, padding left out, of each window, counted in C order over the input."""
        axes = enumerate(self.dilation)
        return self._flat([self._starts(axis) + spacing * self._skipped(axis) for axis, spacing in axes])

    def _begins(self, axis: int) -> range:
        """Where the windows along an axis begin; in the padding before it, below 0."""
        (before, after), reach = self.padding[axis], self.dilation[axis] * (self.kernel[axis] - 1)
        return range(-before, self.sizes[axis] + after - reach, self.stride[axis])

    def _starts(self, axis: int) -> Ints:
        begins = self._begins(axis)
        return np.arange(begins.start, begins.stop, begins.step)

    def _skipped(self, axis: int) -> Ints:
        """How many elements of each window lie before the axis."""
        return np.maximum(-(self._starts(axis) // self.dilation[axis]), 0)

    def _covered(self, axis: int) -> Ints:
        """How many elements of each window lie on the axis."""
        reached = (self.sizes[axis] - 1 - self._starts(axis)) // self.dilation[axis] + 1
        return np.minimum(reached, self.kernel[axis]) - self._skipped(axis)

    def _flat(self, axes: list[Ints]) -> Ints:
        steps = [math.prod(self.sizes[axis + 1 :]) for axis in range(len(self.sizes))]
        return self._outer([a * step for a, step in zip(axes, steps, strict=True)], np.add)

    def _outer(self, axes: list[Ints], combine: Callable[[Ints, Ints], Ints]) -> Ints:
        found = axes[0]
        for axis in axes[1:]:
            found = combine(found[..., None], axis)
        return found
