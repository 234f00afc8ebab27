"""`to_onnx`: a graph as a model of the format ONNX, for Netron and for other runtimes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import onnx.shape_inference
from onnx import helper, numpy_helper

from raygrad.proto.arguments import public
from raygrad.proto.builder import Builder
from raygrad.proto.errors import (
    InvalidReferenceError,
    MissingTensorError,
    RaygradError,
    TensorShapeError,
    UnsupportedOperatorError,
)
from raygrad.proto.graph import Graph, Node, Ref
from raygrad.proto.operators.source import NamedTensor
from raygrad.proto.tensor import Array, TensorType

from ...unsupported import Missing, unsupported
from ..protos import ELEMENT_TYPES
from .table import export_of
from .writer import Use, Writer

OPSET = 20
IR_VERSION = 9


@public
def to_onnx(graph: Graph | Builder, tensors: Mapping[str, Array] | None = None) -> onnx.ModelProto:
    """The graph as a model of opset 20.

    ::

        onnx.save(rg.to_onnx(network.graph, network.parameters), "network.onnx")

    `tensors` are the values of parameters and buffers, which become initializers; without them they are
    inputs of the model. Named sizes keep their names. Nodes have the labels that the program gave.

    Raises `UnsupportedOperatorError`, which lists all operators that have no form in ONNX (those of backward
    passes among them) or names one of a dtype that ONNX does not have it for; `InvalidReferenceError` for an
    output of the name of an input or tensor; the `TensorError` that names a tensor that is missing or does
    not fit.
    """
    whole = graph.graph() if isinstance(graph, Builder) else graph
    _check_supported(whole)
    sources = {*whole.inputs, *whole.parameters, *whole.buffers}
    if twice := sorted(sources.intersection(whole.outputs)):
        raise InvalidReferenceError(f"inputs or tensors and outputs have the same names {twice}")
    writer = Writer([*sources, *whole.outputs])
    names = _Names(whole, writer)
    for node in whole:
        names.write(node)
    model = _model(whole, writer, tensors, names.finish())
    try:
        onnx.checker.check_model(model, full_check=True)
    except onnx.shape_inference.InferenceError as exc:
        raise UnsupportedOperatorError(f"no form in ONNX: {exc}") from exc
    return model


def _check_supported(graph: Graph) -> None:
    missing = [
        Missing(node.operator.name, node.title)
        for node in graph
        if not isinstance(node.operator, NamedTensor) and export_of(node.operator) is None
    ]
    if missing:
        raise unsupported(missing)


class _Names:
    """What the values of the graph are called in the model."""

    def __init__(self, graph: Graph, writer: Writer) -> None:
        self._graph = graph
        self._writer = writer
        self._names: dict[Ref, str] = {}

    def write(self, node: Node) -> None:
        """Write a node; sources with names are there already."""
        if isinstance(node.operator, NamedTensor):
            self._declare(node, node.operator)
            return
        export = export_of(node.operator)
        assert export is not None
        self._writer.label = node.label
        try:
            written = export(self._writer, node.operator, self._use(node))
        except RaygradError as exc:
            raise exc.at(node.title) from None
        for port, name in enumerate((written,) if isinstance(written, str) else written):
            self._names[Ref(node.id, port)] = name

    def _declare(self, node: Node, operator: NamedTensor) -> None:
        self._names[Ref(node.id)] = operator.tensor
        for axis, size in enumerate(node.types[0].shape):
            if isinstance(size, str):
                self._writer.sizes.setdefault(size, (operator.tensor, axis))

    def _use(self, node: Node) -> Use:
        inputs = tuple(self._names[ref] for ref in node.inputs)
        types = tuple(self._graph.type(ref) for ref in node.inputs)
        returned = set(self._graph.outputs.values())
        used = {p for p in range(len(node.types)) if Ref(node.id, p) in returned | set(self._graph.consumers)}
        return Use(node, inputs, types, frozenset(used))

    def finish(self) -> list[onnx.ValueInfoProto]:
        """The outputs of the model, under their names in the graph."""
        self._writer.label = ""
        for name, ref in self._graph.outputs.items():
            node = helper.make_node("Identity", [self._names[ref]], [name], name=f"{name}/output")
            self._writer.nodes.append(node)
        return [_info(name, self._graph.type(ref)) for name, ref in self._graph.outputs.items()]


def _info(name: str, type: TensorType) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, ELEMENT_TYPES[type.dtype], list(type.shape))


def _model(
    graph: Graph, writer: Writer, tensors: Mapping[str, Array] | None, outputs: list[onnx.ValueInfoProto]
) -> onnx.ModelProto:
    weights = {**graph.parameters, **graph.buffers}
    fed = graph.inputs if tensors is not None else {**graph.inputs, **weights}
    initializers = [] if tensors is None else [_initializer(n, tensors) for n in weights.values()]
    body = helper.make_graph(
        writer.nodes,
        "raygrad",
        [_info(name, node.types[0]) for name, node in fed.items()],
        outputs,
        [*initializers, *writer.initializers],
    )
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(body, producer_name="raygrad", opset_imports=opsets, ir_version=IR_VERSION)


def _initializer(node: Node, tensors: Mapping[str, Array]) -> onnx.TensorProto:
    assert isinstance(node.operator, NamedTensor)
    name, wanted = node.operator.tensor, node.types[0]
    if name not in tensors:
        raise MissingTensorError(f"{name!r} is missing: it is {wanted}")
    array = np.asarray(tensors[name])
    if array.shape != wanted.shape or array.dtype != wanted.dtype.numpy:
        raise TensorShapeError(f"{name!r} is {wanted}, got {array.dtype}{list(array.shape)}")
    return numpy_helper.from_array(array, name)
