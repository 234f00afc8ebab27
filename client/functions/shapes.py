"""Functions that move elements without computing with them: other shapes, joining, cutting."""

from __future__ import annotations

from collections.abc import Sequence

from raygrad.proto.errors import SizeError, TypeMismatchError
from raygrad.proto.methods import Axes, axes_of, one_or_several
from raygrad.proto.operators import shape
from raygrad.proto.tensor import Shape, Size, merged
from raygrad.proto.value import Value, same_dtype

from .counts import pieces
from .node import node


def flatten(x: Value, start: int = 1) -> Value:
    """x with all its axes from `start` on as one; it must have that axis."""
    first = x.type.axis(start)
    whole = merged(x.shape[first:])
    return x.reshape((*x.shape[:first], -1 if whole is None else whole))


def squeeze(x: Value, axes: Axes = None) -> Value:
    """x without those of `axes` (all by default) that have one element."""
    dropped = [a for a in axes_of(x, axes) if x.shape[a] == 1]
    return x.reshape([s for a, s in enumerate(x.shape) if a not in dropped])


def unsqueeze(x: Value, axes: int | Sequence[int]) -> Value:
    """x with new axes of one element, at these places of the result."""
    wanted = one_or_several(axes)
    result = x.type.of_shape((*x.shape, *(1,) * len(wanted)))
    places, sizes = result.axes(wanted), iter(x.shape)
    return x.reshape([1 if a in places else next(sizes) for a in range(result.rank)])


def expand(x: Value, shape: Sequence[Size]) -> Value:
    """x repeated along its axes of size 1 and along new leading axes; −1 leaves a size as it is."""
    return x.expand(shape)


def transpose(x: Value, axes: Sequence[int] | None = None) -> Value:
    """x with its axes in this order, reversed by default."""
    return x.transpose() if axes is None else x.transpose(axes)


def swapaxes(x: Value, first: int, second: int) -> Value:
    """x with two axes exchanged."""
    order = list(range(x.rank))
    a, b = x.type.axis(first), x.type.axis(second)
    order[a], order[b] = b, a
    return x.transpose(order)


def moveaxis(x: Value, source: int | Sequence[int], target: int | Sequence[int]) -> Value:
    """x with axes moved to these places of the result, the others in their order."""
    sources, targets = one_or_several(source), one_or_several(target)
    if len(sources) != len(targets):
        raise TypeMismatchError(f"moveaxis needs as many places as axes, got {sources} and {targets}")
    moved = dict(zip((x.type.axis(a) for a in targets), (x.type.axis(a) for a in sources), strict=True))
    if len(moved) < len(targets):
        raise TypeMismatchError(f"moveaxis cannot move two axes of {x.type} to one place: {targets}")
    rest = iter(a for a in range(x.rank) if a not in moved.values())
    return x.transpose([moved[a] if a in moved else next(rest) for a in range(x.rank)])


def flip(x: Value, axes: Axes = None) -> Value:
    """x with the elements along `axes` (all by default) in reverse order."""
    return node(shape.Flip(axes_of(x, axes)), x)


def roll(x: Value, shift: int | Sequence[int], axes: int | Sequence[int] | None = None) -> Value:
    """x with the elements moved `shift` places on along each axis, round its end (of x flattened)."""
    if axes is None:
        return roll(x.reshape((-1,)), shift, 0).reshape(x.shape)
    along, shifts = one_or_several(axes), one_or_several(shift)
    if len(shifts) != len(along):
        raise TypeMismatchError(f"roll needs as many shifts as axes, got {shifts} and {along}")
    for axis, by in zip(along, shifts, strict=True):
        x = node(shape.Roll(x.type.axis(axis), by), x)
    return x


def tile(x: Value, repeats: Sequence[int]) -> Value:
    """x repeated as a whole along each axis, as PyTorch's `repeat`: new axes come first."""
    rank = max(len(repeats), x.rank)
    times = (*(1,) * (rank - len(repeats)), *repeats)
    sizes = (*(1,) * (rank - x.rank), *x.shape)
    return _repeated(x, sizes, times, whole=True)


def repeat_interleave(x: Value, repeats: int, axis: int) -> Value:
    """Each element along `axis` repeated, as NumPy's `repeat`."""
    at = x.type.axis(axis)
    return _repeated(x, x.shape, [repeats if a == at else 1 for a in range(x.rank)], whole=False)


def _repeated(x: Value, sizes: Shape, times: Sequence[int], whole: bool) -> Value:
    """x in the shape `sizes`, each axis repeated as a whole or by element."""
    pairs = [(n, s) if whole else (s, n) for s, n in zip(sizes, times, strict=True)]
    ones = [(1, s) if whole else (s, 1) for s in sizes]
    spread = x.reshape([s for pair in ones for s in pair]).broadcast_to([s for pair in pairs for s in pair])
    return spread.reshape([_times(s, n) for s, n in zip(sizes, times, strict=True)])


def _times(size: Size, number: int) -> Size:
    if isinstance(size, str) and number != 1:
        raise SizeError(f"{number} · {size!r} cannot be expressed; give a number for {size!r}")
    return size if isinstance(size, str) else size * number


def concatenate(values: Sequence[Value], axis: int = 0) -> Value:
    """The values joined along `axis`; their other sizes are equal."""
    if not values:
        raise TypeMismatchError("there is nothing to concatenate")
    return node(shape.Concatenate(values[0].type.axis(axis)), *same_dtype(*values))


def stack(values: Sequence[Value], axis: int = 0) -> Value:
    """The values, all of one shape, joined along a new axis."""
    if not values or any(v.shape != values[0].shape for v in values):
        raise TypeMismatchError(f"stack needs values of one shape, got {[str(v.type) for v in values]}")
    rank = values[0].rank + 1
    if not -rank <= axis < rank:
        raise TypeMismatchError(f"axis {axis} does not exist in a stack of {values[0].type}")
    at, sizes = axis % rank, values[0].shape
    return concatenate([v.reshape((*sizes[:at], 1, *sizes[at:])) for v in values], at)


def split(x: Value, sizes: Sequence[int], axis: int = 0) -> tuple[Value, ...]:
    """x cut along `axis` into pieces of the given sizes, which make up the axis."""
    return x.builder.add(shape.Split(x.type.axis(axis), tuple(sizes)), (x,))


def chunk(x: Value, count: int, axis: int = 0) -> tuple[Value, ...]:
    """x cut along `axis` into at most `count` pieces of one size, of which the last may be smaller."""
    size = x.shape[x.type.axis(axis)]
    if isinstance(size, str):
        raise SizeError(f"chunk cannot cut axis {axis} of {x.type}; give a number for {size!r}")
    if count < 1:
        raise TypeMismatchError(f"chunk needs at least one piece of {x.type}, got {count}")
    piece = max(-(-size // count), 1)
    pieces(-(-size // piece), f"chunk of axis {axis} of {x.type}")
    return split(x, [min(piece, size - begin) for begin in range(0, size, piece)] or [0], axis)


def unbind(x: Value, axis: int = 0) -> tuple[Value, ...]:
    """The slices of x along `axis`, which is dropped; its size is a number."""
    at = x.type.axis(axis)
    size = x.shape[at]
    if isinstance(size, str):
        raise SizeError(f"unbind cannot count axis {axis} of {x.type}; give a number for {size!r}")
    pieces(size, f"unbind of axis {axis} of {x.type}")
    return tuple(squeeze(piece, at) for piece in split(x, [1] * size, at)) if size else ()
