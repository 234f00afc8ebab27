"""Documents: graphs as msgpack bytes, and back. `proto/README.md` describes the format.

Laws: `decode(encode(g)) == g`, and `encode(decode(d))` is the same for every spelling `d` of a graph.
Decoding is the border: what it returns is a legal graph, and whatever is wrong with the bytes comes
out as one of our errors, naming the node, before anything large is allocated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgpack

from . import operators as _  # noqa: F401  (fills the registry)
from .attributes import declared, from_plain, integer, spelled, to_plain
from .builder import Builder, graph_of
from .errors import (
    DocumentSyntaxError,
    DocumentVersionError,
    GraphError,
    InvalidReferenceError,
    LimitError,
    RaygradError,
    UnknownOperatorError,
)
from .graph import Graph, Node, Ref, title_of
from .limits import DEFAULT, Limits, Tally
from .operators.base import Operator
from .operators.source import Cotangent
from .scan import scan
from .suggestions import did_you_mean

VERSION = 1

_DOCUMENT_KEYS = ("version", "nodes", "outputs")
_NODE_KEYS = ("op", "attributes", "inputs", "home", "label")


# -- graphs to bytes ------------------------------------------------------------------------------


def encode(graph: Graph | Builder) -> bytes:
    """The document of an unpruned graph (or of what a builder has written), in its one canonical spelling.

    Raises `GraphError` for a pruned graph (ids are positions in a document), `UnknownOperatorError`
    for a cotangent, `AttributeValueError` for an attribute that is not of its declared type.
    """
    whole = graph_of(graph)
    document = {
        "version": VERSION,
        "nodes": [_plain_node(position, node) for position, node in enumerate(whole)],
        "outputs": [[name, ref.node, ref.port] for name, ref in sorted(whole.outputs.items())],
    }
    packed: bytes = msgpack.packb(document)
    return packed


def digest(graph: Graph | Builder) -> str:
    """The SHA-256 of the graph's document, in hexadecimal: what names a graph."""
    return hashlib.sha256(encode(graph)).hexdigest()


def catalogue_digest() -> str:
    """The SHA-256 of the operators' wire names, attributes and declared types, in hexadecimal.

    Two processes with the same digest read a document the same way.
    """
    catalogue = [
        [name, sorted([attribute, spelled(hint)] for attribute, hint in declared(operator).items())]
        for name, operator in sorted(Operator.registry.items())
    ]
    return hashlib.sha256(msgpack.packb(catalogue)).hexdigest()


def _plain_node(position: int, node: Node) -> dict[str, Any]:
    if node.id != position:
        raise GraphError(
            f"stands at position {position}: a document holds whole graphs, not pruned ones", node=node.title
        )
    try:
        plain: dict[str, Any] = {"op": _wire_name(type(node.operator))}
        if attributes := _plain_attributes(node.operator):
            plain["attributes"] = attributes
    except RaygradError as exc:
        raise exc.at(node.title) from None
    if node.inputs:
        plain["inputs"] = [list(ref) for ref in node.inputs]
    if node.home != node.id:
        plain["home"] = node.home
    if node.label:
        plain["label"] = node.label
    return plain


def _wire_name(operator: type[Operator]) -> str:
    if operator is Cotangent:
        raise UnknownOperatorError("cotangents are fed by the service; they do not stand in documents")
    return operator.name


def _plain_attributes(operator: Operator) -> dict[str, Any]:
    """All attributes by sorted name, defaults included, each spelled by its declared type (1.0, not 1)."""
    if not vars(operator):
        return {}
    given = {name: to_plain(getattr(operator, name)) for name in declared(type(operator))}
    exact = from_plain(type(operator), given)
    return {name: to_plain(getattr(exact, name)) for name in sorted(given)}


# -- bytes to graphs ------------------------------------------------------------------------------


def decode(data: bytes, limits: Limits = DEFAULT) -> Graph:
    """The graph of a document, node for node as it was written.

    Raises a `DocumentError` for bytes that are no document, over the limits, or that use what this
    build does not know, and a `GraphError` for a graph that means nothing.
    """
    document = _unpack(data, limits)
    builder = Builder()
    tally = Tally(limits)
    for position, plain in enumerate(_nodes(document, limits)):
        node = _append(builder, position, plain, limits)
        tally.add(node, [builder.type_of(ref) for ref in node.inputs])
    for output in _list(document["outputs"], "outputs"):
        _name_output(builder, output)
    return builder.graph()


def _unpack(data: bytes, limits: Limits) -> dict[str, Any]:
    """The document as plain lists and maps, of a version that this build reads."""
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise DocumentSyntaxError(f"a document is bytes, not {type(data).__name__}")
    if len(data) > limits.document_bytes:
        raise LimitError(f"the document has {len(data)} bytes; at most {limits.document_bytes} are allowed")
    scan(data, limits)
    try:
        document = msgpack.unpackb(data, strict_map_key=True, object_pairs_hook=_map)
    except ValueError as exc:  # text that is not UTF-8, keys that are no text
        raise DocumentSyntaxError(f"the document cannot be read: {exc}") from exc
    if not isinstance(document, dict):
        raise DocumentSyntaxError(f"a document is a map, not {type(document).__name__}")
    version = document.get("version")
    if version != VERSION or isinstance(version, bool):
        raise DocumentVersionError(f"this build reads documents of version {VERSION}, not {version!r:.40}")
    _check_keys(document, _DOCUMENT_KEYS, required=_DOCUMENT_KEYS)
    return document


def _map(pairs: Sequence[tuple[Any, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if not isinstance(key, str):
            raise DocumentSyntaxError(f"a key must be text, not {key!r}")
        if key in found:
            raise DocumentSyntaxError(f"the key {key!r} stands twice in one map")
        found[key] = value
    return found


def _check_keys(plain: dict[str, Any], known: Sequence[str], required: Sequence[str]) -> None:
    if unknown := sorted(set(plain) - set(known)):
        raise DocumentSyntaxError(f"unknown key {unknown[0]!r}; known are {list(known)}")
    if missing := [key for key in required if key not in plain]:
        raise DocumentSyntaxError(f"the key {missing[0]!r} is missing")


def _nodes(document: dict[str, Any], limits: Limits) -> list[Any]:
    nodes = _list(document["nodes"], "nodes")
    if len(nodes) > limits.nodes:
        raise LimitError(f"the document holds {len(nodes)} nodes; at most {limits.nodes} are allowed")
    return nodes


def _append(builder: Builder, position: int, plain: Any, limits: Limits) -> Node:
    title = f"node {position}"
    try:
        if not isinstance(plain, dict):
            raise DocumentSyntaxError(f"a node is a map, not {type(plain).__name__}")
        _check_keys(plain, _NODE_KEYS, required=("op",))
        label = _text(plain.get("label", ""), "label")
        title = title_of(position, name := _text(plain["op"], "op"), label)
        operator = _operator(name, plain.get("attributes", {}), limits)
        inputs = tuple(_ref(pair) for pair in _list(plain.get("inputs", []), "inputs"))
        home = _home(builder, position, operator, plain["home"]) if "home" in plain else None
        return builder.append(operator, inputs, home=home, label=label)
    except RaygradError as exc:
        exc.at(title)
        raise


def _operator(name: str, attributes: Any, limits: Limits) -> Operator:
    found = Operator.registry.get(name)
    if found is None:
        meant = did_you_mean(name, Operator.registry)
        raise UnknownOperatorError(f"there is no operator {name!r} in this build's catalogue{meant}")
    _wire_name(found)
    if not isinstance(attributes, dict):
        raise DocumentSyntaxError(f"attributes are a map, not {type(attributes).__name__}")
    for attribute, plain in attributes.items():
        _check_lengths(attribute, plain, limits)
    return from_plain(found, attributes)


def _check_lengths(attribute: str, plain: Any, limits: Limits) -> None:
    if not isinstance(plain, list):
        return
    if len(plain) > limits.list_length:
        raise LimitError(f"{attribute} has {len(plain)} elements; at most {limits.list_length} are allowed")
    for element in plain:
        _check_lengths(attribute, element, limits)


def _home(builder: Builder, position: int, operator: Operator, plain: Any) -> int:
    """The home that a node names: itself, or an earlier forward node that has a place of its own."""
    home = _integer(plain, "home")
    if operator.source:
        raise InvalidReferenceError(f"a source has no home, but {home} is given")
    if home == position:
        return home
    if home not in range(position):
        raise InvalidReferenceError(f"home {home} is not an earlier node")
    node = builder.node(home)
    if node.operator.source:
        raise InvalidReferenceError(f"home {home} is a source ({node.operator.name}), which has no place")
    if node.home != home:
        raise InvalidReferenceError(f"home {home} is not a forward node: its own home is {node.home}")
    return home


def _name_output(builder: Builder, plain: Any) -> None:
    parts = _list(plain, "an output")
    if len(parts) != 3:
        raise DocumentSyntaxError(f"an output is [name, node, port], not {len(parts)} elements")
    name = _text(parts[0], "the name of an output")
    try:
        builder.output(name, builder.value(_ref(parts[1:])))
    except RaygradError as exc:
        exc.at(f"output {name!r}")
        raise


def _ref(plain: Any) -> Ref:
    pair = _list(plain, "a reference")
    if len(pair) != 2:
        raise DocumentSyntaxError(f"a reference is [node, port], not {len(pair)} elements")
    return Ref(_integer(pair[0], "the node of a reference"), _integer(pair[1], "the port of a reference"))


def _list(plain: Any, what: str) -> list[Any]:
    if not isinstance(plain, list):
        raise DocumentSyntaxError(f"{what} must be a list, not {type(plain).__name__}")
    return plain


def _text(plain: Any, what: str) -> str:
    if not isinstance(plain, str):
        raise DocumentSyntaxError(f"{what} must be text, not {type(plain).__name__}")
    return plain


def _integer(plain: Any, what: str) -> int:
    try:
        return integer(plain)
    except (TypeError, ValueError, OverflowError) as exc:
        raise DocumentSyntaxError(f"{what} must be an integer: {exc}") from exc
