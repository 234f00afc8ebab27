"""Reading a model: from a file, bytes or a message, with every limit checked before anything is allocated.

Tensors may lie outside of the file, as files beside it (https://onnx.ai/onnx/repo-docs/ExternalData.html).
A model names those files, so they are read only from the model's own folder, links resolved.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError, Message

from raygrad.proto.errors import (
    ConfigurationError,
    DocumentSyntaxError,
    InvalidReferenceError,
    LimitError,
    TruncatedTensorError,
)
from raygrad.proto.limits import DEFAULT

from .protos import check_sizes, dtype_of

Source = str | os.PathLike[str] | bytes | onnx.ModelProto
"""A path, the bytes of a model, or a model."""

_MOST_BYTES = (1 << 31) - 1  # of a protobuf message


def read(source: Source) -> onnx.ModelProto:
    """The model, its external tensors read in. Raises a `DocumentError` or `InvalidReferenceError`."""
    model, folder = _parse(source)
    _check(model)
    total = 0
    for tensor in _all_tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            total += _bytes(tensor)
            if total > DEFAULT.tensor_bytes:
                raise LimitError(f"the model's tensors have over {DEFAULT.tensor_bytes} bytes")
            _read_external(tensor, folder)
    return model


def _parse(source: Source) -> tuple[onnx.ModelProto, Path | None]:
    if isinstance(source, onnx.ModelProto):
        return source, None
    if isinstance(source, bytes):
        return _decode(source, "the bytes given"), None
    if not isinstance(source, (str, os.PathLike)):
        raise ConfigurationError(f"a model is a path, bytes or a ModelProto, got {type(source).__name__}")
    path = Path(source)
    if path.stat().st_size > _MOST_BYTES:
        raise LimitError(f"{path} has {path.stat().st_size} bytes; at most {_MOST_BYTES} are allowed")
    return _decode(path.read_bytes(), str(path)), path.resolve().parent


def _decode(data: bytes, what: str) -> onnx.ModelProto:
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as exc:
        raise DocumentSyntaxError(f"{what}: not an ONNX model: {exc}") from exc
    if not model.HasField("graph"):
        raise DocumentSyntaxError(f"{what}: not an ONNX model: it has no graph")
    return model


def _check(model: onnx.ModelProto) -> None:
    _check_text(model)
    if len(model.graph.node) > DEFAULT.nodes:
        raise LimitError(f"{len(model.graph.node)} nodes in the model; at most {DEFAULT.nodes} are allowed")
    if model.graph.sparse_initializer:
        raise DocumentSyntaxError("the model has sparse initializers, which are not supported")


def _check_text(message: Message) -> None:
    """`DocumentSyntaxError` for text that is not UTF-8, which protobuf gives as bytes."""
    for field, value in message.ListFields():
        if field.type == field.TYPE_STRING:
            for text in (value,) if isinstance(value, (str, bytes)) else value:
                if isinstance(text, bytes):
                    raise DocumentSyntaxError(f"not an ONNX model: {field.full_name} {text!r} is no UTF-8")
        elif field.type == field.TYPE_MESSAGE:
            for part in (value,) if isinstance(value, Message) else value:
                _check_text(part)


def opsets(model: onnx.ModelProto | onnx.FunctionProto) -> dict[str, int]:
    """The opset version of each domain; ai.onnx is the domain ''."""
    return {_domain(o.domain): _version(o) for o in model.opset_import}


def _version(opset: onnx.OperatorSetIdProto) -> int:
    if 0 < opset.version < 1 << 31:
        return opset.version
    raise DocumentSyntaxError(f"the model imports version {opset.version} of the opset {opset.domain!r}")


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def _all_tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    yield from model.graph.initializer
    yield from _tensors(model.graph.node)
    for function in model.functions:
        yield from _tensors(function.node)


def _tensors(nodes: Iterable[onnx.NodeProto], depth: int = 0) -> Iterator[onnx.TensorProto]:
    """The tensors in attributes of nodes, and in the graphs there."""
    if depth > DEFAULT.depth:
        raise LimitError(f"graphs lie in graphs more than {DEFAULT.depth} deep")
    for attribute in (a for node in nodes for a in node.attribute):
        if attribute.HasField("t"):
            yield attribute.t
        if attribute.HasField("g"):
            yield from attribute.g.initializer
            yield from _tensors(attribute.g.node, depth + 1)


def _read_external(tensor: onnx.TensorProto, folder: Path | None) -> None:
    """Put the bytes of an external tensor into its message."""
    where = {entry.key: entry.value for entry in tensor.external_data}
    path = _inside(tensor, where.get("location", ""), folder)
    size = _bytes(tensor)
    offset = _number(tensor, where.get("offset", "0"))
    if _number(tensor, where.get("length", str(size))) != size or offset + size > path.stat().st_size:
        raise TruncatedTensorError(f"tensor {tensor.name!r} needs {size} bytes from {offset} on in {path}")
    with path.open("rb") as file:
        file.seek(offset)
        tensor.raw_data = file.read(size)
    tensor.data_location = onnx.TensorProto.DEFAULT
    del tensor.external_data[:]


def _bytes(tensor: onnx.TensorProto) -> int:
    """How many bytes a tensor has, as its type says, which is checked."""
    what = f"tensor {tensor.name!r}"
    check_sizes(tensor.dims, what)
    return math.prod(tensor.dims) * dtype_of(tensor.data_type, what).itemsize


def _inside(tensor: onnx.TensorProto, location: str, folder: Path | None) -> Path:
    if folder is None:
        raise InvalidReferenceError(
            f"tensor {tensor.name!r} is in the file {location!r}: give the model by its path"
        )
    with contextlib.suppress(OSError, ValueError):  # of names that no file can have
        path = (folder / location).resolve()
        if location and path.is_relative_to(folder) and path.is_file():
            return path
    raise InvalidReferenceError(
        f"tensor {tensor.name!r} refers to {location!r}, which is no file in the model's folder {folder}"
    )


def _number(tensor: onnx.TensorProto, text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    raise DocumentSyntaxError(f"tensor {tensor.name!r}: {text!r} is no offset or length")
