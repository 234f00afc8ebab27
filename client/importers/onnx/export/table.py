"""The table of exports: operator → function that writes it as nodes of ONNX."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from raygrad.proto.operators.base import Operator

if TYPE_CHECKING:
    from .writer import Use, Writer

Export = Callable[["Writer", Any, "Use"], "str | tuple[str, ...]"]
"""Writes a use of an operator, and returns the names of its outputs."""

_EXPORTS: dict[type[Operator], Export] = {}


def exports(*operators: type[Operator]) -> Callable[[Export], Export]:
    """Registers how operators are written."""

    def register(export: Export) -> Export:
        for operator in operators:
            _EXPORTS[operator] = export
        return export

    return register


def export_of(operator: Operator) -> Export | None:
    """How an operator is written, if it can be."""
    return _EXPORTS.get(type(operator))
