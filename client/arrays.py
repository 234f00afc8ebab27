"""What a program gives as tensors, made into arrays of the types that a graph declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from raygrad.proto.errors import RaygradError, TensorError
from raygrad.proto.given import fitted, plain
from raygrad.proto.graph import Graph
from raygrad.proto.messages import MiniBatch
from raygrad.proto.tensor import Array, TensorType

Feeds = Mapping[str, Any]
"""Tensors by name: arrays, numbers and lists, which become what is declared where they mean the same there.

NumPy's own dtypes give way: float64 is rounded to float32, int64 becomes int32 if that holds its numbers, and
narrower dtypes become wider ones (`raygrad.proto.given.fitted`). Another dtype is a `TensorDTypeError`.
"""


_NO_ARRAY = (TypeError, ValueError, RuntimeError)
"""What NumPy raises for a ragged list, a text, a tensor that needs `detach`."""

_PYTHON = (list, tuple, int, float)
"""What arrays are made of that share no memory with it."""


class Types:
    """The declared types of a graph's tensors, and what a program gives made into plain arrays of them.

    With `copies`, the arrays are the session's own and read-only, since it holds on to them beyond the call.
    Without, they may lie in the program's memory: they are for sending away within the call.
    """

    def __init__(self, graph: Graph, *, copies: bool) -> None:
        self._copies = copies
        self._inputs = _types(graph, "inputs")
        self._tensors = _types(graph, "parameters") | _types(graph, "buffers")
        self._outputs = {name: graph.type(ref) for name, ref in graph.outputs.items()}

    def feeds(self, given: Feeds) -> dict[str, Array]:
        """Inputs of a mini-batch."""
        return self._arrays(self._inputs, given)

    def tensors(self, given: Feeds) -> dict[str, Array]:
        """Parameters and buffers."""
        return self._arrays(self._tensors, given)

    def cotangents(self, given: Feeds | None) -> dict[str, Array] | None:
        """Cotangents of outputs; `None` stays `None`."""
        return None if given is None else self._arrays(self._outputs, given)

    def mini_batch(self, given: MiniBatch | Feeds) -> MiniBatch:
        """A mini-batch of arrays."""
        if not isinstance(given, (MiniBatch, Mapping)):
            got = type(given).__name__
            raise TensorError(f"a mini-batch is a mapping of inputs by name, got {got}: give a list of them")
        if isinstance(given, MiniBatch):
            return MiniBatch(self.feeds(given.feeds), given.index, given.weight)
        return MiniBatch(self.feeds(given))

    def _arrays(self, types: Mapping[str, TensorType], given: Feeds) -> dict[str, Array]:
        if not isinstance(given, Mapping):
            raise TensorError(f"tensors are given as a mapping by name, got {type(given).__name__}")
        return {name: self._array(name, types.get(name), value) for name, value in given.items()}

    def _array(self, name: str, declared: TensorType | None, value: Any) -> Array:
        """Numbers and lists have no dtype of their own; an array's gives way, or is seen to be wrong."""
        dtype = None if declared is None or hasattr(value, "dtype") else declared.dtype.numpy
        try:
            array = plain(value, dtype)
            fit = array if declared is None else fitted(array, declared.dtype)
            fresh = fit is not array or isinstance(value, _PYTHON)
            array = plain(fit, copy=self._copies and not fresh)
        except RaygradError as exc:
            raise exc.at(name) from None
        except _NO_ARRAY as exc:
            raise TensorError(f"{name!r} does not make an array: {exc}", node=name) from exc
        if self._copies:
            array.flags.writeable = False
        return array


def _types(graph: Graph, kind: str) -> dict[str, TensorType]:
    return {name: node.types[0] for name, node in getattr(graph, kind).items()}


def own(array: Array) -> Array:
    """A received array as the caller's own, to be written to; copied if it lies in a message."""
    try:
        array.flags.writeable = True
    except ValueError:  # the memory is that of bytes
        return array.copy()
    return array


def listed(names: Sequence[str] | str) -> tuple[str, ...]:
    """Names of tensors; one by itself is a list of one."""
    return (names,) if isinstance(names, str) else tuple(names)
