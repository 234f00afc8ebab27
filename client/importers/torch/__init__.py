"""PyTorch: its modules as graphs (`from_torch`), and a module whose work is done by the service (`Remote`).

A module is captured with `torch.export` (`exporter`) and written node by node on values (`translator`). What
each ATen operator means stands in a table (`registry`), which the family modules fill.
"""

from __future__ import annotations

from importlib import import_module

from raygrad.proto.errors import DependencyError

try:
    import torch as _torch  # noqa: F401
except ModuleNotFoundError as exc:
    raise DependencyError("reading PyTorch modules needs torch: pip install 'raygrad[torch]'") from exc

from .importer import from_torch
from .remote import Remote

FAMILIES = (
    "activations",
    "attention",
    "casts",
    "convolution",
    "creation",
    "dropout",
    "elementwise",
    "indexing",
    "losses",
    "normalization",
    "pooling",
    "products",
    "reductions",
    "resampling",
    "shapes",
)
"""The modules that fill the table."""

for _name in FAMILIES:
    import_module(f"{__name__}.{_name}")

__all__ = ["Remote", "from_torch"]


def __dir__() -> list[str]:
    return __all__
