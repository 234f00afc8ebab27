"""A graph as typed code, for people: sources, then a line per node, `%5: type = Operator(operands)`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .graph import Graph, Node, Ref
from .operators.source import Constant, NamedTensor, SizeOf
from .reading import printable, telling_attributes

_PLAIN = re.compile(r"(?:∂|[^\W\d])[\w./∂]*\Z")
_LONGEST_CONSTANT = 40


def listing(graph: Graph) -> str:
    """The graph as text. Sources are called by their names, other values by node and port: %5, %5.1."""
    computed = (_line(graph, node) for node in graph if not node.operator.source)
    lines = (*_declarations(graph), "", *computed, "", *_returned(graph))
    body = "\n".join(f"  {line}".rstrip() for line in lines)
    return f"graph {{\n{body}\n}}"


def _declarations(graph: Graph) -> Iterator[str]:
    """Sources: all but sizes and short constants, which stand where they are read."""
    for node in graph:
        operator = node.operator
        if isinstance(operator, NamedTensor):
            kind, name = operator.name.lower(), _operand(graph, Ref(node.id))
            yield f"{kind} {name}: {node.types[0]}{_comment(f'%{node.id}')}"
        elif isinstance(operator, Constant):
            if _literal(operator) is None:
                yield f"constant %{node.id}: {node.types[0]} = {operator!r}"
        elif operator.source and not isinstance(operator, SizeOf):
            yield _line(graph, node)


def _returned(graph: Graph) -> Iterator[str]:
    for name, ref in graph.outputs.items():
        yield f"return {_quoted(name)} = {_operand(graph, ref)}"


def _line(graph: Graph, node: Node) -> str:
    outputs = ", ".join(str(Ref(node.id, port)) for port in range(len(node.types)))
    types = ", ".join(map(str, node.types))
    attributes = (f"{name}={value!r}" for name, value in telling_attributes(node.operator))
    arguments = ", ".join((*(_operand(graph, ref) for ref in node.inputs), *attributes))
    beside = f" @{node.home}" if node.home != node.id else ""
    return f"{outputs}: {types} = {node.operator.name}({arguments}){beside}{_comment(node.label)}"


def _comment(words: str) -> str:
    return f"  # {printable(words)}" if words else ""


def _operand(graph: Graph, ref: Ref) -> str:
    operator = graph[ref.node].operator
    if isinstance(operator, NamedTensor):
        return ("∂" if operator.name == "Cotangent" else "") + _quoted(operator.tensor)
    if isinstance(operator, SizeOf):
        return f"size({', '.join(map(str, operator.sizes))})"
    literal = _literal(operator) if isinstance(operator, Constant) else None
    return str(ref) if literal is None else literal


def _literal(constant: Constant) -> str | None:
    """The constant where it is read, if it is short."""
    shown = str(constant.array.tolist())
    return shown if len(shown) <= _LONGEST_CONSTANT else None


def _quoted(name: str) -> str:
    return name if _PLAIN.match(name) else repr(name)
