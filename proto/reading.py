"""How people read a graph: sources are operands of what reads them, and defaults go without saying."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from .graph import Graph, Node, Ref
from .operators.base import Operator
from .operators.shape import Broadcast, Cast, Reshape
from .operators.source import Cotangent, Input


def computed_nodes(graph: Graph) -> list[Node]:
    """Nodes that are fed or computed: all but parameters, buffers and constants, in whatever shape."""
    return [node for node in graph if origin(graph, Ref(node.id)) is None]


def operands(graph: Graph, node: Node) -> Iterator[Node]:
    """The parameters, buffers and constants that a node reads, in whatever shape."""
    return (found for ref in node.inputs if (found := origin(graph, ref)) is not None)


def origin(graph: Graph, ref: Ref) -> Node | None:
    """The source whose elements a value holds, perhaps in another shape; `None` if it is fed or computed."""
    node = graph[ref.node]
    while isinstance(node.operator, (Broadcast, Reshape, Cast)):
        node = graph[node.inputs[0].node]
    return node if node.operator.source and not isinstance(node.operator, (Input, Cotangent)) else None


def printable(text: str) -> str:
    """The text on one line; line breaks, control characters and what is no character as in Python code."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


_PER_AXIS = frozenset({"kernel", "stride", "dilation", "padding"})
_NEUTRAL = {"stride": 1, "dilation": 1, "groups": 1, "padding": 0}


def telling_attributes(operator: Operator) -> Iterator[tuple[str, Any]]:
    """Those that are neither at their defaults nor neutral; one number where all axes have the same."""
    for field in dataclasses.fields(operator):  # type: ignore[arg-type]
        value = getattr(operator, field.name)
        value = _alike(value) if field.name in _PER_AXIS else value
        if value != field.default and value != _NEUTRAL.get(field.name, dataclasses.MISSING):
            yield field.name, value


def _alike(value: Any) -> Any:
    """One element of a tuple whose elements are all alike, at any depth."""
    if isinstance(value, tuple) and len(set(value)) == 1:
        return _alike(value[0])
    return value
