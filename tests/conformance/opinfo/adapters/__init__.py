"""Which raygrad function an operator of PyTorch is: OpInfo's name, or name/variant, to a function.

An adapter has the signature of PyTorch's operator as far as raygrad offers it, takes values where that
takes tensors, and calls one public function or method. An argument that it lacks is declined; a function
that does not exist fails.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import activations, elementwise, indexing, linear, losses, networks, reductions, shapes, windows

Adapter = Callable[..., Any]

ADAPTERS: dict[str, Adapter] = {
    name: adapter
    for family in (
        elementwise,
        reductions,
        shapes,
        indexing,
        linear,
        activations,
        windows,
        networks,
        losses,
    )
    for name, adapter in family.ADAPTERS.items()
}
