"""What a document or a tensor may cost, and the sum of what a graph's types imply.

Limits hold at the border, before anything is allocated. Sizes that are names count as 1 until they
are bound; `check_bound` looks again when they are numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .errors import LimitError
from .graph import Graph, Node
from .operators.source import Parameter
from .tensor import MOST_ELEMENTS, TensorType, span

MIB = 1 << 20
GIB = 1 << 30


@dataclass(frozen=True)
class Limits:
    """The most that is accepted; a server may set its own."""

    document_bytes: int = 16 * MIB
    items: int = 2 * MIB  # msgpack values in a document, containers and keys included
    depth: int = 16  # of msgpack containers in each other
    nodes: int = 1 << 16
    values: int = 1 << 18  # outputs of all nodes
    string: int = 1024  # bytes of a name, label or key
    list_length: int = 4096  # of an attribute
    rank: int = 16
    elements: int = MOST_ELEMENTS  # of one value
    type_bytes: int = 256 * GIB  # of all values of a graph, as their types say
    tensor_bytes: int = 16 * GIB  # of a set of tensors that is sent


DEFAULT = Limits()


class Tally:
    """Counts what the types of a graph's nodes imply, and refuses the node that goes over a limit."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._values = 0
        self._bytes = 0

    def add(self, node: Node, inputs: Sequence[TensorType]) -> None:
        """Count a node's outputs, and what it needs to compute them from inputs of these types.

        `LimitError` names it if a limit is passed.
        """
        self._values += len(node.types)
        _within(self._values, self._limits.values, "values in the graph", node)
        for value in node.types:
            _within(value.rank, self._limits.rank, "axes in one value", node)
            self._add_type(node, value)
        self._add_scratch(node, node.operator.scratch(inputs, node.types))

    def _add_type(self, node: Node, value: TensorType) -> None:
        elements = span(value.shape)
        size = elements * value.dtype.itemsize
        shown = f"{value} has {_count(elements)} {_unit(node)} ({_gigabytes(size)})"
        if elements > self._limits.elements:
            most = _count(self._limits.elements)
            raise LimitError(f"{shown}; at most {most} are allowed in one value", node=node.title)
        self._add_bytes(node, size, shown)

    def _add_scratch(self, node: Node, size: int) -> None:
        self._add_bytes(node, size, f"{node.operator!r} needs {_gigabytes(size)} while it runs")

    def _add_bytes(self, node: Node, size: int, shown: str) -> None:
        self._bytes += size
        if self._bytes > self._limits.type_bytes:
            total, most = _gigabytes(self._bytes), _gigabytes(self._limits.type_bytes)
            raise LimitError(f"{shown}; with the values before it {total}, at most {most}", node=node.title)


def check_bound(graph: Graph, limits: Limits = DEFAULT) -> None:
    """`LimitError`, naming the node, if the types of a bound graph imply more than is allowed."""
    tally = Tally(limits)
    for node in graph:
        tally.add(node, [graph.type(ref) for ref in node.inputs])


def _within(count: int, limit: int, what: str, node: Node) -> None:
    if count > limit:
        raise LimitError(f"{count} {what}; at most {limit} are allowed", node=node.title)


def _unit(node: Node) -> str:
    """What messages call the elements of a node's values."""
    return f"parameters in {node.operator.tensor!r}" if isinstance(node.operator, Parameter) else "elements"


def _count(number: int) -> str:
    """A number as people write it: 4096, 3.87e10."""
    if number < 1_000_000:
        return str(number)
    exponent = len(str(number)) - 1
    return f"{number / 10**exponent:.2f}e{exponent}"


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.3g} GB" if count < 10**15 else f"{_count(count)} bytes"
