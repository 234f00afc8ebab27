"""Named sizes replaced by numbers: what `Graph.bind` does, node by node.

Most nodes of a graph do what others do to the same types: that is inferred once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from .attributes import names_in_attributes, sized
from .errors import RaygradError, SizeError
from .operators.base import Operator
from .tensor import TensorType, names_in

if TYPE_CHECKING:
    from .graph import Node

Types = tuple[TensorType, ...]


class Binding:
    """Binds the nodes of a graph, in order."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self._sizes = sizes
        self._bound: dict[int, Node] = {}
        self._types: dict[TensorType, TensorType] = {}  # equal ones are one object, to compare by identity
        self._inferred: dict[tuple[object, ...], Types] = {}  # of operators without attributes

    def nodes(self, nodes: Iterable[Node]) -> tuple[Node, ...]:
        """The same nodes with numbers for sizes, and types inferred again."""
        for node in nodes:
            self._bound[node.id] = self._node(node)
        return tuple(self._bound.values())

    def _node(self, node: Node) -> Node:
        kind = type(node.operator)
        operator = node.operator.bind(self._sizes) if sized(kind) else node.operator
        bound = self._bound
        inputs = [bound[number].types[port] for number, port in node.inputs]
        key = None if vars(operator) else (kind, *map(id, inputs))
        types = None if key is None else self._inferred.get(key)
        if types is None:
            types = self._infer(node, operator, inputs)
            if key is not None:
                self._inferred[key] = types
        made = type(node)
        return made(node.id, operator, node.inputs, types, node.home, node.label)

    def _infer(self, node: Node, operator: Operator, inputs: list[TensorType]) -> Types:
        try:
            types = operator.infer_types(inputs)
        except RaygradError as exc:
            raise exc.at(node.title) from None
        if left := sorted(names_in_attributes(operator).union(*(names_in(t.shape) for t in types))):
            raise SizeError(f"size {left[0]!r} is not bound; bound are {dict(self._sizes)}", node=node.title)
        return tuple(self._types.setdefault(t, t) for t in types)
