"""Errors on the wire: a google.rpc.Status for a call, an `Error` for one mini-batch of a stream.

The class name is the reason of the ErrorInfo; the message and the node it is about are its metadata.
"""

from __future__ import annotations

import asyncio

from google.protobuf import any_pb2
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, error_details_pb2, status_pb2

from ..errors import (
    AuthenticationError,
    DeadlineError,
    DocumentSyntaxError,
    LimitError,
    OperationCancelledError,
    RaygradError,
    UnavailableError,
    from_wire,
    words,
)
from . import raygrad_pb2 as pb

DOMAIN = "raygrad"
LONGEST_MESSAGE = 2000  # characters: a status travels in HTTP headers, and those are limited to 8 KiB

_BY_CODE: dict[str, type[RaygradError]] = {
    "CANCELLED": OperationCancelledError,
    "DEADLINE_EXCEEDED": DeadlineError,
    "RESOURCE_EXHAUSTED": LimitError,  # gRPC itself says this of a message over 4 MiB
    "UNAUTHENTICATED": AuthenticationError,
    "UNAVAILABLE": UnavailableError,
}


def as_raygrad_error(exc: BaseException) -> RaygradError:
    """`exc` if it is ours; a foreign one as the error that says the same."""
    if isinstance(exc, RaygradError):
        return exc
    if isinstance(exc, asyncio.CancelledError):
        return OperationCancelledError("the call was cancelled")
    if isinstance(exc, DecodeError):
        return DocumentSyntaxError(f"not a message of this service: {exc}")
    if isinstance(exc, TimeoutError):
        return DeadlineError(str(exc) or "a wait took too long")
    return RaygradError(f"internal error: {words(exc)}")


def to_status(error: RaygradError) -> status_pb2.Status:
    """The status of a failed call."""
    message = cut(error.message)
    info = error_details_pb2.ErrorInfo(
        reason=type(error).__name__, domain=DOMAIN, metadata={"message": message}
    )
    if error.node:
        info.metadata["node"] = cut(error.node)
    detail = any_pb2.Any()
    detail.Pack(info)
    return status_pb2.Status(code=code_number(error.code), message=cut(str(error)), details=[detail])


def from_status(status: status_pb2.Status) -> RaygradError:
    """The error that the status tells of; by its code alone where nobody of ours wrote it."""
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Unpack(info) and info.domain == DOMAIN:
            return from_wire(info.reason, info.metadata["message"], info.metadata.get("node", ""))
    return from_code(code_pb2.Code.Name(status.code), status.message)


def from_code(code: str, message: str) -> RaygradError:
    """The error that a bare gRPC status stands for."""
    known = _BY_CODE.get(code)
    return known(message) if known else RaygradError(f"{code}: {message}")


def to_message(error: RaygradError) -> pb.Error:
    """The error of one mini-batch of a stream."""
    return pb.Error(
        code=code_number(error.code),
        reason=type(error).__name__,
        message=cut(error.message),
        node=cut(error.node or ""),
    )


def from_message(error: pb.Error) -> RaygradError:
    """The error that `to_message` wrote."""
    return from_wire(error.reason, error.message, error.node)


def code_number(code: str) -> int:
    """The number of a canonical code, the same in gRPC and google.rpc."""
    return int(code_pb2.Code.Value(code))


def cut(text: str) -> str:
    """The text, short enough for a status; what a client sent may stand in it at any length."""
    return text if len(text) <= LONGEST_MESSAGE else text[: LONGEST_MESSAGE - 1] + "…"
