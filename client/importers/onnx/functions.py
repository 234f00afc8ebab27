"""Operators that ONNX itself defines by others: their bodies, for those that have no conversion.

Source: the function bodies of the operators' schemas, https://onnx.ai/onnx/operators/.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import onnx
import onnx.defs

from raygrad.proto.errors import UnsupportedOperatorError
from raygrad.proto.tensor import DType
from raygrad.proto.value import Value

from ..unsupported import Missing, unsupported
from .bodies import Node, expanded
from .operand import Known, Operand
from .protos import ELEMENT_TYPES
from .table import rule_of


def schema_of(node: Node) -> Any:
    """ONNX's own description of the operator, an `OpSchema`, if it has one at this opset."""
    try:
        return onnx.defs.get_schema(node.operator, node.opset, node.domain)
    except onnx.defs.SchemaError:
        return None


def has_function(node: Node) -> bool:
    """Whether ONNX defines the operator by others."""
    schema = schema_of(node)
    return schema is not None and (schema.has_function or schema.has_context_dependent_function)


def with_functions(nodes: Iterable[Node]) -> Iterator[Node]:
    """The nodes, with functions of ONNX expanded where the body does not depend on types."""
    for node in nodes:
        schema = None if _rule(node) else schema_of(node)
        if schema is not None and schema.has_function:
            yield from with_functions(expanded(node, function_of(node, ())))
        else:
            yield node


def check_supported(nodes: Iterable[Node]) -> None:
    """`UnsupportedOperatorError` that lists all operators without a conversion, and where they are."""
    missing = [
        Missing(f"{node.domain or 'ai.onnx'}::{node.operator} (opset {node.opset})", repr(node.name))
        for node in nodes
        if not _rule(node) and not has_function(node)
    ]
    if missing:
        raise unsupported(missing)


def _rule(node: Node) -> bool:
    return rule_of(node.domain, node.operator, node.opset) is not None and not _outdated(node)


OLDEST_OPSET = 6
"""Opset 7 brought NumPy's broadcasting; what 6 has instead is known: old converters still write it."""


def _outdated(node: Node) -> bool:
    """Whether the operator had another meaning at this opset, before the first that is converted."""
    if node.domain or node.opset >= OLDEST_OPSET:
        return False
    schema = schema_of(node)
    oldest = onnx.defs.get_schema(node.operator, OLDEST_OPSET, "")
    return schema is None or schema.since_version != oldest.since_version


def function_of(node: Node, operands: tuple[Operand, ...]) -> onnx.FunctionProto:
    """The body of the operator, which may depend on the types of its operands."""
    schema = schema_of(node)
    if schema is None or not has_function(node):
        raise UnsupportedOperatorError(
            f"{node.operator} (opset {node.opset}) is not supported", node=node.title
        )
    function = onnx.FunctionProto()
    if schema.has_function:
        version = _newest(schema.function_opset_versions, node.opset)
        function.ParseFromString(schema.get_function_with_opset_version(version))
    else:
        version = _newest(schema.context_dependent_function_opset_versions, node.opset)
        types = [_type(o).SerializeToString() for o in operands]
        body = schema.get_context_dependent_function_with_opset_version(
            version, node.proto.SerializeToString(), types
        )
        function.ParseFromString(body)
    if not function.opset_import:
        function.opset_import.add(domain="", version=node.opset)
    for name, attribute in schema.attributes.items():
        if attribute.default_value.name and name not in {a.name for a in function.attribute_proto}:
            function.attribute_proto.append(attribute.default_value)
    return function


def _newest(versions: list[int], opset: int) -> int:
    return max((v for v in versions if v <= opset), default=min(versions))


def _type(operand: Operand) -> onnx.TypeProto:
    if operand is None:
        return onnx.TypeProto()
    if isinstance(operand, Value):
        return onnx.helper.make_tensor_type_proto(ELEMENT_TYPES[operand.dtype], list(operand.shape))
    return _known_type(operand)


def _known_type(known: Known) -> onnx.TypeProto:
    dtype = DType.int64 if known.symbolic else DType.of(known.array.dtype)
    return onnx.helper.make_tensor_type_proto(ELEMENT_TYPES[dtype], list(known.array.shape))
