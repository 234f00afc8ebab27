"""Padding arrays for sliding windows, and viewing them window by window."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from ..window import Index, Windows
from .backend import Numbers


def pad(x: Numbers, windows: Windows, value: float = 0.0) -> Numbers:
    """x (N, C, *sizes) with its padding; x itself if there is none."""
    if windows.padded == windows.sizes:
        return x
    result = np.full((*x.shape[:2], *windows.padded), value, dtype=x.dtype)
    result[windows.inside] = x
    return result


def taps(windows: Windows) -> Iterator[tuple[tuple[int, ...], Index]]:
    """Each place within a window, in C order, and where it lies for all windows in a padded input."""
    for offsets in itertools.product(*map(range, windows.kernel)):
        yield offsets, windows.tap(offsets)
