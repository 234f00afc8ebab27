"""Graphs as models of the format ONNX: `to_onnx`, and a table operator → nodes, one module per family."""

from . import (  # noqa: F401 (they fill the table)
    elementwise,
    indexing,
    movement,
    networks,
    reductions,
    sources,
)
from .exporter import to_onnx

__all__ = ["to_onnx"]
