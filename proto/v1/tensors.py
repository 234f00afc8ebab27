"""Sets of named tensors as messages of the service: pieces in, pieces out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..errors import LimitError
from ..limits import DEFAULT, Limits
from ..tensor import Array, TensorType
from ..wire import PIECE_BYTES, Assembler, Piece, pieces
from . import raygrad_pb2 as pb

MOST_PIECES = 4096
"""In one message: each takes its time, however few bytes it holds."""

_PIECE_OVERHEAD = 64  # bytes of a piece beside its name, shape and data, rounded up


def pack(tensors: Mapping[str, Array], received: Mapping[str, int] | None = None) -> Iterator[pb.Tensors]:
    """The messages that hold these tensors; one if they fit, an empty one if there are none.

    `received` tells how many bytes of some of them the other side has: those are not sent again.
    """
    held = received or {}
    message, room = pb.Tensors(), PIECE_BYTES
    for name, array in tensors.items():
        for piece in _missing_pieces(name, array, held.get(name)):
            cost = len(piece.data) + len(name) + 8 * len(piece.shape) + _PIECE_OVERHEAD
            if message.pieces and (cost > room or len(message.pieces) == MOST_PIECES):
                message.partial = True
                yield message
                message, room = pb.Tensors(), PIECE_BYTES
            message.pieces.append(_to_message(piece))
            room -= cost
    yield message


def _missing_pieces(name: str, array: Array, received: int | None) -> Iterator[Piece]:
    """The pieces from `received` on; an empty tensor that has arrived has none left."""
    if received is None:
        return pieces(name, array)
    return pieces(name, array, start=received) if received else iter(())


def _to_message(piece: Piece) -> pb.Piece:
    return pb.Piece(
        name=piece.name,
        dtype=piece.dtype,
        shape=piece.shape,
        offset=piece.offset,
        data=bytes(piece.data),
    )


class Unpacker:
    """Takes the messages of one set of tensors, and gives the arrays."""

    def __init__(self, limits: Limits = DEFAULT, declared: Mapping[str, TensorType] | None = None) -> None:
        """With `declared`, tensors of other names and types are refused as soon as they begin."""
        self._assembler = Assembler(limits, declared)

    @property
    def received(self) -> dict[str, int]:
        """Bytes received of each tensor."""
        return self._assembler.received

    def add(self, message: pb.Tensors) -> bool:
        """Take the next message; whether it was the last one of the set."""
        if len(message.pieces) > MOST_PIECES:
            raise LimitError(f"a message has {len(message.pieces)} pieces; at most {MOST_PIECES} are allowed")
        for piece in message.pieces:
            self._assembler.add(Piece(piece.name, piece.offset, piece.data, piece.dtype, tuple(piece.shape)))
        return not message.partial

    def finish(self) -> dict[str, Array]:
        """The tensors, read-only; `TruncatedTensorError` if bytes are missing."""
        return self._assembler.finish()
