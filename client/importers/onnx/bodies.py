"""Nodes of a model in the order in which they run, with calls of the model's own functions expanded.

A body (graph, function or branch) lies in a `Frame`, which says what its names mean outside of it, so that
names are unique in the whole. Source: "Function expressions", https://onnx.ai/onnx/repo-docs/IR.html.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import onnx

from raygrad.proto.errors import LimitError
from raygrad.proto.limits import DEFAULT

from .protos import attribute_value
from .reading import opsets

Functions = Mapping[tuple[str, str], onnx.FunctionProto]


class Budget:
    """What may still be read: functions that call functions grow beyond any file's size."""

    def __init__(self) -> None:
        self._nodes = DEFAULT.nodes
        self._bytes = DEFAULT.tensor_bytes

    def take(self, node: onnx.NodeProto) -> None:
        """Read one more, and the tensors that it holds; `LimitError` for too much."""
        self._nodes -= 1
        self._bytes -= sum(a.t.ByteSize() for a in node.attribute)
        if self._nodes < 0:
            raise LimitError(f"the model has more than {DEFAULT.nodes} nodes, its functions expanded")
        if self._bytes < 0:
            most = DEFAULT.tensor_bytes
            raise LimitError(f"the model's nodes hold over {most} bytes of tensors, its functions expanded")


@dataclass(frozen=True)
class Frame:
    """Where a body stands: its opsets, what its names mean, and the attributes it was called with."""

    opsets: Mapping[str, int]
    functions: Functions
    budget: Budget
    prefix: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, onnx.AttributeProto] = field(default_factory=dict)
    depth: int = 0

    def name(self, local: str) -> str:
        """What a name of the body is called in the whole; '' stands for an operand left out."""
        return self.names.get(local, local)

    def within(self, prefix: str, names: Mapping[str, str]) -> Frame:
        """The frame of a branch, which sees all names around it."""
        return replace(self, prefix=prefix, names={**self.names, **names}, depth=self.deeper())

    def deeper(self) -> int:
        """One call more; `LimitError` for too many, as in a function that calls itself."""
        if self.depth >= DEFAULT.depth:
            raise LimitError(f"calls and branches lie in each other more than {DEFAULT.depth} deep")
        return self.depth + 1


@dataclass(frozen=True)
class Node:
    """One use of an ONNX operator, its names those of the whole."""

    operator: str
    domain: str
    opset: int
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    frame: Frame
    proto: onnx.NodeProto

    @property
    def title(self) -> str:
        """How messages name the node."""
        return f"{self.operator} {self.name!r}"


def frame_of(model: onnx.ModelProto) -> Frame:
    """The frame of the model's graph."""
    functions = {(f.domain, f.name): f for f in model.functions}
    return Frame(opsets(model), functions, Budget())


def nodes_of(body: Iterable[onnx.NodeProto], frame: Frame) -> Iterator[Node]:
    """The nodes of a body; a call of a function of the model gives the function's nodes."""
    for number, proto in enumerate(body):
        frame.budget.take(proto)
        node = _node(proto, frame, number)
        function = frame.functions.get((proto.domain, proto.op_type))
        if function is None:
            yield node
        else:
            yield from expanded(node, function)


def expanded(node: Node, function: onnx.FunctionProto) -> Iterator[Node]:
    """The nodes of the function that `node` calls."""
    passed = dict(zip(function.input, node.inputs, strict=False))
    left_out = dict.fromkeys(function.input[len(node.inputs) :], "")
    inside = {name: f"{node.name}/{name}" for proto in function.node for name in proto.output if name}
    returned = dict(zip(function.output, node.outputs, strict=False))
    names = {**inside, **{k: v for k, v in returned.items() if v}, **passed, **left_out}
    frame = replace(
        node.frame,
        opsets={**node.frame.opsets, **opsets(function)},
        prefix=f"{node.name}/",
        names=names,
        attributes=_given(node, function),
        depth=node.frame.deeper(),
    )
    yield from nodes_of(function.node, frame)


def branch_of(node: Node, graph: onnx.GraphProto) -> tuple[Frame, list[Node]]:
    """The frame and the nodes of a graph that an attribute of `node` holds."""
    made = [*(t.name for t in graph.initializer), *(name for p in graph.node for name in p.output if name)]
    prefix = f"{node.name}/{graph.name}/"
    frame = node.frame.within(prefix, {name: f"{prefix}{name}" for name in made})
    return frame, list(nodes_of(graph.node, frame))


def _node(proto: onnx.NodeProto, frame: Frame, number: int) -> Node:
    name = proto.name or next(filter(None, proto.output), f"node {number}")
    domain = "" if proto.domain == "ai.onnx" else proto.domain
    attributes = (_resolved(a, frame) for a in proto.attribute)
    return Node(
        operator=proto.op_type,
        domain=domain,
        opset=frame.opsets.get(domain, 1),
        name=f"{frame.prefix}{name}",
        inputs=tuple(map(frame.name, proto.input)),
        outputs=tuple(map(frame.name, proto.output)),
        attributes={a.name: attribute_value(a) for a in attributes if a is not None},
        frame=frame,
        proto=proto,
    )


def _resolved(attribute: onnx.AttributeProto, frame: Frame) -> onnx.AttributeProto | None:
    """The attribute, or what the call gave for the one it refers to; None if the call left that out."""
    if not attribute.ref_attr_name:
        return attribute
    given = frame.attributes.get(attribute.ref_attr_name)
    if given is None:
        return None
    found = onnx.AttributeProto()
    found.CopyFrom(given)
    found.name = attribute.name
    return found


def _given(node: Node, function: onnx.FunctionProto) -> dict[str, onnx.AttributeProto]:
    """The attributes that a function is called with, its defaults included."""
    resolved = (_resolved(a, node.frame) for a in node.proto.attribute)
    return {
        **{a.name: a for a in function.attribute_proto},
        **{a.name: a for a in resolved if a is not None},
    }
