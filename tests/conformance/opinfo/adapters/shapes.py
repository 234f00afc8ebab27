"""Functions that move elements without computing with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from raygrad.client import functions as f
from raygrad.proto.value import Value
from tests.conformance.suite import Declined

from .common import Adapter, Dim, axis_of, numbers


def flatten(x: Value, start_dim: int = 0, end_dim: int = -1) -> Value:
    if x.rank == 0:
        return x.reshape((1,))
    first, last = x.type.axis(start_dim), x.type.axis(end_dim)
    return x.reshape((*x.shape[:first], -1, *x.shape[last + 1 :]))


def expand(x: Value, *sizes: Any) -> Value:
    return f.expand(x, numbers(sizes))


def squeeze(x: Value, dim: Dim = None) -> Value:
    return f.squeeze(x, () if x.rank == 0 else dim)


def split(x: Value, split_size: Any, dim: int = 0) -> tuple[Value, ...]:
    if not isinstance(split_size, int):
        return f.split(x, split_size, dim)
    size = x.shape[x.type.axis(dim)]
    assert isinstance(size, int)
    return f.split(x, [min(split_size, size - i) for i in range(0, size, split_size)], dim)


def chunk(x: Value, chunks: int, dim: int = 0) -> tuple[Value, ...]:
    return f.chunk(x, chunks, dim)


def select(x: Value, dim: int, index: int) -> Value:
    return x[(slice(None),) * x.type.axis(dim) + (index,)]


def narrow(x: Value, dim: int, start: Any, length: int) -> Value:
    if not isinstance(start, int):
        raise Declined("a position that depends on the data")
    first = start % x.shape[x.type.axis(dim)] if start < 0 else start
    return x[(slice(None),) * x.type.axis(dim) + (slice(first, first + length),)]


def cut(x: Value, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Value:
    return x[(slice(None),) * x.type.axis(dim) + (slice(start, end, step),)]


def transpose(x: Value, dim0: int, dim1: int) -> Value:
    return f.swapaxes(x, dim0, dim1) if x.rank else x


def permute(x: Value, *dims: Any) -> Value:
    return x.transpose(numbers(dims))


def reshape(x: Value, *sizes: Any) -> Value:
    return x.reshape(numbers(sizes))


def stack(values: Sequence[Value], dim: int = 0) -> Value:
    return f.stack(values, dim)


def concatenate(values: Sequence[Value], dim: int = 0) -> Value:
    if any(v.shape == (0,) for v in values) and any(v.rank > 1 for v in values):
        raise Declined("an empty tensor of one axis that joins any other")
    return f.concatenate(values, dim)


def unsqueeze(x: Value, dim: int) -> Value:
    return f.unsqueeze(x, dim)


def roll(x: Value, shifts: Any, dims: Any = None) -> Value:
    return f.roll(x, shifts, dims)


def tile(x: Value, dims: Any) -> Value:
    return f.tile(x, dims)


def unbind(x: Value, dim: int = 0) -> tuple[Value, ...]:
    return f.unbind(x, dim)


def windows(x: Value, dimension: int, size: int, step: int) -> Value:
    return f.sliding_windows(x, axis_of(x, dimension), size, step)


def repeat_interleave(x: Value, repeats: Any, dim: int | None = None) -> Value:
    if not isinstance(repeats, int):
        raise Declined("a shape that depends on the data")
    return f.repeat_interleave(x.reshape((-1,)) if dim is None else x, repeats, dim or 0)


ADAPTERS: dict[str, Adapter] = {
    "flatten": flatten,
    "expand": expand,
    "expand_copy": expand,
    "expand_as": lambda x, other: f.expand(x, other.shape),
    "broadcast_to": lambda x, shape: x.broadcast_to(shape),
    "squeeze": squeeze,
    "squeeze/multiple": squeeze,
    "unsqueeze": unsqueeze,
    "split": split,
    "split/list_args": split,
    "split_with_sizes": split,
    "chunk": chunk,
    "select": select,
    "narrow": narrow,
    "slice": cut,
    "transpose": transpose,
    "permute": permute,
    "t": lambda x: x.transpose(),
    "T": lambda x: x.transpose(),
    "mT": lambda x: x.T,
    "reshape": reshape,
    "reshape_as": lambda x, other: x.reshape(other.shape),
    "view": reshape,
    "view_as": lambda x, other: x.reshape(other.shape),
    "ravel": flatten,
    "stack": stack,
    "cat": concatenate,
    "flip": lambda x, dims: f.flip(x, dims),
    "fliplr": lambda x: f.flip(x, 1),
    "flipud": lambda x: f.flip(x, 0),
    "roll": roll,
    "tile": tile,
    "repeat": tile,
    "unbind": unbind,
    "unfold": windows,
    "repeat_interleave": repeat_interleave,
    "nn.functional.channel_shuffle": lambda x, groups: f.channel_shuffle(x, groups),
    "movedim": lambda x, source, destination: f.moveaxis(x, source, destination),
    "nn.functional.pixel_shuffle": lambda x, upscale_factor: f.pixel_shuffle(x, upscale_factor),
    "nn.functional.pixel_unshuffle": lambda x, downscale_factor: f.pixel_unshuffle(x, downscale_factor),
}
