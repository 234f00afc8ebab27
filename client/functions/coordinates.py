"""Elements and slices at several integer indices at once, as in `x[i, :, j]`.

Indices are values of integers that broadcast together; negative ones count from the end of their axis. One
outside of its axis is a `KernelError` when the graph runs. Several indexed axes need sizes that are numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from raygrad.proto.coordinates import Coordinates, index
from raygrad.proto.errors import ConfigurationError, TypeMismatchError
from raygrad.proto.tensor import DType
from raygrad.proto.value import Operand, Value, lift

from .creation import places
from .indexing import along, masked_fill

__all__ = ["gather_nd", "index", "index_put", "scatter_nd"]

ScatterReduction = Literal["none", "add", "mul", "max", "min"]
"""What becomes of a written element and the one that was there."""


def index_put(x: Value, indices: Sequence[Value | None], values: Operand, accumulate: bool = False) -> Value:
    """x with `values`, which broadcast, at x[i, :, j]: written (the last of several wins), or added.

    A single bool index, a mask of the first axes, takes a scalar.
    """
    mask = indices[0] if len(indices) == 1 else None
    updates = lift(values, x).astype(x.dtype)
    if mask is not None and mask.dtype is DType.bool and not updates.rank:
        spread = mask.reshape((*mask.shape, *(1,) * (x.rank - mask.rank))).broadcast_to(x.shape)
        return masked_fill(x, spread, x + updates if accumulate else updates)
    spread = updates.broadcast_to(index(x, indices).shape)
    return Coordinates.of(x, indices).write(x, spread, "add" if accumulate else "none")


def gather_nd(x: Value, indices: Value, batch_axes: int = 0) -> Value:
    """x[i₀, …, iₖ₋₁] for the k numbers along the last axis of the indices, as ONNX's GatherND.

    The first `batch_axes` axes of x and of the indices go together.
    """
    return index(x, _coordinates(x, indices, batch_axes))


def scatter_nd(x: Value, indices: Value, updates: Value, reduction: ScatterReduction = "none") -> Value:
    """x with `updates` at the places of `gather_nd`, written or combined, as ONNX's ScatterND."""
    if reduction not in ("none", "add", "mul", "max", "min"):
        raise ConfigurationError(f"reduction must be 'none', 'add', 'mul', 'max' or 'min', got {reduction!r}")
    return Coordinates.of(x, _coordinates(x, indices, 0)).write(x, updates, reduction)


def _coordinates(x: Value, indices: Value, batch_axes: int) -> list[Value]:
    count = indices.shape[-1] if indices.rank else None
    if not isinstance(count, int) or not 0 <= batch_axes < indices.rank:
        raise TypeMismatchError(f"indices need a last axis whose size is a number, got {indices.type}")
    if batch_axes > x.rank:
        raise TypeMismatchError(f"{x.type} has no {batch_axes} first axes to go with {indices.type}")
    places_of = indices.shape[:-1]
    batch = [
        places(x.builder, x.shape[a]).reshape(along(x.shape[a], a, len(places_of))) for a in range(batch_axes)
    ]
    return [*batch, *(indices[..., i] for i in range(count))]
