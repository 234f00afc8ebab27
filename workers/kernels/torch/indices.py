"""Checking indices: in one pass, on CUDA with one wait for the device, and each tensor once.

Nobody writes to a tensor once it is made, so one that was found to lie within bounds remembers it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..base import Site
from ..common.indices import require_within

_BELOW = "_raygrad_below"


def checked(site: Site, size: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """The function that returns indices as int64, and raises `ValueError` if one is outside of [0, size)."""

    def check(indices: torch.Tensor) -> torch.Tensor:
        wide = indices.to(torch.int64)
        if indices.numel() and getattr(indices, _BELOW, size + 1) > size:
            low, high = torch.stack(torch.aminmax(wide)).tolist()
            require_within(size, low, high)
            known_within(indices, size)
        return wide

    return check


def known_within(indices: torch.Tensor, size: int) -> torch.Tensor:
    """`indices`, which are known to lie in [0, size), and will not be looked at again."""
    setattr(indices, _BELOW, size)
    return indices
