"""Arithmetic of sliding windows, which convolution and pooling share.

Along one axis of size L, window i covers the elements i·stride − before + dilation·j for j < kernel;
those outside 0 … L−1 are padding. See Dumoulin and Visin, "A guide to convolution arithmetic for deep
learning" (2016), https://arxiv.org/abs/1603.07285, section 5.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import SizeError
from ..tensor import Shape, Size, TensorType, span
from .base import Operator, require

Padding = tuple[tuple[int, int], ...]
"""Elements before and after, for each spatial axis."""


class Windowed(Operator, abstract=True):
    """An operator whose windows slide over the one to three spatial axes of tensors (N, C, *spatial)."""

    stride: tuple[int, ...]
    padding: Padding

    def window_sizes(self, x: TensorType, kernel: tuple[int, ...], dilation: tuple[int, ...]) -> Shape:
        """How many windows of `kernel` elements lie along each spatial axis of x."""
        require(x.dtype.is_floating, self, f"needs a floating-point dtype, got {x}")
        require(3 <= x.rank <= 5, self, f"needs (N, C, *spatial) with one to three spatial axes, got {x}")
        require(0 not in x.shape[1:], self, f"{x} has no channels, or no places")
        lengths = {len(kernel), len(self.stride), len(self.padding), len(dilation)}
        require(lengths == {x.rank - 2}, self, f"kernel {kernel} and {self!r} do not fit the axes of {x}")
        require(min((*kernel, *self.stride, *dilation)) >= 1, self, f"kernel {kernel}: {self!r} is below 1")
        require(min(min(pair) for pair in self.padding) >= 0, self, "padding cannot be negative: use Slice")
        return tuple(self._windows(x, i, k, d) for i, (k, d) in enumerate(zip(kernel, dilation, strict=True)))

    def scratch(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """Of the largest operand with its padding, what is more than all operands."""
        operands = (*inputs, *outputs)
        padded = max(self._padded(t) for t in operands if t.rank == len(self.padding) + 2)
        return max(padded - sum(span(t.shape) * t.dtype.itemsize for t in operands), 0)

    def _padded(self, x: TensorType) -> int:
        """Bytes of x with the padding around it."""
        places = zip(x.shape[2:], self.padding, strict=True)
        shape = (*x.shape[:2], *((s if isinstance(s, int) else 1) + sum(pair) for s, pair in places))
        return span(shape) * x.dtype.itemsize

    def _windows(self, x: TensorType, axis: int, kernel: int, dilation: int) -> Size:
        size, stride = x.shape[axis + 2], self.stride[axis]
        added = sum(self.padding[axis]) - dilation * (kernel - 1)
        if isinstance(size, int):
            require(
                size + added >= 1, self, f"spatial axis {axis} of {x}, padded, is smaller than its kernel"
            )
            return (size + added - 1) // stride + 1
        if stride == 1 and not added:
            return size
        raise SizeError(
            f"{self.name} cannot express the size of its output for {size!r} (stride {stride}, {added:+d} "
            f"elements); give a number for {size!r}"
        )


def all_covered(size: int, kernel: int, stride: int, padding: tuple[int, int], dilation: int) -> bool:
    """Whether every window along an axis covers an element of it, and not padding alone."""
    before, after = padding
    reach = dilation * (kernel - 1)
    starts = range(-before, size + after - reach, stride)
    if kernel == 1 or dilation <= size:  # no window can step over the axis
        return starts[0] + reach >= 0 and starts[-1] < size
    count = (starts[-1] - starts[0]) // stride + 1  # a range of more than 64 bits has no length
    return (
        starts[0] + reach >= 0
        and starts[-1] < size
        and _residues_below(size, count, stride, starts[0] % dilation, dilation) == count
    )


def _residues_below(bound: int, count: int, step: int, start: int, modulus: int) -> int:
    """How many of (start + i · step) mod `modulus` for i < count lie below `bound`, which is below it too."""
    shift = modulus - bound
    return _quotients(count, modulus, step, start + modulus) - _quotients(count, modulus, step, start + shift)


def _quotients(count: int, modulus: int, step: int, start: int) -> int:
    """Σ ⌊(start + i · step) / modulus⌋ for i < count, in steps like those of Euclid's algorithm."""
    total = 0
    while count:
        total += count * (start // modulus) + count * (count - 1) // 2 * (step // modulus)
        start, step = start % modulus, step % modulus
        last = start + count * step
        count, start, step, modulus = last // modulus, last % modulus, modulus, step
    return total
