"""Padding that differs before and after an axis, which PyTorch's kernels do not take."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch

from raygrad.proto.operators.window import Padding
from raygrad.proto.tensor import TensorType

from .layout import canonical


class Padder:
    """Splits padding into what a kernel applies itself on both sides (`both`) and what is written out first.

    All of it is left to the kernel if it is the same on both sides of each axis and no more than `most`;
    otherwise all of it is written out.
    """

    def __init__(self, padding: Padding, x: TensorType, most: Sequence[int] | None = None) -> None:
        limits = most or [max(pair) for pair in padding]
        native = all(a == b <= limit for (a, b), limit in zip(padding, limits, strict=True))
        self.both = [before if native else 0 for before, _ in padding]
        self._widths = [] if native else list(itertools.chain(*reversed(padding)))
        self._sizes = x.static[2:]
        self._before = [before for before, _ in padding]
        added = [0 if native else before + after for before, after in padding]
        self.shape = (*x.static[:2], *(s + a for s, a in zip(self._sizes, added, strict=True)))
        self._strides = canonical(self.shape)

    @property
    def pads(self) -> bool:
        """Whether padding is written out."""
        return bool(self._widths)

    def pad(self, x: torch.Tensor, value: float = 0.0) -> torch.Tensor:
        """x with the padding that the kernel does not apply."""
        return torch.constant_pad_nd(x, self._widths, value) if self.pads else x

    def crop(self, x: torch.Tensor) -> torch.Tensor:
        """The inside of a padded tensor: the adjoint of `pad`."""
        if self.pads:
            for axis, (start, size) in enumerate(zip(self._before, self._sizes, strict=True)):
                x = x.narrow(axis + 2, start, size)
        return x

    def empty(self, like: torch.Tensor) -> torch.Tensor:
        """A tensor as `pad` returns them, with no content."""
        return torch.empty_strided(self.shape, self._strides, dtype=like.dtype, device=like.device)
