"""Checking indices with one pass, and on CUDA with one wait for the device."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..base import Site
from ..common.indices import require_within


def checked(site: Site, size: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """The function that returns indices as int64, and raises `ValueError` if one is outside of [0, size)."""

    def check(indices: torch.Tensor) -> torch.Tensor:
        wide = indices.to(torch.int64)
        if wide.numel():
            low, high = torch.stack(torch.aminmax(wide)).tolist()
            require_within(size, low, high)
        return wide

    return check
