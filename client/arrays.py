"""What a program gives as tensors, made into arrays of the types that a graph declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from raygrad.proto.errors import TensorError
from raygrad.proto.graph import Graph
from raygrad.proto.messages import MiniBatch
from raygrad.proto.tensor import Array, TensorType

Feeds = Mapping[str, Any]
"""Tensors by name: NumPy arrays, whose dtype must fit; numbers and lists take the dtype that is declared."""


class Types:
    """The declared types of a graph's tensors, and what a program gives made into arrays of them."""

    def __init__(self, graph: Graph) -> None:
        self._inputs = _types(graph, "inputs")
        self._tensors = _types(graph, "parameters") | _types(graph, "buffers")
        self._outputs = {name: graph.type(ref) for name, ref in graph.outputs.items()}

    def feeds(self, given: Feeds) -> dict[str, Array]:
        """Inputs of a mini-batch."""
        return _arrays(self._inputs, given)

    def tensors(self, given: Feeds) -> dict[str, Array]:
        """Parameters and buffers."""
        return _arrays(self._tensors, given)

    def cotangents(self, given: Feeds | None) -> dict[str, Array] | None:
        """Cotangents of outputs; `None` stays `None`."""
        return None if given is None else _arrays(self._outputs, given)

    def mini_batch(self, given: MiniBatch | Feeds) -> MiniBatch:
        """A mini-batch of arrays."""
        if not isinstance(given, (MiniBatch, Mapping)):
            got = type(given).__name__
            raise TensorError(f"a mini-batch is a mapping of inputs by name, got {got}: give a list of them")
        if isinstance(given, MiniBatch):
            return MiniBatch(self.feeds(given.feeds), given.index, given.weight)
        return MiniBatch(self.feeds(given))


def _types(graph: Graph, kind: str) -> dict[str, TensorType]:
    return {name: node.types[0] for name, node in getattr(graph, kind).items()}


def _arrays(types: Mapping[str, TensorType], given: Feeds) -> dict[str, Array]:
    if not isinstance(given, Mapping):
        raise TensorError(f"tensors are given as a mapping by name, got {type(given).__name__}")
    return {name: _array(name, types.get(name), value) for name, value in given.items()}


def _array(name: str, declared: TensorType | None, value: Any) -> Array:
    """Arrays keep their dtype, so that a wrong one is seen; numbers and lists have none of their own."""
    try:
        return _as_array(declared, value)
    except (
        TypeError,
        ValueError,
        RuntimeError,
    ) as exc:  # a ragged list, a text, a tensor that needs `detach`
        raise TensorError(f"{name!r} does not make an array: {exc}", node=name) from exc


def _as_array(declared: TensorType | None, value: Any) -> Array:
    if declared is None or hasattr(value, "dtype"):
        return np.asarray(value)
    return np.asarray(value, dtype=declared.dtype.numpy)
