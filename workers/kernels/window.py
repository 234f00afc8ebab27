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
        return tuple(len(self._taps(axis)) for axis in range(len(self.sizes)))

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
        return self._outer([self._inside(axis).sum(axis=1) for axis in range(len(self.sizes))], np.multiply)

    def places(self, offsets: tuple[int, ...]) -> Ints:
        """The elements at `offsets` of all windows, counted in C order over the input (outside: anything)."""
        axes = [self._taps(axis)[:, offset] for axis, offset in enumerate(offsets)]
        return self._flat(axes)

    def first_places(self) -> Ints:
        """The first element, padding left out, of each window, counted in C order over the input."""
        taps = [(self._taps(axis), self._inside(axis).argmax(axis=1)) for axis in range(len(self.sizes))]
        return self._flat([np.take_along_axis(t, first[:, None], axis=1)[:, 0] for t, first in taps])

    def _taps(self, axis: int) -> Ints:
        """The elements along an axis that each of its windows covers, padding included: [window, offset]."""
        (before, after), reach = self.padding[axis], self.dilation[axis] * (self.kernel[axis] - 1)
        starts = np.arange(-before, self.sizes[axis] + after - reach, self.stride[axis])
        return starts[:, None] + self.dilation[axis] * np.arange(self.kernel[axis])

    def _inside(self, axis: int) -> npt.NDArray[np.bool_]:
        taps = self._taps(axis)
        return (taps >= 0) & (taps < self.sizes[axis])

    def _flat(self, axes: list[Ints]) -> Ints:
        steps = [math.prod(self.sizes[axis + 1 :]) for axis in range(len(self.sizes))]
        return self._outer([a * step for a, step in zip(axes, steps, strict=True)], np.add)

    def _outer(self, axes: list[Ints], combine: Callable[[Ints, Ints], Ints]) -> Ints:
        found = axes[0]
        for axis in axes[1:]:
            found = combine(found[..., None], axis)
        return found
