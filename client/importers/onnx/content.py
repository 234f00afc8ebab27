"""Which names of a model must be known when it is read, since shapes depend on their content."""

from __future__ import annotations

from collections.abc import Iterable

import onnx

from .bodies import Node, branch_of
from .table import rule_of

_OF_TYPES = ("Shape", "Size")
"""Operators whose result is known from the types of their operands alone."""


def needed_content(nodes: Iterable[Node]) -> set[str]:
    """The names whose content shapes depend on, followed back to where they begin."""
    needed: set[str] = set()
    for node in reversed(list(_with_branches(nodes))):
        rule = rule_of(node.domain, node.operator, node.opset)
        if rule is not None:
            needed.update(node.inputs[at] for at in rule.static if at < len(node.inputs))
        if node.operator not in _OF_TYPES and needed.intersection(node.outputs):
            needed.update(node.inputs)
    return needed - {""}


def _with_branches(nodes: Iterable[Node]) -> Iterable[Node]:
    """The nodes, those of branches before the node that holds them."""
    for node in nodes:
        for value in node.attributes.values():
            if isinstance(value, onnx.GraphProto):
                yield from _with_branches(branch_of(node, value)[1])
        yield node
