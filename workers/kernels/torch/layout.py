"""The physical layout of the PyTorch backend: channels-last for ranks 4 and 5, C order for all others.

Channels-last is what oneDNN and cuDNN compute convolutions in; a mask or the indices of a pooling lie
like the activation they belong to. The strides are exact, axes of size 1 included, because libraries
choose algorithms by them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch

from ..strides import c_order, channels_last, strides_of

Strides = tuple[int, ...]


def canonical(shape: tuple[int, ...]) -> Strides:
    """The strides, in elements, of every tensor of this shape."""
    rank = len(shape)
    return strides_of(shape, channels_last(rank) if rank in (4, 5) else c_order(rank))


@functools.lru_cache(maxsize=4096)
def placing(shape: tuple[int, ...]) -> Callable[[torch.Tensor], torch.Tensor]:
    """The function that gives a tensor of this shape its canonical strides; it copies only if it must."""
    strides = canonical(shape)
    matters = [axis for axis, size in enumerate(shape) if size > 1]
    empty = 0 in shape

    def place(x: torch.Tensor) -> torch.Tensor:
        found = x.stride()
        if found == strides:
            return x
        if empty or all(found[axis] == strides[axis] for axis in matters):
            return x.as_strided(shape, strides)
        return torch.empty_strided(shape, strides, dtype=x.dtype, device=x.device).copy_(x)

    return place
